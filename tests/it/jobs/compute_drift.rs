//! Drift of a scan: refused when it cannot be right, stored once, told once.

use jobs::domain::{RunStatus, StateSourceKind};
use jobs::kinds::compute_drift::ComputeDrift;
use jobs::queue::{Options, Waited};
use jobs::scans;
use serde_json::json;

use super::world::{World, done, failure, state_of};
use crate::support::moto::{Moto, Server};

const REGIONS: &[&str] = &["us-east-1", "eu-west-1"];

#[tokio::test]
async fn a_scan_that_is_not_done_or_that_a_newer_one_has_overtaken_cannot_be_compared() {
    let moto = Moto::start(Server::Fixture, "aws-clean", &["apply"]);
    let mut world = World::idle(&moto.url).await;
    let pending = world.request_scan(REGIONS).await;
    let options = Options::default();
    let asked = scans::request_drift(&mut *world.conn().await, world.org, pending.id, &options).await.unwrap();
    assert_eq!(asked, None);
    world.start_worker();
    let early = world.ended(pending.id).await;
    let failed = world.scan(&["mars-1"]).await;
    assert_eq!(failed.status, RunStatus::Error);
    let compute = |scan_id| ComputeDrift { org_id: world.org, scan_id };
    assert_eq!(failure(world.run(&compute(failed.id)).await).0, "scan_not_done");
    done(world.run(&compute(early.id)).await);

    let late = world.scan(REGIONS).await;
    let before = world.drift(early.id).await;
    let (class, message, details) = failure(world.run(&compute(early.id)).await);
    assert_eq!((class.as_str(), details), ("scan_superseded", Some(json!({ "newer_scan_id": late.id }))));
    assert!(message.contains(&late.id.to_string()));
    assert_eq!(world.drift(early.id).await, before, "what was computed stays");
    let run = world.run_of(early.id).await;
    assert_eq!((run.drift_status, run.drift_error), (Some(RunStatus::Done), Some(message)));
}

#[tokio::test]
async fn drift_is_stored_with_its_items_and_computing_again_replaces_it() {
    let moto = Moto::start(Server::Fixture, "aws-core", &["apply", "tamper"]);
    let world = World::new(&moto.url).await;
    world.uploaded("aws-core").await;
    let run = world.scan(REGIONS).await;
    assert_eq!((run.status, run.drift_status), (RunStatus::Done, Some(RunStatus::Done)), "{run:#?}");
    let first = world.drift(run.id).await;
    let items = world.items(run.id).await;
    let of = |kind: &str| i32::try_from(items.iter().filter(|item| item["kind"] == kind).count()).unwrap();
    assert_eq!(
        (first.counts.changed, first.counts.missing, first.counts.extra),
        (of("changed"), of("missing"), of("extra"))
    );
    assert_eq!(
        (run.changed_count, run.missing_count, run.new_count),
        (Some(of("changed")), Some(of("missing")), Some(of("extra")))
    );
    assert!(of("changed") > 0 && of("missing") > 0 && of("extra") > 0, "{first:#?}");
    let changed = items.iter().find(|item| item["kind"] == "changed").unwrap();
    assert_eq!(changed["cloud_account_id"], json!(world.account));
    assert!(changed["changes"][0]["path"].is_string() && changed["address"].is_string());
    assert_eq!(world.events().await, ["scan.completed", "drift.detected"]);

    let job = ComputeDrift { org_id: world.org, scan_id: run.id };
    done(world.run(&job).await);
    assert_eq!(world.items(run.id).await, items, "the same inputs give the same items");
    let second = world.drift(run.id).await;
    assert_eq!((second.counts, &second.report), (first.counts, &first.report));
    assert_eq!(world.number("SELECT count(*) FROM drift_snapshot").await, 1);
    assert_eq!(world.events().await, ["scan.completed", "drift.detected"], "told once");
}

