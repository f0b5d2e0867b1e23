//! A bad day of AWS: what cannot be read is named, and nothing of it is reported as missing.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use drift::compare::Kind;
use jobs::ids::OrgId;
use tokio_util::sync::CancellationToken;
use workers::cloud::aws::{AccessKey, Options, readable_types};
use workers::cloud::{
    CloudError, Credential, DiscoverRequest, EnrichError, ErrorClass, Event, ResourceKey, ScanError, connect,
};

use crate::support::account::{account, discover, report};
use crate::support::faults::{Fault, Proxy};
use crate::support::moto::{Moto, Server};

const REGIONS: &[&str] = &["us-east-1", "eu-west-1"];

fn the<'a>(errors: &'a [ScanError], service: &str, region: &str) -> &'a ScanError {
    let mut of = errors.iter().filter(|error| error.service == service && error.region == region);
    let error = of.next().unwrap_or_else(|| panic!("no error of {service} in {region}: {errors:#?}"));
    assert!(of.next().is_none(), "one error for {service} in {region}: {errors:#?}");
    error
}

#[tokio::test]
async fn a_denied_service_a_throttled_one_and_a_dead_region_make_a_partial_scan() {
    let moto = Moto::start(Server::Fixture, "aws-core", &["apply", "tamper"]);
    let throttled = AtomicUsize::new(0);
    let proxy = Proxy::start(&moto.url, move |call| match (call.service.as_str(), call.action.as_str()) {
        _ if call.region == "eu-west-1" => Some(Fault::HangUp),
        ("ec2", "DescribeInstances") | ("dynamodb", _) => Some(Fault::Denied),
        ("ec2", "DescribeVolumes") => Some(Fault::Broken),
        // Slows down for a while, then serves.
        ("ec2", "DescribeVpcs" | "DescribeSubnets") => {
            (throttled.fetch_add(1, Ordering::Relaxed) < 6).then_some(Fault::Throttled)
        }
        _ => None,
    })
    .await;

    let found = discover(&*account(&proxy.url), REGIONS).await.expect("a scan that starts");

    let denied: Vec<_> = found
        .errors
        .iter()
        .filter(|error| error.service == "ec2" && error.error_class == ErrorClass::AccessDenied)
        .collect();
    assert_eq!(denied.len(), 1, "{:#?}", found.errors);
    assert_eq!(
        (denied[0].region.as_str(), &denied[0].provider_types[..], denied[0].operation.as_str()),
        ("us-east-1", &["aws_instance".to_owned()][..], "DescribeInstances")
    );
    let broken: Vec<_> = found
        .errors
        .iter()
        .filter(|error| error.service == "ec2" && error.error_class == ErrorClass::ServiceError)
        .collect();
    assert_eq!(broken.len(), 1, "{:#?}", found.errors);
    assert_eq!(broken[0].provider_types, ["aws_ebs_volume", "aws_volume_attachment"]);
    assert_eq!(the(&found.errors, "dynamodb", "us-east-1").error_class, ErrorClass::AccessDenied);
    let dead: Vec<_> = found.errors.iter().filter(|error| error.region == "eu-west-1").collect();
    assert!(dead.iter().all(|error| error.error_class == ErrorClass::Unreachable), "{dead:#?}");
    assert!(the(&found.errors, "ec2", "eu-west-1").provider_types.contains(&"aws_vpc".to_owned()));
    assert!(found.live.iter().any(|live| live.provider_type == "aws_vpc"), "throttled at first, then read");

    let report = report("aws-core", "terraform.tfstate", REGIONS, &found);
    let unread = ["aws_instance", "aws_ebs_volume", "aws_dynamodb_table"];
    let wrongly: Vec<_> = report
        .items
        .iter()
        .filter(|item| item.kind == Kind::Missing)
        .filter(|item| unread.contains(&item.provider_type.as_str()) || item.region.as_deref() == Some("eu-west-1"))
        .collect();
    assert!(wrongly.is_empty(), "reported as missing without having been read: {wrongly:#?}");
    assert!(report.counts.unknown_count >= 4, "{:?}", report.counts);
}

