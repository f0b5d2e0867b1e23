//! What single buckets refuse, and what vanishes while it is being read. No moto has a bucket that refuses, so this is a
//! server of a few lines.

use drift::live::LiveResource;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};
use workers::cloud::{ErrorClass, ScanError};

use crate::moto::discover_at;

/// Answers for a setting that nobody made, by the query that asks for it.
const NOT_SET: &[(&str, &str)] = &[
    ("cors", "NoSuchCORSConfiguration"),
    ("encryption", "ServerSideEncryptionConfigurationNotFoundError"),
    ("lifecycle", "NoSuchLifecycleConfiguration"),
    ("object-lock", "ObjectLockConfigurationNotFoundError"),
    ("ownershipControls", "OwnershipControlsNotFoundError"),
    ("policy", "NoSuchBucketPolicy"),
    ("publicAccessBlock", "NoSuchPublicAccessBlockConfiguration"),
    ("replication", "ReplicationConfigurationNotFoundError"),
    ("tagging", "NoSuchTagSet"),
    ("website", "NoSuchWebsiteConfiguration"),
];

/// Answers without a word in them: nothing was ever set.
const EMPTY: &[(&str, &str)] = &[
    ("accelerate", "AccelerateConfiguration"),
    ("acl", "AccessControlPolicy"),
    ("location", "LocationConstraint"),
    ("logging", "BucketLoggingStatus"),
    ("notification", "NotificationConfiguration"),
    ("requestPayment", "RequestPaymentConfiguration"),
    ("versioning", "VersioningConfiguration"),
];

fn error(status: u16, code: &str) -> ResponseTemplate {
    let body = format!("<Error><Code>{code}</Code><Message>{code} it is</Message></Error>");
    ResponseTemplate::new(status).set_body_raw(body, "application/xml")
}

fn xml(body: impl Into<String>) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(body.into(), "application/xml")
}

/// AWS with these buckets; `refused` are pairs of a bucket and the query that it refuses. A bucket `gone` is listed only.
fn aws(
    buckets: &'static [&'static str],
    refused: &'static [(&'static str, &'static str)],
) -> impl Fn(&Request) -> ResponseTemplate {
    move |request| {
        let body = String::from_utf8_lossy(&request.body);
        if body.contains("Action=GetCallerIdentity") {
            return xml(
                "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/u</Arn>\
                 <UserId>u</UserId><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>",
            );
        }
        if body.contains("Action=DescribeRegions") {
            return ResponseTemplate::new(403).set_body_raw(
                "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>no</Message></Error></Errors></Response>",
                "application/xml",
            );
        }
        let bucket = request.url.path().trim_matches('/');
        if bucket.is_empty() {
            let names =
                buckets.iter().fold(String::new(), |names, name| names + "<Bucket><Name>" + name + "</Name></Bucket>");
            return xml(format!("<ListAllMyBucketsResult><Buckets>{names}</Buckets></ListAllMyBucketsResult>"));
        }
        let asks = |name: &str| request.url.query_pairs().any(|(key, _)| key == name);
        if refused.iter().any(|(name, query)| *name == bucket && asks(query)) {
            return error(403, "AccessDenied");
        }
        if bucket == "gone" && !asks("location") {
            return error(404, "NoSuchBucket");
        }
        let not_set = NOT_SET.iter().find(|(query, _)| asks(query)).map(|(_, code)| error(404, code));
        let empty = EMPTY.iter().find(|(query, _)| asks(query)).map(|(_, root)| xml(format!("<{root}/>")));
        not_set.or(empty).unwrap_or_else(|| error(400, "UnexpectedQuestion"))
    }
}

async fn read(
    buckets: &'static [&'static str],
    refused: &'static [(&'static str, &'static str)],
) -> (Vec<LiveResource>, Vec<ScanError>) {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(aws(buckets, refused)).mount(&server).await;
    let types: Vec<&str> = workers::cloud::aws::readers()
        .flat_map(|reader| reader.types.iter().copied())
        .filter(|name| name.starts_with("aws_s3_"))
        .collect();
    discover_at(&server.uri(), &["us-east-1"], &types).await
}

fn buckets(found: &[LiveResource]) -> Vec<&str> {
    let mut names: Vec<&str> = found
        .iter()
        .filter(|resource| resource.provider_type == "aws_s3_bucket")
        .map(|bucket| bucket.provider_resource_id.as_str())
        .collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn a_bucket_that_refuses_one_question_costs_one_type() {
    let (found, failed) = read(&["closed", "open"], &[("closed", "policy")]).await;
    assert_eq!(buckets(&found), ["closed", "open"]);
    let [failed] = failed.as_slice() else {
        panic!("one failure, not {failed:?}");
    };
    assert_eq!(failed.provider_types, ["aws_s3_bucket_policy"]);
    assert_eq!(failed.error_class, ErrorClass::AccessDenied);
    assert!(failed.message.contains("closed") && !failed.message.contains("open"), "{}", failed.message);
    let closed = found.iter().find(|found| found.name.as_deref() == Some("closed")).unwrap();
    assert!(!closed.properties.contains_key("policy"), "what was refused is not told");
}

#[tokio::test]
async fn a_bucket_whose_tags_are_refused_is_still_found() {
    let (found, failed) = read(&["closed", "open"], &[("closed", "tagging")]).await;
    assert_eq!(buckets(&found), ["closed", "open"]);
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].provider_types, Vec::<String>::new(), "no type is unreadable for it");
    let tagged = |name: &str| {
        let bucket =
            found.iter().find(|found| found.provider_type == "aws_s3_bucket" && found.name.as_deref() == Some(name));
        bucket.unwrap().properties.contains_key("tags")
    };
    assert!(tagged("open") && !tagged("closed"));
}

#[tokio::test]
async fn a_bucket_that_will_not_say_where_it_is_may_be_any() {
    let (found, failed) = read(&["hidden", "open"], &[("hidden", "location")]).await;
    assert_eq!(buckets(&found), ["open"]);
    assert_eq!(failed.len(), 1);
    assert!(failed[0].provider_types.iter().any(|name| name == "aws_s3_bucket"));
    assert!(failed[0].message.contains("hidden"), "{}", failed[0].message);
}

#[tokio::test]
async fn a_bucket_deleted_meanwhile_is_no_failure() {
    let (found, failed) = read(&["gone", "open"], &[]).await;
    assert_eq!(buckets(&found), ["open"]);
    assert_eq!(failed, []);
}
