//! States: refused with the reason that a person needs and nothing half-stored, or stored once.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use jobs::domain::StateSourceKind;
use jobs::ids::StateSourceId;
use jobs::kinds::refresh_state_source::{RefreshStateSource, Refreshed};
use jobs::queue::Waited;
use serde_json::{Value, json};

use super::world::{World, done, failure};
use crate::support::faults::{Fault, Proxy};
use crate::support::moto::{Moto, Server};

/// Nobody there: no test of uploads asks a cloud.
const NOWHERE: &str = "http://127.0.0.1:9";

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn refreshed(waited: Waited) -> Refreshed {
    serde_json::from_value(done(waited)).unwrap()
}

/// A state of as many resources as wanted.
fn state_with(resources: usize) -> Vec<u8> {
    let instance = |n: usize| {
        json!({
            "mode": "managed", "type": "aws_sqs_queue", "name": format!("q{n}"),
            "provider": "provider[\"registry.terraform.io/hashicorp/aws\"]",
            "instances": [{"schema_version": 0, "attributes": {"id": format!("q{n}"), "name": format!("q{n}")}}],
        })
    };
    let resources: Vec<Value> = (0..resources).map(instance).collect();
    let state = json!({
        "version": 4, "terraform_version": "1.11.4", "serial": 3, "lineage": "l", "outputs": {}, "resources": resources,
    });
    serde_json::to_vec(&state).unwrap()
}

/// Files below a folder.
fn files(folder: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries.map(|entry| if entry.path().is_dir() { files(&entry.path()) } else { 1 }).sum()
}

#[tokio::test]
async fn a_state_that_cannot_be_read_is_refused_by_name_and_nothing_of_it_stays() {
    let world = World::new(NOWHERE).await;
    let source = world.add_source(StateSourceKind::Upload, Some(world.account), &json!({})).await;
    let whole = state_with(2_000);
    let mut late_version = state_with(1_200);
    let text = String::from_utf8(late_version.clone()).unwrap().replacen("\"version\":4", "\"x\":4", 1);
    late_version = format!("{},\"version\":3}}", text.trim_end_matches('}')).into_bytes();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("state_empty", Vec::new()),
        ("state_not_json", b"terraform {}".to_vec()),
        ("state_malformed", b"[1]".to_vec()),
        ("state_version_unsupported", br#"{"version":3,"modules":[]}"#.to_vec()),
        // Its version comes last, after resources that were stored by then.
        ("state_version_unsupported", late_version),
        (
            "state_encrypted",
            br#"{"serial":1,"lineage":"l","meta":{},"encrypted_data":"x","encryption_version":"v0"}"#.to_vec(),
        ),
        ("state_truncated", whole[..whole.len() - 20].to_vec()),
        ("state_truncated", gzip(&whole)[..2_000].to_vec()),
    ];
    for (class, bytes) in cases {
        let (found, message, details) = failure(world.upload(source, bytes).await);
        assert_eq!((found.as_str(), details), (class, Some(json!({ "field": "state" }))), "{message}");
        let row = world.source(source).await;
        assert_eq!((row.last_fetch_error.as_deref(), row.latest_snapshot_id), (Some(message.as_str()), None));
        assert_eq!(world.number("SELECT count(*) FROM declared_resource").await, 0, "{class}");
        assert_eq!(world.number("SELECT count(*) FROM state_snapshot").await, 0, "{class}");
    }
    assert_eq!(files(world.folder.path()), 0, "uploads were left behind");
}

#[tokio::test]
async fn a_state_of_300_megabytes_is_refused_by_its_plain_size() {
    let world = World::new(NOWHERE).await;
    let source = world.add_source(StateSourceKind::Upload, None, &json!({})).await;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(b"{\"version\":4,\"x\":\"").unwrap();
    let megabyte = vec![b'a'; 1 << 20];
    for _ in 0..300 {
        encoder.write_all(&megabyte).unwrap();
    }
    encoder.write_all(b"\"}").unwrap();
    let (class, message, _) = failure(world.upload(source, encoder.finish().unwrap()).await);
    assert_eq!(class, "state_too_large", "{message}");
}

#[tokio::test]
async fn a_state_with_nul_in_its_texts_is_stored_without() {
    let world = World::new(NOWHERE).await;
    let source = world.add_source(StateSourceKind::Upload, Some(world.account), &json!({})).await;
    let state = json!({
        "version": 4, "terraform_version": "1.11\u{0}", "serial": 3, "lineage": "l\u{0}", "outputs": {},
        "resources": [{
            "mode": "managed", "type": "aws_\u{0}", "name": "q\u{0}", "module": "module.\u{0}", "provider": "p\u{0}",
            "instances": [{"schema_version": 0, "attributes": {"id": "\u{0}", "arn": "arn:\u{0}", "\u{0}": "\u{0}"}}, {"index_key": {}}],
        }],
    });
    let read = refreshed(world.upload(source, serde_json::to_vec(&state).unwrap()).await);
    assert_eq!(read.resource_count, 1);
    let stored: (String, String) =
        sqlx::query_as("SELECT lineage, terraform_version FROM state_snapshot").fetch_one(&world.pool).await.unwrap();
    assert_eq!(stored, ("l\u{fffd}".to_owned(), "1.11\u{fffd}".to_owned()));
}

#[tokio::test]
async fn a_mark_before_utf_8_is_no_harm_and_utf_16_is_named() {
    let world = World::new(NOWHERE).await;
    let source = world.add_source(StateSourceKind::Upload, Some(world.account), &json!({})).await;
    let marked = [&[0xef, 0xbb, 0xbf], &state_with(3)[..]].concat();
    assert_eq!(refreshed(world.upload(source, marked.clone()).await).resource_count, 3);
    assert!(!refreshed(world.upload(source, gzip(&marked)).await).refreshed);
    let text = String::from_utf8(marked).unwrap();
    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let (class, message, _) = failure(world.upload(source, wide).await);
    assert!(class == "state_not_json" && message.contains("UTF-16"), "{class}: {message}");
}