#[tokio::test]
async fn a_clean_account_has_none_and_its_end_is_told() {
    let moto = Moto::start(Server::Fixture, "aws-clean", &["apply"]);
    let world = World::new(&moto.url).await;
    let without_state = world.scan(REGIONS).await;
    let drift = world.drift(without_state.id).await;
    assert!(drift.counts.extra > 0 && drift.counts.total_iac == 0, "nothing is declared yet");
    world.uploaded("aws-clean").await;
    let run = world.scan(REGIONS).await;
    let drift = world.drift(run.id).await;
    assert!(!drift.counts.has_drift(), "{:#?}", world.items(run.id).await);
    assert_eq!((drift.counts.total_iac, drift.risk_level.as_str()), (40, "none"));
    assert_eq!(world.events().await, ["scan.completed", "drift.detected", "scan.completed", "drift.cleared"]);
}

#[tokio::test]
async fn a_deleted_source_is_not_compared_and_one_of_all_accounts_is() {
    let moto = Moto::start(Server::Fixture, "aws-clean", &["apply"]);
    let world = World::new(&moto.url).await;
    let source = world.add_source(StateSourceKind::Upload, None, &json!({})).await;
    done(world.upload(source, state_of("aws-clean")).await);
    let run = world.scan(REGIONS).await;
    assert_eq!(world.drift(run.id).await.counts.total_iac, 40);
    jobs::db::state_source::delete(&mut *world.conn().await, world.org, source).await.unwrap();
    done(world.run(&ComputeDrift { org_id: world.org, scan_id: run.id }).await);
    let drift = world.drift(run.id).await;
    assert!(drift.counts.total_iac == 0 && drift.counts.extra > 0);
}

#[tokio::test]
async fn what_a_shared_source_declares_elsewhere_is_not_missing_here() {
    let moto = Moto::start(Server::Plain, "aws-core", &[]);
    let world = World::new(&moto.url).await;
    let queue = |name: &str, account: &str| {
        let arn = format!("arn:aws:sqs:us-east-1:{account}:{name}");
        let url = format!("https://sqs.us-east-1.amazonaws.com/{account}/{name}");
        json!({
            "mode": "managed", "type": "aws_sqs_queue", "name": name,
            "provider": "provider[\"registry.terraform.io/hashicorp/aws\"]",
            "instances": [{"schema_version": 0, "attributes": {"id": url, "url": url, "arn": arn, "name": name}}],
        })
    };
    let state = json!({
        "version": 4, "terraform_version": "1.11.4", "serial": 1, "lineage": "l", "outputs": {},
        "resources": [queue("here", "123456789012"), queue("elsewhere", "210987654321")],
    });
    let source = world.add_source(StateSourceKind::Upload, None, &json!({})).await;
    done(world.upload(source, serde_json::to_vec(&state).unwrap()).await);
    let run = world.scan(&["us-east-1"]).await;
    let counts = world.drift(run.id).await.counts;
    assert_eq!((counts.missing, counts.unknown), (1, 1), "{:#?}", world.items(run.id).await);
    let items = world.items(run.id).await;
    let missing = items.iter().find(|item| item["kind"] == "missing").unwrap();
    assert_eq!(missing["address"], "aws_sqs_queue.here");
}

#[tokio::test]
async fn a_request_that_waits_joins_the_computation_that_is_under_way() {
    let moto = Moto::start(Server::Fixture, "aws-clean", &["apply"]);
    let mut world = World::new(&moto.url).await;
    let run = world.scan(REGIONS).await;
    world.stop_worker().await;
    let options = Options::default();
    let mut conn = world.conn().await;
    let first = scans::request_drift(&mut conn, world.org, run.id, &options).await.unwrap().expect("a job");
    let second = scans::request_drift(&mut conn, world.org, run.id, &options).await.unwrap().expect("a job");
    assert_eq!(first, second);
    assert_eq!(world.run_of(run.id).await.drift_status, Some(RunStatus::Pending));
    world.start_worker();
    assert!(matches!(world.outcome(first).await, Waited::Done(_)));
    assert_eq!(world.run_of(run.id).await.drift_status, Some(RunStatus::Done));
}
