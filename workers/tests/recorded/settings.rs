//! The settings of buckets and the kinds of identities that the big accounts lack, read and compared by `drift`: the
//! readers tell both shapes of a thing (a bucket's policy in the bucket and beside it), and only together with the
//! comparison that chooses between them can they be right.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use drift::compare::{Declared, Inputs, Kind, Report, Settings, compare};
use drift::rules::{Catalogue, OrgRules, Policy};
use drift::sensitive::SensitiveKey;
use drift::state::{self, Limits};

use crate::moto::{Flavour, Moto, fixture};

async fn report(recordings: &[&str]) -> Report {
    let moto = Moto::with(Flavour::Fixture, recordings);
    let types: Vec<&str> = workers::cloud::aws::readers()
        .flat_map(|reader| reader.types.iter().copied())
        .filter(|name| name.starts_with("aws_s3_") || name.starts_with("aws_iam_"))
        .collect();
    let (live, failed) = moto.discover(&["us-east-1"], &types).await;
    assert_eq!(failed, []);

    let key = SensitiveKey::new([0; 32]);
    let mut declared = Vec::new();
    let file = std::fs::File::open(fixture("aws-settings/terraform.tfstate")).unwrap();
    let sink = |resource| {
        declared.push(Declared { state_source_id: "state".to_owned(), resource });
        ControlFlow::Continue(())
    };
    state::read(file, &Limits::default(), &key, sink).unwrap();
    let settings = Settings {
        readable_types: &types.iter().map(|name| (*name).to_owned()).collect(),
        unreadable: &[],
        regions: None,
        account: Some("123456789012"),
        cloud_account_id: None,
        parse_failure_count: 0,
        policy: &Policy::new(&Catalogue::load().unwrap(), &OrgRules::default()).unwrap(),
        key: &key,
    };
    compare(Inputs { declared, live, settings })
}

/// The items of one kind: what, and which attributes of it.
fn items(report: &Report, kind: Kind) -> BTreeMap<String, BTreeSet<&str>> {
    let of_kind = report.items.iter().filter(|item| item.kind == kind);
    of_kind
        .map(|item| {
            let id = item.provider_resource_id.as_deref().unwrap_or_default();
            let name = item.address.clone().unwrap_or_else(|| format!("{} {id}", item.provider_type));
            (name, item.changes.iter().map(|change| change.path.as_str()).collect())
        })
        .collect()
}

#[tokio::test]
async fn nothing_differs_after_the_apply() {
    let report = report(&["aws-settings/apply.jsonl"]).await;
    assert_eq!(report.items, []);
    assert_eq!(
        (report.counts.matched_count, report.counts.unchecked_count),
        (45, 2),
        "a queue and a topic are not read"
    );
}

#[tokio::test]
async fn everything_that_terraform_finds_is_found() {
    let report = report(&["aws-settings/apply.jsonl", "aws-settings/tamper.jsonl"]).await;
    let changed = [
        ("aws_iam_access_key.u", vec!["status"]),
        (
            "aws_iam_account_password_policy.p",
            vec!["allow_users_to_change_password", "max_password_age", "minimum_password_length", "require_symbols"],
        ),
        ("aws_iam_group_membership.all", vec!["users"]),
        ("aws_iam_group_policy.g", vec!["policy"]),
        ("aws_iam_instance_profile.ip", vec!["role"]),
        ("aws_iam_openid_connect_provider.gh", vec!["thumbprint_list[0]"]),
        (
            "aws_iam_role.inline",
            vec!["assume_role_policy", "inline_policy", "managed_policy_arns", "permissions_boundary"],
        ),
        ("aws_iam_user.u[\"ann\"]", vec!["tags.n"]),
        ("aws_iam_user_group_membership.ann", vec!["groups"]),
        ("aws_iam_user_policy.u", vec!["policy"]),
        ("aws_s3_bucket.old", vec!["versioning[0].enabled"]),
        ("aws_s3_bucket.repl_dst", vec!["policy"]),
        ("aws_s3_bucket_accelerate_configuration.site", vec!["status"]),
        ("aws_s3_bucket_acl.logs", vec!["access_control_policy[0].grant"]),
        ("aws_s3_bucket_cors_configuration.site", vec!["cors_rule"]),
        ("aws_s3_bucket_lifecycle_configuration.site", vec!["rule[0].expiration[0].days", "rule[0].status"]),
        ("aws_s3_bucket_logging.site", vec!["target_prefix"]),
        (
            "aws_s3_bucket_notification.site",
            vec![
                "queue[0].events",
                "queue[0].filter_suffix",
                "queue[0].id",
                "queue[0].queue_arn",
                "topic[0].events",
                "topic[0].filter_prefix",
                "topic[0].id",
                "topic[0].topic_arn",
            ],
        ),
        ("aws_s3_bucket_object_lock_configuration.locked", vec!["rule[0].default_retention[0].days"]),
        ("aws_s3_bucket_ownership_controls.logs", vec!["rule[0].object_ownership"]),
        ("aws_s3_bucket_public_access_block.site", vec!["block_public_acls"]),
        ("aws_s3_bucket_server_side_encryption_configuration.site", vec!["rule"]),
        (
            "aws_s3_bucket_website_configuration.site",
            vec![
                "error_document[0].key",
                "index_document[0].suffix",
                "routing_rule[0].condition[0].key_prefix_equals",
                "routing_rule[0].redirect[0].replace_key_prefix_with",
            ],
        ),
    ];
    let found = items(&report, Kind::Changed);
    let found: Vec<(&str, Vec<&str>)> =
        found.iter().map(|(name, paths)| (name.as_str(), paths.iter().copied().collect())).collect();
    assert_eq!(found, changed);

    let missing = items(&report, Kind::Missing);
    assert_eq!(
        missing.keys().collect::<Vec<_>>(),
        ["aws_iam_account_alias.a", "aws_iam_user_login_profile.u", "aws_s3_bucket_replication_configuration.site",]
    );

    let extra = items(&report, Kind::Extra);
    let extra: Vec<&str> =
        extra.keys().map(|name| name.split_once(' ').map_or(name.as_str(), |(kind, _)| kind)).collect();
    assert_eq!(
        extra,
        ["aws_iam_access_key", "aws_iam_role_policy", "aws_iam_user_group_membership", "aws_iam_user_login_profile"],
        "the service-linked role and the settings that S3 makes itself are nobody's"
    );
}