#[tokio::test]
async fn the_same_bytes_are_stored_once_compressed_or_not() {
    let world = World::new(NOWHERE).await;
    let source = world.add_source(StateSourceKind::Upload, Some(world.account), &json!({})).await;
    let state = state_with(1_234);
    let first = refreshed(world.upload(source, state.clone()).await);
    assert_eq!((first.refreshed, first.resource_count), (true, 1_234));
    for bytes in [state.clone(), gzip(&state)] {
        let again = refreshed(world.upload(source, bytes).await);
        assert_eq!(
            (again.refreshed, again.snapshot_id, &again.content_hash),
            (false, first.snapshot_id, &first.content_hash)
        );
        assert!(again.last_fetched_at > first.last_fetched_at);
    }
    assert_eq!(world.number("SELECT count(*) FROM declared_resource").await, 1_234);

    let other = refreshed(world.upload(source, state_with(7)).await);
    assert!(other.refreshed && other.snapshot_id != first.snapshot_id);
    let back = refreshed(world.upload(source, state).await);
    assert_eq!((back.refreshed, back.snapshot_id), (true, first.snapshot_id), "an old version is the latest again");
    assert_eq!(world.number("SELECT count(*) FROM state_snapshot").await, 2);
    assert_eq!(world.source(source).await.latest_snapshot_id, Some(first.snapshot_id));
    assert_eq!(files(world.folder.path()), 0, "uploads were left behind");
}

#[tokio::test]
async fn secrets_of_a_state_are_nowhere_in_the_database() {
    let world = World::new(NOWHERE).await;
    let source = world.add_source(StateSourceKind::Upload, Some(world.account), &json!({})).await;
    let state = json!({
        "version": 4, "terraform_version": "1.11.4", "serial": 3, "lineage": "l", "outputs": {},
        "resources": [{
            "mode": "managed", "type": "aws_db_instance", "name": "db",
            "provider": "provider[\"registry.terraform.io/hashicorp/aws\"]",
            "instances": [{"schema_version": 2, "attributes": {"id": "db", "password": "hunter2"},
                "sensitive_attributes": [[{"type": "get_attr", "value": "password"}]]}],
        }],
    });
    refreshed(world.upload(source, serde_json::to_vec(&state).unwrap()).await);
    assert_eq!(world.number("SELECT count(*) FROM declared_resource WHERE resource::text LIKE '%hunter2%'").await, 0);
    assert_eq!(
        world.number("SELECT count(*) FROM declared_resource WHERE resource::text LIKE '%$sensitive%'").await,
        1
    );
}

#[tokio::test]
async fn what_cannot_be_fetched_says_why() {
    let world = World::new(NOWHERE).await;
    let refresh = |id| RefreshStateSource { org_id: world.org, state_source_id: id, artifact: None };
    let unknown = refresh(StateSourceId::new());
    assert_eq!(failure(world.run(&unknown).await).0, "not_found");
    let upload = world.add_source(StateSourceKind::Upload, None, &json!({})).await;
    assert_eq!(failure(world.run(&refresh(upload)).await).0, "upload_required");
    let gcs = world.add_source(StateSourceKind::Gcs, None, &json!({"bucket": "b", "object": "o"})).await;
    assert_eq!(failure(world.run(&refresh(gcs)).await).0, "kind_unsupported");
    let odd = world.add_source(StateSourceKind::S3, Some(world.account), &json!({"bucket": 1})).await;
    assert_eq!(failure(world.run(&refresh(odd)).await).0, "config_invalid");
    let away = json!({"bucket": "states", "key": "a.tfstate", "region": "us-east-1"});
    let away = world.add_source(StateSourceKind::S3, Some(world.account), &away).await;
    assert_eq!(failure(world.run(&refresh(away)).await).0, "backend_unreachable");
    assert!(world.source(away).await.last_fetch_error.is_some());
    let gone = RefreshStateSource { artifact: Some("states/gone".to_owned()), ..refresh(upload) };
    assert_eq!(failure(world.run(&gone).await).0, "artifact_unavailable");
}

#[tokio::test]
async fn a_bucket_says_that_it_lacks_the_state_or_keeps_it_to_itself() {
    let moto = Moto::start(Server::Plain, "aws-core", &[]);
    let proxy =
        Proxy::start(&moto.url, |call| (call.service == "s3" && call.region == "eu-west-1").then_some(Fault::Denied))
            .await;
    let world = World::new(&proxy.url).await;
    let source = async |region: &str| {
        let config = json!({"bucket": "no-such-bucket", "key": "a.tfstate", "region": region});
        let id = world.add_source(StateSourceKind::S3, Some(world.account), &config).await;
        RefreshStateSource { org_id: world.org, state_source_id: id, artifact: None }
    };
    let missing = source("us-east-1").await;
    assert_eq!(failure(world.run(&missing).await).0, "state_missing");
    let since = world.source(missing.state_source_id).await.missing_since.expect("a time");
    assert_eq!(failure(world.run(&missing).await).0, "state_missing");
    assert_eq!(world.source(missing.state_source_id).await.missing_since, Some(since), "missing since the first time");

    let denied = source("eu-west-1").await;
    assert_eq!(failure(world.run(&denied).await).0, "backend_denied");
    assert_eq!(world.source(denied.state_source_id).await.missing_since, None);
}
