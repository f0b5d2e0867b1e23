//! Scans: refused with a reason, partial, whole; twice, and two at once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jobs::db::scan_run::{Progress, StatusKind};
use jobs::domain::{RunStatus, StateSourceKind};
use jobs::ids::{CloudAccountId, LiveResourceId, ScanId};
use jobs::kinds::scan::Scan;
use jobs::queue::{Waited, control};
use jobs::scans;
use serde_json::json;
use uuid::Uuid;

use super::world::{ACCESS_KEY, World, state_of};
use crate::support::eventually;
use crate::support::faults::{Fault, Proxy};
use crate::support::moto::{Moto, Server};

/// Rows by type and id: the row's id and status.
async fn rows(world: &World) -> BTreeMap<(String, String, String), (LiveResourceId, String)> {
    let rows: Vec<(String, String, String, Uuid, String)> = sqlx::query_as(
        "SELECT provider_type, region, provider_resource_id, id, status FROM live_resource WHERE cloud_account_id = $1",
    )
    .bind(world.account.uuid())
    .fetch_all(&world.pool)
    .await
    .unwrap();
    let entry =
        |(name, region, cloud_id, id, status): (_, _, _, Uuid, _)| ((name, region, cloud_id), (id.into(), status));
    rows.into_iter().map(entry).collect()
}

#[tokio::test]
async fn a_region_that_does_not_exist_ends_the_run_with_its_name() {
    let moto = Moto::start(Server::Plain, "aws-core", &[]);
    let world = World::new(&moto.url).await;
    let run = world.scan(&["us-east-1", "mars-1"]).await;
    assert_eq!((run.status, run.status_kind()), (RunStatus::Error, Some(StatusKind::Failed)));
    assert_eq!(run.error_class.as_deref(), Some("region_unknown"));
    assert!(run.error.unwrap().contains("mars-1"));
    assert_eq!(run.scan_errors[0].error_class, "region_unknown");
    assert_eq!(world.number("SELECT count(*) FROM live_resource").await, 0);
    assert_eq!(world.events().await, ["scan.failed"]);
    // The run ends in a transaction of its own, a moment before its job does.
    let dead = async || (world.number("SELECT count(*) FROM dead_job").await == 1).then_some(());
    eventually("a dead job that an operator can replay", dead).await;
}

#[tokio::test]
async fn credentials_of_another_account_read_nothing() {
    let moto = Moto::start(Server::Plain, "aws-core", &[]);
    let world = World::new(&moto.url).await;
    let other = world.add_account("210987654321", ACCESS_KEY).await;
    let run = world.request_scan_of(other, &[]).await;
    let run = world.ended(run.id).await;
    assert_eq!(run.error_class.as_deref(), Some("account_mismatch"));
    assert_eq!(world.number("SELECT count(*) FROM live_resource").await, 0);
}

#[tokio::test]
async fn an_account_whose_every_call_is_denied_has_not_been_scanned() {
    let moto = Moto::start(Server::Plain, "aws-core", &[]);
    let asks_who = |service: &str, action: &str| service == "sts" || action == "DescribeRegions";
    let proxy =
        Proxy::start(&moto.url, move |call| (!asks_who(&call.service, &call.action)).then_some(Fault::Denied)).await;
    let world = World::new(&proxy.url).await;
    let run = world.scan(&["us-east-1"]).await;
    assert_eq!((run.status, run.error_class.as_deref()), (RunStatus::Error, Some("access_denied")), "{run:#?}");
    assert!(run.scan_errors.len() > 3, "each service is named");
    assert_eq!(world.events().await, ["scan.failed"]);
}

