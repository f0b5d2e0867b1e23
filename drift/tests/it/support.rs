//! Building both sides of a comparison in few words.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use drift::compare::{Declared, Inputs, Kind, Report, Settings, Unreadable, compare};
use drift::declared::Status;
use drift::rules::{Catalogue, OrgRules, Policy};
use drift::sensitive::SensitiveKey;
use drift::{DeclaredResource, LiveResource, region};
use serde_json::{Map, Value};

pub const KEY: SensitiveKey = SensitiveKey::new([5; 32]);
pub const AWS: &str = "registry.terraform.io/hashicorp/aws";

static SHIPPED: LazyLock<(Catalogue, Policy)> = LazyLock::new(|| {
    let catalogue = Catalogue::load().unwrap();
    let policy = Policy::new(&catalogue, &OrgRules::default()).unwrap();
    (catalogue, policy)
});

static KNOWN: LazyLock<BTreeSet<String>> = LazyLock::new(|| drift::schema::known_types().map(str::to_owned).collect());

pub fn map(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// A declared resource, `TYPE.NAME` and its attributes, with `id` and `arn` taken from them.
pub fn declared(address: &str, attributes: &Value) -> DeclaredResource {
    let provider_type = address.split('.').next().unwrap();
    let text = |name: &str| attributes[name].as_str().map(str::to_owned);
    DeclaredResource {
        address: address.to_owned(),
        provider_type: provider_type.to_owned(),
        provider: AWS.to_owned(),
        provider_resource_id: text("id"),
        arn: text("arn"),
        region: region::of_attributes(provider_type, &map(attributes)),
        attributes: map(attributes),
        sensitive_paths: Vec::new(),
        status: Status::Ready,
    }
}

/// A live resource of eu-west-1, or global where its type is.
pub fn live(provider_type: &str, id: &str, properties: &Value) -> LiveResource {
    live_in("eu-west-1", provider_type, id, properties)
}

pub fn live_in(place: &str, provider_type: &str, id: &str, properties: &Value) -> LiveResource {
    LiveResource {
        provider_type: provider_type.to_owned(),
        provider_resource_id: id.to_owned(),
        arn: properties["arn"].as_str().map(str::to_owned),
        name: None,
        region: if region::is_global(provider_type) { "global".to_owned() } else { place.to_owned() },
        properties: map(properties),
        managed_by: None,
        part_of: None,
    }
}

/// What differs from the usual: everything readable, nothing unreadable, all regions, shipped rules.
#[derive(Default)]
pub struct Circumstances {
    pub readable: Option<Vec<&'static str>>,
    pub unreadable: Vec<Unreadable>,
    pub regions: Option<Vec<&'static str>>,
    pub rules: OrgRules,
}

pub fn report(declared: Vec<DeclaredResource>, live: Vec<LiveResource>) -> Report {
    report_under(&Circumstances::default(), declared, live)
}

pub fn report_under(circumstances: &Circumstances, declared: Vec<DeclaredResource>, live: Vec<LiveResource>) -> Report {
    let own;
    let policy = if circumstances.rules == OrgRules::default() {
        &SHIPPED.1
    } else {
        own = Policy::new(&SHIPPED.0, &circumstances.rules).unwrap();
        &own
    };
    let some: BTreeSet<String> = circumstances.readable.iter().flatten().map(|t| (*t).to_owned()).collect();
    let readable = if circumstances.readable.is_some() { &some } else { &*KNOWN };
    let regions: Option<BTreeSet<String>> =
        circumstances.regions.as_ref().map(|r| r.iter().map(|r| (*r).to_owned()).collect());
    let settings = Settings {
        readable_types: readable,
        unreadable: &circumstances.unreadable,
        regions: regions.as_ref(),
        account: Some("123456789012"),
        cloud_account_id: Some("account"),
        parse_failure_count: 0,
        policy,
        key: &KEY,
    };
    let declared = declared.into_iter().map(|resource| Declared { state_source_id: "source".into(), resource });
    let report = compare(Inputs { declared, live, settings });
    let c = report.counts;
    assert_eq!(
        c.total_iac,
        c.matched_count + c.changed_count + c.missing_count + c.unchecked_count + c.unknown_count,
        "{c:?}"
    );
    report
}

/// Everything reported, a line each: `changed ADDRESS PATH`, `missing ADDRESS`, `extra TYPE ID`.
pub fn lines(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    for item in &report.items {
        match item.kind {
            Kind::Changed => lines.extend(
                item.changes.iter().map(|c| format!("changed {} {}", item.address.as_deref().unwrap(), c.path)),
            ),
            Kind::Missing => lines.push(format!("missing {}", item.address.as_deref().unwrap())),
            Kind::Extra => {
                lines.push(format!("extra {} {}", item.provider_type, item.provider_resource_id.as_deref().unwrap()));
            }
        }
    }
    lines
}

/// Asserts what is reported, in any order.
pub fn assert_lines(report: &Report, wanted: &[&str]) {
    let mut got = lines(report);
    let mut wanted: Vec<String> = wanted.iter().map(|w| (*w).to_owned()).collect();
    got.sort();
    wanted.sort();
    assert_eq!(got, wanted);
}