#[tokio::test]
async fn a_service_that_throttles_for_ever_ends_as_one_error_and_costs_bounded_retries() {
    let moto = Moto::start(Server::Plain, "aws-core", &[]);
    let proxy =
        Proxy::start(&moto.url, |call| (call.action == "DescribeNatGateways").then_some(Fault::Throttled)).await;
    let account = account(&proxy.url);
    let request = DiscoverRequest {
        regions: vec!["us-east-1".to_owned()],
        provider_types: vec!["aws_nat_gateway".to_owned(), "aws_vpc".to_owned()],
    };
    let mut discovery = account.discover(request, CancellationToken::new()).await.expect("a scan that starts");
    let started = Instant::now();
    let (mut errors, mut vpcs) = (Vec::new(), 0);
    while let Some(event) = discovery.next().await {
        match event {
            Event::Failed(error) => errors.push(error),
            Event::Resources(batch) => vpcs += batch.len(),
            Event::Progress(_) => {}
        }
    }
    let error = the(&errors, "ec2", "us-east-1");
    assert_eq!(
        (error.error_class, &error.provider_types[..]),
        (ErrorClass::Throttled, &["aws_nat_gateway".to_owned()][..])
    );
    assert!(vpcs > 0, "the rest is read");
    assert!(proxy.calls.load(Ordering::Relaxed) < 40, "retries are bounded");
    assert!(started.elapsed() < Duration::from_secs(70), "{:?}", started.elapsed());
}