#[tokio::test]
async fn what_a_partial_scan_could_not_read_stays_as_it_was() {
    let moto = Moto::start(Server::Fixture, "aws-core", &["apply"]);
    let deny = Arc::new(AtomicBool::new(false));
    let denied = Arc::clone(&deny);
    let proxy = Proxy::start(&moto.url, move |call| {
        (call.service == "dynamodb" && denied.load(Ordering::Relaxed)).then_some(Fault::Denied)
    })
    .await;
    let world = World::new(&proxy.url).await;
    world.uploaded("aws-core").await;
    let whole = world.scan(&["us-east-1"]).await;
    assert_eq!(whole.status_kind(), Some(StatusKind::Ok), "{:#?}", whole.scan_errors);
    let before = rows(&world).await;
    assert!(before.keys().any(|key| key.0 == "aws_dynamodb_table"));

    deny.store(true, Ordering::Relaxed);
    let partial = world.scan(&["us-east-1"]).await;
    assert_eq!(partial.status_kind(), Some(StatusKind::Partial));
    assert_eq!(partial.scan_errors.len(), 1, "{:#?}", partial.scan_errors);
    let error = &partial.scan_errors[0];
    assert_eq!((error.service.as_str(), error.error_class.as_str()), ("dynamodb", "access_denied"));
    assert!(error.provider_types.contains(&"aws_dynamodb_table".to_owned()));
    assert_eq!(rows(&world).await, before, "neither gone nor under other ids");
    let items = world.items(partial.id).await;
    let missing =
        items.iter().filter(|item| item["kind"] == "missing" && item["provider_type"] == "aws_dynamodb_table");
    assert_eq!(missing.count(), 0);
    assert!(world.drift(partial.id).await.counts.unknown > 0);
    assert!(world.events().await.contains(&"scan.partial".to_owned()));
}

#[tokio::test]
async fn resources_keep_their_ids_change_and_go() {
    let untouched = Moto::start(Server::Fixture, "aws-core", &["apply"]);
    let tampered = Moto::start(Server::Fixture, "aws-core", &["apply", "tamper"]);
    let mut world = World::new(&untouched.url).await;
    world.scan(&["us-east-1"]).await;
    let before = rows(&world).await;

    world.stop_worker().await;
    world.services.cloud.endpoint_url = Some(tampered.url.clone());
    world.start_worker();
    let run = world.scan(&["us-east-1"]).await;
    let after = rows(&world).await;
    let kept = before.iter().all(|(key, (id, _))| after.get(key).is_some_and(|(same, _)| same == id));
    assert!(kept, "a resource lost its row or its id");
    assert!(after.len() > before.len(), "what was made by hand is found");
    let gone = after.values().filter(|(_, status)| status == "gone").count();
    assert!(gone >= 1, "what was deleted by hand is gone");
    let active = i32::try_from(after.len() - gone).unwrap();
    assert_eq!(run.resource_count, Some(active));
    let summary = run.result.expect("a summary");
    assert_eq!(summary["regions"], json!(["us-east-1"]));
    let account =
        jobs::db::cloud_account::get(&mut *world.conn().await, world.org, world.account).await.unwrap().unwrap();
    assert_eq!((account.live_resource_count, account.last_scan_id), (i64::from(active), Some(run.id)));
}

#[tokio::test]
async fn a_scan_of_one_region_leaves_the_others_alone() {
    let moto = Moto::start(Server::Fixture, "aws-core", &["apply"]);
    let world = World::new(&moto.url).await;
    world.scan(&["us-east-1"]).await;
    let before = rows(&world).await;
    world.scan(&["eu-west-1"]).await;
    let after = rows(&world).await;
    assert!(before.iter().all(|(key, row)| after.get(key) == Some(row)), "a region that was not read changed");
}

#[tokio::test]
async fn two_scans_of_an_account_take_turns_and_a_job_that_comes_again_changes_nothing() {
    let moto = Moto::start(Server::Fixture, "aws-clean", &["apply"]);
    let world = World::new(&moto.url).await;
    let (first, second) = (world.request_scan(&["us-east-1"]).await, world.request_scan(&["us-east-1"]).await);
    let (first, second) = (world.ended(first.id).await, world.ended(second.id).await);
    assert_eq!((first.status, second.status), (RunStatus::Done, RunStatus::Done));
    assert_eq!((first.drift_status, second.drift_status), (Some(RunStatus::Done), Some(RunStatus::Done)));
    let (early, late) = if first.started_at < second.started_at { (&first, &second) } else { (&second, &first) };
    assert!(early.finished_at <= late.started_at, "they ran at the same time");
    assert_eq!(world.number("SELECT count(*) FROM live_resource WHERE status = 'gone'").await, 0);

    let events = world.events().await;
    let job = Scan { org_id: world.org, scan_id: first.id };
    assert_eq!(world.run(&job).await, Waited::Done(serde_json::Value::Null));
    assert_eq!(world.run_of(first.id).await, first);
    assert_eq!(world.events().await, events);
    let unknown = Scan { org_id: world.org, scan_id: ScanId::new() };
    assert_eq!(world.run(&unknown).await, Waited::Cancelled);
}

