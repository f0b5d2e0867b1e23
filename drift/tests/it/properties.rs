//! What holds for any inputs.

use crate::support::{declared, lines, live_in, report};
use drift::{DeclaredResource, LiveResource};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

const REGIONS: &[&str] = &["eu-west-1", "us-east-1"];

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3i64..1000).prop_map(Value::from),
        "[a-z0-9]{0,4}".prop_map(Value::from),
        Just(json!("{\"Statement\":[{\"Action\":[\"a:b\",\"a:c\"],\"Effect\":\"Allow\"}]}")),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-z_]{1,3}", inner, 0..3)
                .prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

/// Attributes of some type, real names among them so that sets, maps and blocks occur.
fn attributes() -> impl Strategy<Value = Map<String, Value>> {
    let names = prop::sample::select(vec![
        "ingress",
        "route",
        "environment",
        "layers",
        "subnet_ids",
        "policy",
        "description",
        "attribute",
        "ttl",
        "size",
        "password",
    ]);
    let tags = prop::collection::btree_map("[a-z.]{1,3}", "[a-z]{0,2}", 0..3);
    (prop::collection::btree_map(names, value(), 0..5), tags).prop_map(|(m, tags)| {
        let mut map: Map<String, Value> = m.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
        map.insert("tags".into(), json!(tags));
        map
    })
}

fn resource() -> impl Strategy<Value = (&'static str, u8, &'static str, Map<String, Value>)> {
    let types = vec![
        "aws_security_group",
        "aws_route_table",
        "aws_lambda_function",
        "aws_dynamodb_table",
        "aws_sqs_queue",
        "aws_iam_role",
        "aws_unheard_of",
    ];
    (prop::sample::select(types), 0u8..6, prop::sample::select(REGIONS), attributes())
}

fn as_declared(
    n: usize,
    (provider_type, id, region, attributes): (&str, u8, &str, Map<String, Value>),
) -> DeclaredResource {
    let mut attributes = attributes;
    attributes.insert("id".into(), json!(format!("x{id}")));
    let mut declared = declared(&format!("{provider_type}.r{n}"), &Value::Object(attributes));
    declared.region = declared.region.or(Some(region.to_owned()));
    declared
}

fn as_live((provider_type, id, region, properties): (&str, u8, &str, Map<String, Value>)) -> LiveResource {
    live_in(region, provider_type, &format!("x{id}"), &Value::Object(properties))
}

fn twin(declared: &DeclaredResource) -> LiveResource {
    let id = declared.provider_resource_id.clone().unwrap_or_default();
    live_in(
        declared.region.as_deref().unwrap_or("eu-west-1"),
        &declared.provider_type,
        &id,
        &Value::Object(declared.attributes.clone()),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    /// What is live exactly as declared is no drift.
    #[test]
    fn the_same_on_both_sides_is_no_drift(resources in prop::collection::vec(resource(), 0..8)) {
        let declared: Vec<_> = resources.into_iter().enumerate().map(|(n, r)| as_declared(n, r)).collect();
        let mut seen = std::collections::BTreeSet::new();
        let declared: Vec<_> = declared.into_iter().filter(|d| seen.insert((d.provider_type.clone(), d.region.clone(), d.provider_resource_id.clone()))).collect();
        let live = declared.iter().map(twin).collect();
        let report = report(declared, live);
        prop_assert_eq!(lines(&report), Vec::<String>::new());
        prop_assert_eq!(report.counts.noise_filtered, 0);
    }

    /// The order in which either side arrives does not matter, down to the bytes.
    #[test]
    fn order_does_not_matter(
        resources in prop::collection::vec(resource(), 0..10),
        lives in prop::collection::vec(resource(), 0..10),
        seed in any::<u64>(),
    ) {
        let declared: Vec<_> = resources.into_iter().enumerate().map(|(n, r)| as_declared(n, r)).collect();
        let live: Vec<_> = lives.into_iter().map(as_live).collect();
        let first = report(declared.clone(), live.clone());
        let second = report(shuffled(declared, seed), shuffled(live, seed.rotate_left(7)));
        prop_assert_eq!(serde_json::to_string(&first).unwrap(), serde_json::to_string(&second).unwrap());
    }

    /// Every declared and every live resource is accounted for, and the report survives its own JSON.
    #[test]
    fn nothing_is_lost(resources in prop::collection::vec(resource(), 0..10), lives in prop::collection::vec(resource(), 0..10)) {
        let declared: Vec<_> = resources.into_iter().enumerate().map(|(n, r)| as_declared(n, r)).collect();
        let count = declared.len() as u64;
        let live: Vec<_> = lives.into_iter().map(as_live).collect();
        let report = report(declared, live);
        let c = report.counts;
        prop_assert_eq!(c.total_iac, count);
        prop_assert_eq!(c.changed_count + c.missing_count + c.extra_count, report.items.len() as u64);
        prop_assert!(c.extra_count <= c.total_live);
        let text = serde_json::to_string(&report).unwrap();
        prop_assert_eq!(serde_json::from_str::<drift::compare::Report>(&text).unwrap(), report);
    }
}

fn shuffled<T>(mut items: Vec<T>, mut seed: u64) -> Vec<T> {
    for i in (1..items.len()).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let j = usize::try_from((seed >> 33) % (i as u64 + 1)).unwrap_or_default();
        items.swap(i, j);
    }
    items
}
