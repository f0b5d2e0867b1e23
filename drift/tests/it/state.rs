//! States as they come: of every version, broken, encrypted, odd.

use std::io::{self, Read};
use std::ops::ControlFlow;

use drift::DeclaredResource;
use drift::declared::Status;
use drift::sensitive::SensitiveKey;
use drift::state::{self, Limits, StateError, StateSummary};
use serde_json::{Value, json};

const KEY: SensitiveKey = SensitiveKey::new([9; 32]);

fn read(text: impl AsRef<[u8]>) -> Result<(StateSummary, Vec<DeclaredResource>), StateError> {
    read_within(text, &Limits::default())
}

fn read_within(text: impl AsRef<[u8]>, limits: &Limits) -> Result<(StateSummary, Vec<DeclaredResource>), StateError> {
    let mut resources = Vec::new();
    let sink = |r| {
        resources.push(r);
        ControlFlow::Continue(())
    };
    let summary = state::read(text.as_ref(), limits, &KEY, sink)?;
    Ok((summary, resources))
}

fn refusal(text: impl AsRef<[u8]>) -> StateError {
    read(text).unwrap_err()
}

fn state_of(resources: &Value) -> String {
    json!({"version": 4, "terraform_version": "1.11.4", "serial": 7, "lineage": "l", "outputs": {}, "resources": resources}).to_string()
}

fn block(instances: &Value) -> Value {
    json!({"mode": "managed", "type": "aws_vpc", "name": "v", "provider": "provider[\"registry.terraform.io/hashicorp/aws\"]", "instances": instances})
}

#[test]
fn what_is_no_json_is_refused_with_the_place() {
    let error = refusal("<Error><Code>AccessDenied</Code></Error>");
    assert!(matches!(error, StateError::NotJson { line: 1, column: 1, .. }), "{error}");
    assert!(matches!(refusal([0x1f, 0x8b, 8, 0, 0]), StateError::NotJson { .. }));
    assert!(matches!(refusal("{\"version\": 4,, }"), StateError::NotJson { .. }));
    assert!(matches!(refusal(format!("{}{{}}", state_of(&json!([])))), StateError::NotJson { .. }), "two documents");
}

#[test]
fn nothing_is_refused_as_nothing() {
    assert!(matches!(refusal(""), StateError::Empty));
    assert!(matches!(refusal(" \n "), StateError::Empty));
}

#[test]
fn every_cut_of_a_state_is_truncated() {
    let whole = state_of(&json!([block(&json!([{"attributes": {"id": "vpc-1", "tags": {"a": "b"}}}]))]));
    for length in 1..whole.len() {
        let error = refusal(&whole[..length]);
        assert!(matches!(error, StateError::Truncated { bytes } if bytes == length as u64), "{length}: {error}");
    }
}