#[tokio::test]
async fn an_empty_account_is_read_once_with_progress() {
    let moto = Moto::start(Server::Plain, "aws-core", &[]);
    let account = account(&moto.url);
    let started = Instant::now();
    let regions = ["us-east-1", "eu-west-1", "ap-south-1", "sa-east-1"];
    let found = discover(&*account, &regions).await.expect("a readable account");
    println!("{} resources, {} regions, {:?}", found.live.len(), regions.len(), started.elapsed());
    assert!(found.errors.is_empty(), "{:#?}", found.errors);
    let (first, last) =
        (found.progress.first().expect("a first report"), found.progress.last().expect("a last report"));
    assert_eq!((first.done, last.done), (0, last.total));
    assert!(found.progress.is_sorted_by_key(|progress| progress.done));
    let theirs: Vec<_> = found.live.iter().filter(|live| live.managed_by.is_none() && live.part_of.is_none()).collect();
    assert!(theirs.is_empty(), "only account defaults: {theirs:#?}");
    let mut seen = BTreeSet::new();
    for live in &found.live {
        assert!(seen.insert((&live.provider_type, &live.region, &live.provider_resource_id)), "read twice: {live:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_asked_for_is_refused_with_its_name() {
    let moto = Moto::start(Server::Fixture, "aws-core", &["apply"]);
    let account = account(&moto.url);

    let identity = account.validate().await.expect("an identity");
    assert_eq!(identity.account_id, "123456789012");
    let error = discover(&*account, &["us-east-1", "us-east-9"]).await.expect_err("no such region");
    assert!(matches!(&error, CloudError::UnknownRegions { unknown, .. } if unknown == &["us-east-9"]), "{error}");
    let request = DiscoverRequest { regions: Vec::new(), provider_types: vec!["aws_unicorn".to_owned()] };
    let error = account.discover(request, CancellationToken::new()).await.expect_err("no such type");
    assert_eq!(error, CloudError::UnknownTypes(vec!["aws_unicorn".to_owned()]));

    let key = |provider_type: &str, id: &str| ResourceKey {
        provider_type: provider_type.to_owned(),
        provider_resource_id: id.to_owned(),
        region: "us-east-1".to_owned(),
    };
    let vpc = account.enrich(key("aws_vpc", "vpc-cc37a75d63c54c1d4")).await.expect("a VPC of the fixture");
    assert_eq!(vpc.name.as_deref(), Some("storefront-dev"));
    let gone = account.enrich(key("aws_vpc", "vpc-0")).await.expect_err("no such VPC");
    assert!(matches!(gone, EnrichError::NotFound { .. }), "{gone}");
    let unknown = account.enrich(key("aws_unicorn", "u-1")).await.expect_err("no such type");
    assert!(matches!(unknown, EnrichError::UnknownType(_)), "{unknown}");
}

#[tokio::test]
async fn a_denied_resource_is_told_apart_from_a_gone_one() {
    let moto = Moto::start(Server::Plain, "aws-core", &[]);
    let proxy = Proxy::start(&moto.url, |call| (call.action == "DescribeKeyPairs").then_some(Fault::Denied)).await;
    let key = ResourceKey {
        provider_type: "aws_key_pair".to_owned(),
        provider_resource_id: "any".to_owned(),
        region: "us-east-1".to_owned(),
    };
    let error = account(&proxy.url).enrich(key).await.expect_err("denied");
    assert!(matches!(&error, EnrichError::Read(read) if read.class == ErrorClass::AccessDenied), "{error}");
}

#[tokio::test]
async fn a_cancelled_scan_ends_at_once() {
    let moto = Moto::start(Server::Plain, "aws-core", &[]);
    let cancel = CancellationToken::new();
    let mut discovery =
        account(&moto.url).discover(DiscoverRequest::default(), cancel.clone()).await.expect("a scan that starts");
    let first = discovery.next().await;
    assert!(matches!(first, Some(Event::Progress(progress)) if progress.done == 0), "{first:?}");
    cancel.cancel();
    let rest = async {
        let mut done = 0;
        while let Some(event) = discovery.next().await {
            if let Event::Progress(progress) = event {
                done = progress.done;
            }
        }
        done
    };
    let done = tokio::time::timeout(Duration::from_secs(5), rest).await.expect("an end");
    assert!(done < readable_types().len(), "stopped after {done} slices");
}

#[tokio::test]
async fn a_role_is_assumed_and_a_refusal_says_so() {
    let moto = Moto::start(Server::Plain, "aws-core", &[]);
    let credential = Credential {
        org_id: OrgId::new(),
        account_id: "210987654321".to_owned(),
        credential_type: "assume_role".to_owned(),
        credential_ref: r#"{"role_arn":"arn:aws:iam::210987654321:role/plumbline"}"#.to_owned(),
    };
    let base =
        AccessKey { access_key_id: "base".to_owned(), secret_access_key: "base".to_owned(), session_token: None };
    let as_role = |endpoint: &str| {
        let options = Options {
            endpoint_url: Some(endpoint.to_owned()),
            base_credentials: Some(base.clone()),
            ..Options::default()
        };
        connect("aws", &credential, options).expect("a well-formed credential")
    };
    let identity = as_role(&moto.url).validate().await.expect("an identity");
    assert_eq!(identity.account_id, "210987654321");
    assert!(identity.arn.contains("assumed-role/plumbline"), "{identity:?}");

    let proxy = Proxy::start(&moto.url, |call| (call.action == "AssumeRole").then_some(Fault::Denied)).await;
    let error = as_role(&proxy.url).validate().await.expect_err("not to be assumed");
    assert!(matches!(&error, CloudError::Refused(read) if read.class == ErrorClass::InvalidCredentials), "{error:?}");
    assert!(error.to_string().contains("not today"), "STS's words: {error}");
}

#[tokio::test]
async fn bad_credentials_and_dead_endpoints_are_told_apart() {
    let connect_with = |credential_type: &str, credential_ref: &str, endpoint: &str| {
        let credential = Credential {
            org_id: OrgId::new(),
            account_id: "123456789012".to_owned(),
            credential_type: credential_type.to_owned(),
            credential_ref: credential_ref.to_owned(),
        };
        connect("aws", &credential, Options { endpoint_url: Some(endpoint.to_owned()), ..Options::default() })
    };
    for (credential_type, text) in [
        ("access_key", "not json"),
        ("access_key", r#"{"access_key_id":"AKIA"}"#),
        ("access_key", r#"{"access_key_id":"AKIA","secret_access_key":"hush","extra":1}"#),
        ("assume_role", r#"{"access_key_id":"AKIA","secret_access_key":"hush"}"#),
        ("assume_role", r#"{"role_arn":"plumbline-reader"}"#),
        ("password", "{}"),
    ] {
        let Err(error) = connect_with(credential_type, text, "http://127.0.0.1:9") else {
            panic!("{credential_type} {text} was taken")
        };
        assert!(matches!(error, CloudError::MalformedCredential { .. }), "{error}");
        assert!(!error.to_string().contains("hush"), "a secret in an error: {error}");
    }

    // Nobody listens on a port that was just given back.
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let dead = account(&format!("http://127.0.0.1:{port}"));
    let error = dead.validate().await.expect_err("nobody there");
    assert!(error.is_transient(), "{error}");

    let moto = Moto::start(Server::Plain, "aws-core", &[]);
    let refused = Proxy::start(&moto.url, |call| (call.service == "sts").then_some(Fault::Denied)).await;
    let error = account(&refused.url).validate().await.expect_err("refused");
    assert!(matches!(error, CloudError::Refused(_)), "{error}");
}
