//! The recorded accounts, judged by Terraform's own answer.
//!
//! The live side is built from what `terraform plan -refresh-only` read: the settled state, with `after` where it differs. So this
//! tests the comparison alone; the readers are tested against the same oracle where they are.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::PathBuf;

use drift::compare::{Declared, Inputs, Kind, Report, Settings, compare};
use drift::live::LiveResource;
use drift::rules::{Catalogue, OrgRules, Policy};
use drift::sensitive::SensitiveKey;
use drift::state::{self, Limits};
use drift::{DeclaredResource, region};
use serde_json::{Map, Value};

const KEY: SensitiveKey = SensitiveKey::new([3; 32]);

fn file(fixture: &str, name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures").join(fixture).join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn json(fixture: &str, name: &str) -> Value {
    serde_json::from_slice(&file(fixture, name)).unwrap()
}

fn declared(fixture: &str, state: &str) -> Vec<DeclaredResource> {
    let mut resources = Vec::new();
    let sink = |r| {
        resources.push(r);
        ControlFlow::Continue(())
    };
    let summary = state::read(file(fixture, state).as_slice(), &Limits::default(), &KEY, sink).unwrap();
    assert_eq!(summary.parse_failures, []);
    assert_eq!(summary.resource_count, resources.len() as u64);
    resources
}

/// `change.after` of each resource that the plan calls drifted, by address.
fn data(fixture: &str) -> BTreeMap<String, Value> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/{fixture}.after.json"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// What the cloud had when Terraform looked.
fn live(fixture: &str) -> Vec<LiveResource> {
    let after = data(fixture);
    let mut live: Vec<LiveResource> = declared(fixture, "terraform.tfstate")
        .into_iter()
        .filter_map(|d| {
            let properties: Map<String, Value> = match after.get(&d.address) {
                Some(Value::Null) => return None,
                Some(after) => after.as_object().unwrap().clone(),
                None => d.attributes.clone(),
            };
            Some(resource(
                &d.provider_type,
                d.provider_resource_id.as_deref().unwrap(),
                d.arn,
                d.region.as_deref().unwrap_or("us-east-1"),
                properties,
            ))
        })
        .collect();
    let oracle = json(fixture, "oracle.json");
    for (list, managed_by) in [("extra", None), ("not_extra", Some("AWS"))] {
        for entry in oracle[list].as_array().unwrap() {
            let text = |name: &str| entry[name].as_str().unwrap_or_default();
            let mut properties = Map::new();
            if text("type") == "aws_iam_role_policy_attachment" {
                let (role, policy) = text("id").split_once('/').unwrap();
                properties.insert("role".into(), role.into());
                properties.insert("policy_arn".into(), policy.into());
            }
            let mut extra = resource(
                text("type"),
                text("id"),
                entry["arn"].as_str().map(str::to_owned),
                text("region"),
                properties,
            );
            extra.managed_by = managed_by.map(str::to_owned);
            live.push(extra);
        }
    }
    live
}

fn resource(
    provider_type: &str,
    id: &str,
    arn: Option<String>,
    region: &str,
    properties: Map<String, Value>,
) -> LiveResource {
    LiveResource {
        provider_type: provider_type.to_owned(),
        provider_resource_id: id.to_owned(),
        arn,
        name: None,
        region: if region::is_global(provider_type) { "global".to_owned() } else { region.to_owned() },
        properties,
        managed_by: None,
        part_of: None,
    }
}

fn report(declared: Vec<DeclaredResource>, live: Vec<LiveResource>) -> Report {
    let policy = Policy::new(&Catalogue::load().unwrap(), &OrgRules::default()).unwrap();
    let readable: BTreeSet<String> = drift::schema::known_types().map(str::to_owned).collect();
    let settings = Settings {
        readable_types: &readable,
        unreadable: &[],
        regions: None,
        account: Some("123456789012"),
        cloud_account_id: None,
        parse_failure_count: 0,
        policy: &policy,
        key: &KEY,
    };
    let declared = declared.into_iter().map(|resource| Declared { state_source_id: "s".into(), resource });
    compare(Inputs { declared, live, settings })
}