#[test]
fn json_that_is_no_state_is_refused() {
    for text in ["[]", "4", "\"state\"", "null", "true"] {
        assert!(matches!(refusal(text), StateError::NotAState(_)), "{text}");
    }
    let error = refusal("{}");
    assert!(error.to_string().contains("version"), "{error}");
    assert!(matches!(refusal(r#"{"version": 4, "resources": {}}"#), StateError::NotAState(_)));
    let error = refusal(r#"{"format_version":"1.0","values":{}}"#);
    assert!(error.to_string().contains("terraform show -json"), "{error}");
}

#[test]
fn other_versions_are_named() {
    for (version, advice) in [(1, "terraform 0.12 or later"), (3, "terraform 0.12 or later"), (5, "reads version 4")] {
        let error = refusal(format!(r#"{{"version": {version}, "modules": []}}"#));
        assert!(matches!(&error, StateError::UnsupportedVersion(v) if *v == version), "{error}");
        assert!(error.to_string().contains(advice), "{error}");
    }
    assert!(!StateError::UnsupportedVersion(5).to_string().contains("0.12"));
}

#[test]
fn a_version_that_is_no_number_is_said_to_be_none() {
    for version in ["\"4\"", "null", "4.5", "-4", "[4]", "{}", "true"] {
        let error = refusal(format!(r#"{{"version": {version}, "modules": []}}"#));
        assert!(matches!(&error, StateError::NotAState(_)), "{error}");
        assert!(error.to_string().contains("must be a whole number"), "{error}");
    }
}

#[test]
fn a_mark_before_utf_8_is_skipped_and_utf_16_is_refused_by_name() {
    let text = state_of(&json!([block(&json!([{"attributes": {"id": "a"}}]))]));
    let marked = [&[0xef, 0xbb, 0xbf], text.as_bytes()].concat();
    let (summary, resources) = read(&marked).unwrap();
    assert_eq!((summary.bytes, resources.len()), (marked.len() as u64, 1));
    assert_ne!(summary.sha256, read(&text).unwrap().0.sha256, "the hash is of the bytes as they came");

    let units = |text: &str, bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<_>>();
    for mark in ["\u{feff}", ""] {
        let text = format!("{mark}{text}");
        for bytes in [units(&text, u16::to_le_bytes), units(&text, u16::to_be_bytes)] {
            let error = refusal(bytes);
            assert!(matches!(error, StateError::Utf16), "{error}");
            assert!(error.to_string().contains("-Encoding utf8"), "{error}");
        }
    }
}

#[test]
fn encrypted_states_are_called_so_wherever_the_marks_stand() {
    let whole = json!({"serial": 1, "lineage": "l", "meta": {"key_provider.pbkdf2.k": "e30="}, "encrypted_data": "AAAA", "encryption_version": "v0"});
    assert!(matches!(refusal(whole.to_string()), StateError::Encrypted(_)));
    assert!(matches!(refusal(r#"{"encryption_version":"v0"}"#), StateError::Encrypted(_)));
}

#[test]
fn limits_are_kept() {
    let text = state_of(&json!([block(
        &json!([{"index_key": 0, "attributes": {"id": "a"}}, {"index_key": 1, "attributes": {"id": "b"}}])
    )]));
    let few = Limits { max_resources: 1, ..Limits::default() };
    assert!(matches!(read_within(&text, &few), Err(StateError::TooManyResources { limit: 1 })));
    let small = Limits { max_bytes: 20, ..Limits::default() };
    assert!(matches!(read_within(&text, &small), Err(StateError::TooLarge { limit: 20 })));
    let exact = Limits { max_bytes: text.len() as u64, max_resources: 2, ..Limits::default() };
    assert_eq!(read_within(&text, &exact).unwrap().1.len(), 2);
}

#[test]
fn a_source_that_fails_is_not_a_bad_state() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("connection reset"))
        }
    }
    let error = state::read(Broken, &Limits::default(), &KEY, |_| ControlFlow::Continue(())).unwrap_err();
    assert!(matches!(&error, StateError::Io(_)), "{error}");
}

#[test]
fn the_sink_may_stop() {
    let text = state_of(&json!([block(&json!([{"attributes": {"id": "a"}}]))]));
    assert!(matches!(
        state::read(text.as_bytes(), &Limits::default(), &KEY, |_| ControlFlow::Break(())),
        Err(StateError::Stopped)
    ));
}

#[test]
fn the_summary_tells_what_was_read() {
    let text = state_of(&json!([
        block(&json!([{"attributes": {"id": "a"}}])),
        {"mode": "data", "type": "aws_region", "name": "r", "instances": [{"attributes": {}}, {"attributes": {}}]}
    ]));
    let (summary, resources) = read(&text).unwrap();
    assert_eq!(
        (summary.format_version, summary.serial, summary.resource_count, summary.data_count),
        (4, Some(7), 1, 2)
    );
    assert_eq!((summary.terraform_version.as_deref(), summary.lineage.as_deref()), (Some("1.11.4"), Some("l")));
    assert_eq!((summary.bytes, summary.sha256.len(), resources.len()), (text.len() as u64, 64, 1));
    assert_eq!(summary.sha256, read(&text).unwrap().0.sha256);
    assert_ne!(summary.sha256, read(format!("{text}\n")).unwrap().0.sha256);
}

#[test]
fn one_bad_resource_sinks_nothing() {
    let text = state_of(&json!([
        block(&json!([{"attributes": {"id": "good"}}, {"index_key": {"a": 1}, "attributes": {}}, "text", 5, {"index_key": 2}, {"index_key": 3, "attributes": []},
            {"index_key": "k", "attributes": {"id": "good too"}}])),
        "no resource", null, [1, [2]], 7,
        {"mode": "managed", "name": "n", "instances": [{"attributes": {}}]},
        {"mode": "managed", "type": "aws_vpc", "name": "w", "instances": {"a": 1}},
        {"mode": "unheard-of", "type": "aws_vpc", "name": "u", "instances": []},
        {"type": "aws_vpc", "name": "m", "instances": []},
        {"mode": "managed", "type": "aws_vpc", "name": "none", "instances": null}
    ]));
    let (summary, resources) = read(&text).unwrap();
    let ids: Vec<_> = resources.iter().map(|r| r.provider_resource_id.as_deref().unwrap()).collect();
    assert_eq!(ids, ["good", "good too"]);
    let failures: Vec<_> = summary.parse_failures.iter().map(|f| f.address.as_str()).collect();
    assert_eq!(
        failures,
        [
            "aws_vpc.v",
            "aws_vpc.v",
            "aws_vpc.v",
            "aws_vpc.v[2]",
            "aws_vpc.v[3]",
            "resources[1]",
            "resources[2]",
            "resources[3]",
            "resources[4]",
            "?.n",
            "aws_vpc.w",
            "aws_vpc.u",
            "aws_vpc.m",
            "aws_vpc.none"
        ]
    );
    let two = Limits { max_listed_failures: 2, ..Limits::default() };
    let summary = read_within(&text, &two).unwrap().0;
    assert_eq!((summary.parse_failure_count, summary.parse_failures.len()), (14, 2));
}

#[test]
fn keys_may_come_in_any_order() {
    // As `jq -S` writes it: instances before type, version last.
    let text = r#"{"lineage":"l","resources":[{"instances":[{"attributes":{"id":"vpc-1"},"index_key":"a.b"}],"mode":"managed","module":"module.m[\"x\"]","name":"v",
        "provider":"module.m.provider[\"registry.terraform.io/hashicorp/aws\"].eu","type":"aws_vpc"}],"serial":1,"version":4}"#;
    let (_, resources) = read(text).unwrap();
    assert_eq!(resources[0].address, r#"module.m["x"].aws_vpc.v["a.b"]"#);
    assert_eq!(resources[0].provider, "module.m.registry.terraform.io/hashicorp/aws.eu");
}

#[test]
fn tainted_and_deposed_are_told() {
    let text = state_of(&json!([block(&json!([
        {"status": "tainted", "attributes": {"id": "a"}},
        {"deposed": "0a1b2c3d", "attributes": {"id": "b"}},
        {"attributes": {"id": "c"}}
    ]))]));
    let statuses: Vec<_> = read(&text).unwrap().1.into_iter().map(|r| (r.address, r.status)).collect();
    assert_eq!(statuses[0], ("aws_vpc.v".into(), Status::Tainted));
    assert_eq!(statuses[1], ("aws_vpc.v (deposed object 0a1b2c3d)".into(), Status::Deposed("0a1b2c3d".into())));
    assert_eq!(statuses[2].1, Status::Ready);
}

#[test]
fn opentofu_names_providers_with_instances_and_adds_identities() {
    let text = state_of(
        &json!([{"mode": "managed", "type": "aws_sqs_queue", "name": "q", "provider": "provider[\"registry.opentofu.org/hashicorp/aws\"]", "instances": [
            {"index_key": "eu", "provider": "provider[\"registry.opentofu.org/hashicorp/aws\"].by_region[\"eu-west-1\"]", "schema_version": 0,
             "attributes": {"id": "u"}, "sensitive_attributes": [], "identity_schema_version": 0, "identity": {"url": "u"}, "dependencies": ["a.b"]}
        ]}]),
    );
    let (_, resources) = read(&text).unwrap();
    assert_eq!(resources[0].provider, "registry.opentofu.org/hashicorp/aws.by_region[\"eu-west-1\"]");
}

#[test]
fn flat_attributes_are_understood() {
    let text = state_of(&json!([block(
        &json!([{"attributes_flat": {"id": "vpc-1", "tags.%": "1", "tags.Name": "x", "cidr_block": "10.0.0.0/8"}}])
    )]));
    let (_, resources) = read(&text).unwrap();
    assert_eq!(resources[0].attributes["tags"], json!({"Name": "x"}));
}

#[test]
fn secrets_do_not_survive_reading() {
    let text = state_of(
        &json!([{"mode": "managed", "type": "aws_db_instance", "name": "d", "provider": "p", "instances": [{
            "attributes": {"id": "db", "password": "correct horse", "username": "staple", "tags": {"Pin": "1234"}},
            "sensitive_attributes": [[{"type": "get_attr", "value": "username"}], [{"type": "get_attr", "value": "tags"}, {"type": "index", "value": {"value": "Pin", "type": "string"}}]]
        }]}]),
    );
    let (_, resources) = read(&text).unwrap();
    let stored = serde_json::to_string(&resources).unwrap();
    for secret in ["correct horse", "staple", "1234"] {
        assert!(!stored.contains(secret), "{stored}");
    }
    assert_eq!(resources[0].sensitive_paths, ["password", "tags.Pin", "username"]);
    assert_eq!(serde_json::from_str::<Vec<DeclaredResource>>(&stored).unwrap(), resources);
}
