//! S3 and IAM.

use std::collections::{BTreeMap, BTreeSet};

use drift::live::LiveResource;
use serde_json::Value;

use crate::declared::{Declared, differences, of_state};
use crate::moto::{Flavour, Moto, json};

const PREFIXES: &[&str] = &["aws_s3_", "aws_iam_"];

fn readable() -> Vec<&'static str> {
    let types = workers::cloud::aws::readers().flat_map(|reader| reader.types.iter().copied());
    types.filter(|name| PREFIXES.iter().any(|prefix| name.starts_with(prefix))).collect()
}

/// The id under which a declared resource is found: its own, unless that is random.
fn live_id(declared: &Declared) -> String {
    match declared.provider_type.as_str() {
        "aws_iam_role_policy_attachment" => format!("{}/{}", declared.text("role"), declared.text("policy_arn")),
        "aws_iam_user_policy_attachment" => format!("{}/{}", declared.text("user"), declared.text("policy_arn")),
        _ => declared.text("id").to_owned(),
    }
}

/// What became of a fixture's S3 and IAM resources.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    /// `type id` to the attributes that differ.
    changed: BTreeMap<String, BTreeSet<String>>,
    missing: BTreeSet<String>,
    /// Found, not declared, and nobody else's.
    extra: BTreeSet<String>,
}

async fn outcome(flavour: Flavour, fixture: &str, recordings: &[&str]) -> Outcome {
    let paths: Vec<String> = recordings.iter().map(|name| format!("{fixture}/{name}.jsonl")).collect();
    let moto = Moto::with(flavour, &paths.iter().map(String::as_str).collect::<Vec<_>>());
    let oracle = json(&format!("{fixture}/oracle.json"));
    let regions: Vec<&str> = oracle["regions"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let (found, failed) = moto.discover(&regions, &readable()).await;
    assert_eq!(failed, [], "everything can be read");
    let mut live: BTreeMap<(String, String), LiveResource> = BTreeMap::new();
    for resource in found {
        let key = (resource.provider_type.clone(), resource.provider_resource_id.clone());
        assert!(live.insert(key.clone(), resource).is_none(), "{key:?} is found once");
    }

    let mut outcome = Outcome::default();
    for declared in of_state(&json(&format!("{fixture}/terraform.tfstate")), PREFIXES) {
        let key = (declared.provider_type.clone(), live_id(&declared));
        let name = format!("{} {}", key.0, key.1);
        let Some(live) = live.remove(&key) else {
            outcome.missing.insert(name);
            continue;
        };
        let differing: BTreeSet<String> = differences(&declared, &live).into_keys().collect();
        if !differing.is_empty() {
            outcome.changed.insert(name, differing);
        }
    }
    outcome.extra = live
        .into_values()
        .filter(|resource| resource.managed_by.is_none())
        .map(|resource| format!("{} {}", resource.provider_type, resource.provider_resource_id))
        .collect();
    outcome
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// As `aws-core/oracle.json` has it; `versioning` and `managed_policy_arns` are side effects there.
fn tampered() -> Outcome {
    let changed = [
        ("aws_iam_policy arn:aws:iam::123456789012:policy/storefront-dev-app", set(&["policy"])),
        ("aws_iam_role storefront-dev-app", set(&["managed_policy_arns", "max_session_duration"])),
        ("aws_s3_bucket storefront-dev-assets", set(&["tags", "versioning"])),
        (
            "aws_s3_bucket_public_access_block storefront-dev-assets",
            set(&["block_public_policy", "restrict_public_buckets"]),
        ),
        ("aws_s3_bucket_versioning storefront-dev-assets", set(&["versioning_configuration"])),
    ];
    Outcome {
        changed: changed.map(|(name, paths)| (name.to_owned(), paths)).into(),
        missing: set(&[
            "aws_iam_role_policy_attachment \
             storefront-dev-app/arn:aws:iam::123456789012:policy/storefront-dev-app",
            "aws_iam_user storefront-dev-auditor",
            "aws_s3_bucket storefront-dev-scratch",
        ]),
        extra: set(&[
            "aws_iam_policy arn:aws:iam::123456789012:policy/everything",
            "aws_iam_role temp-admin",
            "aws_iam_role_policy_attachment storefront-dev-app/arn:aws:iam::aws:policy/AdministratorAccess",
            "aws_iam_user backdoor",
            "aws_s3_bucket customer-export-2026",
        ]),
    }
}

#[tokio::test]
async fn what_terraform_just_applied_reads_back_the_same() {
    assert_eq!(outcome(Flavour::Fixture, "aws-core", &["apply"]).await, Outcome::default());
}

#[tokio::test]
async fn another_account_reads_back_the_same() {
    assert_eq!(outcome(Flavour::Fixture, "aws-clean", &["apply"]).await, Outcome::default());
}

#[tokio::test]
async fn tampering_shows_and_nothing_else_does() {
    assert_eq!(outcome(Flavour::Fixture, "aws-core", &["apply", "tamper"]).await, tampered());
}

#[tokio::test]
async fn plain_moto_shows_the_same() {
    assert_eq!(outcome(Flavour::Plain, "aws-core", &["apply", "tamper"]).await, tampered());
}

#[tokio::test]
async fn buckets_of_regions_that_are_not_scanned_are_not_read() {
    let moto = Moto::with(Flavour::Fixture, &["aws-core/apply.jsonl"]);
    let (found, failed) = moto.discover(&["eu-west-1"], &["aws_s3_bucket"]).await;
    assert_eq!(failed, []);
    let names: Vec<&str> = found.iter().map(|bucket| bucket.provider_resource_id.as_str()).collect();
    assert_eq!(names, ["storefront-dev-replica-eu"]);
    assert_eq!(found[0].region, "eu-west-1");
}