#[tokio::test]
async fn a_stale_state_in_a_bucket_is_read_before_and_one_that_is_not_there_is_told() {
    let moto = Moto::start(Server::Fixture, "aws-clean", &["apply"]);
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let bucket = format!("{}/terraform-states", moto.url);
    http.put(&bucket).send().await.unwrap().error_for_status().unwrap();
    let object = format!("{bucket}/clean/terraform.tfstate");
    http.put(object).body(state_of("aws-clean")).send().await.unwrap().error_for_status().unwrap();
    let world = World::new(&moto.url).await;
    let at = |key: &str| json!({"bucket": "terraform-states", "key": key, "region": "us-east-1"});
    let there = world.add_source(StateSourceKind::S3, Some(world.account), &at("clean/terraform.tfstate")).await;
    let missing = world.add_source(StateSourceKind::S3, None, &at("other.tfstate")).await;

    let run = world.scan(&["us-east-1"]).await;
    assert_eq!(run.status_kind(), Some(StatusKind::Partial), "{:#?}", run.scan_errors);
    assert_eq!(run.scan_errors.len(), 1, "{:#?}", run.scan_errors);
    let error = &run.scan_errors[0];
    assert_eq!((error.service.as_str(), error.error_class.as_str()), ("state", "state_missing"));
    assert!(error.message.contains("never read"), "{}", error.message);
    assert!(world.source(missing).await.missing_since.is_some());
    let fetched = world.source(there).await;
    assert!(fetched.latest_snapshot_id.is_some());
    assert_eq!(world.drift(run.id).await.counts.total_iac, 40);

    let again = world.scan(&["us-east-1"]).await;
    assert_eq!(world.source(there).await.last_fetched_at, fetched.last_fetched_at, "fresh for five minutes");
    assert_eq!(again.scan_errors.len(), 1);
}

#[tokio::test]
async fn a_run_whose_job_was_cancelled_or_died_is_ended_by_reconciliation() {
    let world = World::idle("http://127.0.0.1:9").await;
    let waiting = world.request_scan(&[]).await;
    let cancelled = world.request_scan(&[]).await;
    let mut conn = world.conn().await;
    control::cancel(&mut conn, cancelled.job_id.unwrap(), "by the test").await.unwrap();
    let reconciled = scans::reconcile_stuck_runs(&mut conn, 100).await.unwrap();
    assert_eq!((reconciled.done.scans, reconciled.done.drifts, reconciled.next), (1, 0, None));
    let ended = world.run_of(cancelled.id).await;
    assert_eq!((ended.status, ended.error_class.as_deref()), (RunStatus::Error, Some("cancelled")));
    assert_eq!(world.run_of(waiting.id).await.status, RunStatus::Pending, "its job still waits");
    assert_eq!(scans::reconcile_stuck_runs(&mut conn, 100).await.unwrap().done.scans, 0);
    assert_eq!(world.events().await, ["scan.failed"]);
}

#[tokio::test]
async fn a_running_scan_tells_how_far_it_is() {
    let moto = Moto::start(Server::Fixture, "aws-clean", &["apply"]);
    let hold = Arc::new(AtomicBool::new(true));
    let held = Arc::clone(&hold);
    let proxy = Proxy::start(&moto.url, move |call| {
        (call.action == "DescribeVpcs" && held.load(Ordering::Relaxed)).then_some(Fault::Throttled)
    })
    .await;
    let world = World::new(&proxy.url).await;
    let run = world.request_scan(&["us-east-1"]).await;
    let progress: Progress = eventually("progress is told", async || {
        let progress = world.run_of(run.id).await.progress?.0;
        (progress.total > 0 && progress.done > 0).then_some(progress)
    })
    .await;
    assert_eq!(progress.phase, "discover");
    assert!(progress.done < progress.total);
    hold.store(false, Ordering::Relaxed);
    let ended = world.ended(run.id).await;
    assert_eq!((ended.status, ended.progress), (RunStatus::Done, None));
}

#[tokio::test]
async fn nobody_scans_another_organisation_s_account() {
    let world = World::idle("http://127.0.0.1:9").await;
    let request = scans::Request {
        org_id: jobs::ids::OrgId::new(),
        cloud_account_id: world.account,
        scan_type: jobs::domain::ScanType::Manual,
        filter_regions: &[],
        ci: None,
    };
    let options = jobs::queue::Options::default();
    assert_eq!(scans::request(&mut *world.conn().await, &request, &options).await.unwrap(), None);
    let absent = scans::Request { org_id: world.org, cloud_account_id: CloudAccountId::new(), ..request };
    assert_eq!(scans::request(&mut *world.conn().await, &absent, &options).await.unwrap(), None);
    assert_eq!(world.number("SELECT count(*) FROM job").await, 0);
}