/// Kind, address or id, and path of everything that is reported.
fn reported(report: &Report) -> BTreeSet<(Kind, String, String)> {
    let mut out = BTreeSet::new();
    for item in &report.items {
        let who = item
            .address
            .clone()
            .unwrap_or_else(|| format!("{} {}", item.provider_type, item.provider_resource_id.clone().unwrap()));
        if item.changes.is_empty() {
            out.insert((item.kind, who.clone(), String::new()));
        }
        for change in &item.changes {
            out.insert((item.kind, who.clone(), change.path.clone()));
        }
    }
    out
}

fn wanted(fixture: &str) -> BTreeSet<(Kind, String, String)> {
    let oracle = json(fixture, "oracle.json");
    let mut out = BTreeSet::new();
    for entry in oracle["managed"].as_array().unwrap() {
        let address = entry["address"].as_str().unwrap().to_owned();
        if entry["kind"] == "missing" {
            out.insert((Kind::Missing, address, String::new()));
            continue;
        }
        for path in entry["paths"].as_array().unwrap() {
            out.insert((Kind::Changed, address.clone(), path["path"].as_str().unwrap().to_owned()));
        }
    }
    for entry in oracle["extra"].as_array().unwrap() {
        out.insert((
            Kind::Extra,
            format!("{} {}", entry["type"].as_str().unwrap(), entry["id"].as_str().unwrap()),
            String::new(),
        ));
    }
    out
}

#[test]
fn a_tampered_account_shows_what_terraform_shows_and_nothing_else() {
    for state in ["terraform.tfstate", "terraform.raw.tfstate"] {
        let report = report(declared("aws-core", state), live("aws-core"));
        assert_eq!(reported(&report), wanted("aws-core"), "{state}");
        assert_eq!((report.counts.total_iac, report.counts.matched_count, report.counts.changed_count), (39, 12, 21));
        assert_eq!((report.counts.missing_count, report.counts.extra_count, report.counts.unchecked_count), (6, 15, 0));
    }
}

#[test]
fn an_untouched_account_shows_nothing() {
    for state in ["terraform.tfstate", "terraform.raw.tfstate"] {
        let report = report(declared("aws-clean", state), live("aws-clean"));
        assert_eq!(reported(&report), BTreeSet::new(), "{state}");
        assert_eq!((report.counts.matched_count, report.coverage_pct.to_string().as_str()), (40, "100"));
    }
}

#[test]
fn the_values_are_those_that_terraform_names() {
    let report = report(declared("aws-core", "terraform.tfstate"), live("aws-core"));
    let oracle = json("aws-core", "oracle.json");
    let mut compared = 0;
    for entry in oracle["managed"].as_array().unwrap() {
        let item = report.items.iter().find(|i| i.address.as_deref() == entry["address"].as_str()).unwrap();
        assert_eq!(item.region.as_deref(), entry["region"].as_str(), "{:?}", item.address);
        for path in entry["paths"].as_array().unwrap() {
            let change = item.changes.iter().find(|c| c.path == path["path"].as_str().unwrap()).unwrap();
            let (before, after) = if path["set"] == true { ("removed", "added") } else { ("before", "after") };
            assert_eq!(
                (&change.declared, &change.live),
                (&path[before], &path[after]),
                "{:?} {}",
                item.address,
                change.path
            );
            compared += 1;
        }
    }
    assert!(compared > 20);
}

#[test]
fn the_order_of_the_streams_does_not_matter() {
    let (mut declared, mut live) = (declared("aws-core", "terraform.tfstate"), live("aws-core"));
    let first = report(declared.clone(), live.clone());
    declared.reverse();
    live.reverse();
    let second = report(declared, live);
    assert_eq!(serde_json::to_string(&first).unwrap(), serde_json::to_string(&second).unwrap());
}
