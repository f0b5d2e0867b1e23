//! What scans come to, for their schedule.

use jobs::db::webhook_endpoint::{self, Headers, Settings, StoredSecret};
use jobs::domain::Plan;
use jobs::ids::WebhookEndpointId;
use jobs::schedules::{MOST_FAILURES, Run};

use super::World;
use super::world::{DISABLED, fail};

#[tokio::test]
async fn five_firings_in_a_row_that_fail_switch_it_off() {
    let world = World::new(Plan::Enterprise).await;
    world.account().await;
    let schedule = world.schedule("0 * * * *", None).await;
    for round in 1..=MOST_FAILURES {
        assert!(matches!(world.run_now(schedule.id).await, Run::Started(_)));
        world.end_all(Some("the account's credential is refused")).await;
        let after = world.find(schedule.id).await;
        assert_eq!((after.consecutive_failures, after.enabled), (round, round < MOST_FAILURES));
        assert_eq!(after.last_error.as_deref(), Some("the account's credential is refused"));
    }
    let off = world.find(schedule.id).await;
    assert_eq!(off.next_run_at, None);
    let reason = off.disabled_reason.unwrap();
    assert_eq!(reason, "all scans of the last 5 firings failed, lastly: the account's credential is refused");
    let events = world.events().await;
    assert_eq!(events.iter().filter(|event| *event == DISABLED).count(), 1);
    let audited: (String, String) =
        sqlx::query_as("SELECT actor_kind, details->>'reason' FROM audit_event WHERE action = 'schedule.disabled'")
            .fetch_one(&world.db.pool)
            .await
            .unwrap();
    assert_eq!(audited, ("system".to_owned(), reason));

    // It can still be run by hand, and what fails then does not disable it again.
    assert!(matches!(world.run_now(schedule.id).await, Run::Started(_)));
    world.end_all(Some("still refused")).await;
    assert_eq!(world.number("SELECT count(*) FROM event WHERE event_type = 'schedule.disabled'").await, 1);
}

#[tokio::test]
async fn one_success_among_failures_begins_anew() {
    let world = World::new(Plan::Enterprise).await;
    for _ in 0..3 {
        world.account().await;
    }
    let schedule = world.schedule("0 * * * *", None).await;
    for _ in 1..MOST_FAILURES {
        world.run_now(schedule.id).await;
        world.end_all(Some("refused")).await;
    }
    assert_eq!(world.find(schedule.id).await.consecutive_failures, MOST_FAILURES - 1);
    world.run_now(schedule.id).await;
    let scans = world.open_scans().await;
    world.fail(&scans[0], "refused").await;
    world.fail(&scans[1], "throttled").await;
    assert_eq!(world.find(schedule.id).await.consecutive_failures, MOST_FAILURES - 1, "it is not over yet");
    world.finish(&scans[2]).await;
    let after = world.find(schedule.id).await;
    assert_eq!((after.consecutive_failures, after.enabled), (0, true));
    assert_eq!(after.last_error.as_deref(), Some("2 of 3 scans failed, one of them: throttled"));
    let firing = &world.firings(schedule.id).await[0];
    assert_eq!((firing.scans, firing.failed, firing.finished_at.is_some()), (3, Some(2), true));

    world.run_now(schedule.id).await;
    world.end_all(None).await;
    assert_eq!(world.find(schedule.id).await.last_error, None);
}

#[tokio::test]
async fn two_scans_that_end_at_once_are_counted_together() {
    let world = World::new(Plan::Enterprise).await;
    for _ in 0..8 {
        world.account().await;
    }
    let schedule = world.schedule("0 * * * *", None).await;
    for round in 1..=3 {
        world.run_now(schedule.id).await;
        let scans = world.open_scans().await;
        let ends = scans.iter().map(|scan| async {
            let mut tx = world.db.pool.begin().await.unwrap();
            fail(&mut tx, scan, "refused").await;
            tx.commit().await.unwrap();
        });
        futures::future::join_all(ends).await;
        assert_eq!(world.find(schedule.id).await.consecutive_failures, round);
        assert_eq!(world.firings(schedule.id).await[0].failed, Some(8));
    }
}

#[tokio::test]
async fn what_ends_after_its_schedule_is_deleted_is_nobodys_failure() {
    let world = World::new(Plan::Enterprise).await;
    world.account().await;
    let schedule = world.schedule("0 * * * *", None).await;
    world.run_now(schedule.id).await;
    sqlx::query("UPDATE schedule SET deleted_at = now(), next_run_at = NULL, consecutive_failures = 4")
        .execute(&world.db.pool)
        .await
        .unwrap();
    world.end_all(Some("refused")).await;
    assert_eq!(world.number("SELECT count(*) FROM event WHERE event_type = 'schedule.disabled'").await, 0);
    assert_eq!(world.number("SELECT consecutive_failures::bigint FROM schedule").await, 4);
}

async fn endpoint(world: &World, events: &[&str]) -> WebhookEndpointId {
    let id = WebhookEndpointId::new();
    let events: Vec<String> = events.iter().map(|&event| event.to_owned()).collect();
    let settings = Settings {
        url: "https://hooks.example.com/",
        description: "",
        events: &events,
        cloud_account_ids: &[],
        max_in_flight: 1,
        rate: None,
    };
    let (headers, secret) =
        (Headers { names: &[], sealed: None }, StoredSecret { sealed: b"sealed", prefix: "whsec_" });
    let mut conn = world.conn().await;
    webhook_endpoint::insert(&mut conn, (world.org, id), settings, headers, secret).await.unwrap().id
}

#[tokio::test]
async fn chosen_endpoints_are_told_once_whatever_they_have_asked_for() {
    let world = World::new(Plan::Enterprise).await;
    world.account().await;
    let (chosen, both) = (endpoint(&world, &["api_key.*"]).await, endpoint(&world, &["scan.*"]).await);
    let (other, gone) = (endpoint(&world, &["api_key.*"]).await, endpoint(&world, &["api_key.*"]).await);
    let schedule = world.schedule_telling("0 * * * *", None, &[chosen, both, gone]).await;
    sqlx::query("UPDATE webhook_endpoint SET deleted_at = now() WHERE id = $1")
        .bind(gone.uuid())
        .execute(&world.db.pool)
        .await
        .unwrap();
    world.run_now(schedule.id).await;
    world.end_all(None).await;
    let told: Vec<(uuid::Uuid, String)> =
        sqlx::query_as("SELECT endpoint_id, event_type FROM webhook_delivery ORDER BY endpoint_id")
            .fetch_all(&world.db.pool)
            .await
            .unwrap();
    let completed = |id: WebhookEndpointId| (id.uuid(), "scan.completed".to_owned());
    assert_eq!(told, [completed(chosen), completed(both)], "{other} has asked for nothing of it");
    for _ in 0..MOST_FAILURES {
        world.run_now(schedule.id).await;
        world.end_all(Some("refused")).await;
    }
    let told = "SELECT count(*) FROM webhook_delivery WHERE event_type = 'schedule.disabled'";
    assert_eq!(world.number(told).await, 2);
}
