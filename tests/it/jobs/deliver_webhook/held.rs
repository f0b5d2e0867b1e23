//! What holds deliveries back: pauses, limits, failing; and that none of it is a failure.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jobs::audit::{By, Origin};
use jobs::db::webhook_endpoint::{self, Activity};
use jobs::domain::DeliveryStatus;
use jobs::webhooks::endpoint;
use tokio::sync::Semaphore;

use super::scene::{Scene, actor};
use crate::support::{Receiver, Reply, eventually};

#[tokio::test]
async fn a_pause_holds_deliveries_back_and_costs_them_nothing() {
    let (receiver, other) = (Receiver::content().await, Receiver::content().await);
    let scene = Scene::new().await;
    let subscriber = scene.subscriber(&receiver.url, &["scan.*"]).await;
    let beside = scene.subscriber(&other.url, &["scan.*"]).await;
    scene.set(&subscriber, Activity::Paused).await;
    let events = [scene.event().await, scene.event().await, scene.event().await];
    for event in events {
        // The other endpoint shows that the worker has been there.
        scene.until(scene.delivery(event, &beside).await, DeliveryStatus::Delivered).await;
        let held = scene.look(scene.delivery(event, &subscriber).await).await;
        assert_eq!((held.status, held.attempts), (DeliveryStatus::Pending, 0));
    }
    assert_eq!(receiver.connections(), 0);
    scene.set(&subscriber, Activity::Active).await;
    for event in events {
        let id = scene.delivery(event, &subscriber).await;
        let delivered = scene.until(id, DeliveryStatus::Delivered).await;
        assert_eq!((delivered.attempts, scene.attempts(id).await.len()), (1, 1));
    }
    let endpoint = scene.endpoint(&subscriber).await;
    assert_eq!((endpoint.consecutive_failures, endpoint.failed_deliveries), (0, 0));
}

#[tokio::test]
async fn an_endpoint_gets_no_more_at_once_than_it_wants_and_hangs_up_nobody_else() {
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    let slow = Receiver::start(move |_, _| Reply::Held(Arc::clone(&held))).await;
    let fast = Receiver::content().await;
    let scene = Scene::new().await;
    let slow_one = scene.subscriber_with(&slow.url, &["scan.*"], |settings| settings.max_in_flight = 2).await;
    let fast_one = scene.subscriber(&fast.url, &["scan.*"]).await;
    let mut events = Vec::new();
    for _ in 0..8 {
        events.push(scene.event().await);
    }
    for event in &events {
        scene.until(scene.delivery(*event, &fast_one).await, DeliveryStatus::Delivered).await;
    }
    eventually("two are open", async || (slow.most_open() >= 2).then_some(())).await;
    let in_flight = scene.delivery(events[0], &slow_one).await;
    scene.until(in_flight, DeliveryStatus::InFlight).await;
    gate.add_permits(usize::MAX >> 4);
    for event in &events {
        let id = scene.delivery(*event, &slow_one).await;
        scene.hurried(id, DeliveryStatus::Delivered).await;
    }
    assert_eq!(slow.most_open(), 2);
}

#[tokio::test]
async fn a_rate_is_kept_after_a_second_s_worth() {
    let receiver = Receiver::content().await;
    let scene = Scene::new().await;
    let rate = 10.0;
    let subscriber = scene.subscriber_with(&receiver.url, &["scan.*"], |settings| settings.rate = Some(rate)).await;
    let started = Instant::now();
    let mut last = Vec::new();
    for _ in 0..30 {
        last.push(scene.send(&subscriber).await);
    }
    for id in last {
        scene.until(id, DeliveryStatus::Delivered).await;
    }
    // The first ten at once, the other twenty at the rate.
    assert!(started.elapsed() > Duration::from_millis(1_900), "30 deliveries in {:?}", started.elapsed());
    assert_eq!(receiver.count(), 30);
}

#[tokio::test]
async fn who_keeps_failing_gets_one_at_a_time_until_one_succeeds() {
    let receiver = Receiver::start(|nth, _| Reply::Status(if nth < 5 { 500 } else { 200 })).await;
    let scene = Scene::new().await;
    let subscriber = scene.subscriber(&receiver.url, &["scan.*"]).await;
    assert_eq!(scene.room(&subscriber).await, 10);
    let id = scene.send(&subscriber).await;
    for attempts in 1..=5 {
        eventually("another attempt", async || {
            let due = "UPDATE job SET run_at = now() WHERE claimed_by IS NULL";
            sqlx::query(due).execute(&scene.world.pool).await.unwrap();
            (scene.attempts(id).await.len() >= attempts).then_some(())
        })
        .await;
        if attempts < 5 {
            assert_eq!(scene.room(&subscriber).await, 10, "after {attempts}");
        } else if receiver.count() == 5 {
            assert_eq!(scene.room(&subscriber).await, 1);
        }
    }
    scene.hurried(id, DeliveryStatus::Delivered).await;
    assert_eq!(scene.room(&subscriber).await, 10);
    assert_eq!(scene.endpoint(&subscriber).await.consecutive_failures, 0);
}

#[tokio::test]
async fn five_days_and_fifty_failed_deliveries_disable_an_endpoint_and_less_does_not() {
    let receiver = Receiver::start(|_, _| Reply::Status(500)).await;
    let scene = Scene::new().await;
    let age = |days: &'static str, failed: &'static str| -> &'static str {
        Box::leak(
            format!(
                "UPDATE webhook_endpoint SET failing_since = now() - interval '{days}', failed_deliveries = {failed} WHERE id = $1"
            )
            .into_boxed_str(),
        )
    };
    for (days, failed, disabled) in [("6 days", "48", false), ("4 days", "500", false), ("6 days", "49", true)] {
        let subscriber = scene.subscriber(&receiver.url, &["scan.*"]).await;
        scene.sql(age(days, failed), &subscriber).await;
        let id = scene.send(&subscriber).await;
        scene.until_tried(id, 1).await;
        let endpoint = if disabled {
            eventually("it is disabled", async || {
                Some(scene.endpoint(&subscriber).await).filter(|endpoint| endpoint.disabled_at.is_some())
            })
            .await
        } else {
            scene.until(id, DeliveryStatus::Failed).await;
            scene.endpoint(&subscriber).await
        };
        assert_eq!(endpoint.disabled_reason.is_some(), disabled, "{days}, {failed}");
        if disabled {
            // What was planned for it is not sent, and says so.
            let ended = eventually("the rest is cancelled", async || {
                let due = "UPDATE job SET run_at = now() WHERE claimed_by IS NULL AND concurrency_group = $1";
                sqlx::query(due).bind(subscriber.id.to_string()).execute(&scene.world.pool).await.unwrap();
                let delivery = scene.look(id).await;
                let because = delivery.last_error.as_deref().unwrap_or_default();
                let is_over = delivery.status == DeliveryStatus::Failed && because.starts_with("cancelled");
                is_over.then_some(delivery)
            })
            .await;
            assert_eq!(ended.next_attempt_at, None);
            assert_eq!(scene.attempts(id).await.len(), 1, "no attempt was spent on it");
        }
    }
}

#[tokio::test]
async fn a_deleted_endpoint_gets_nothing_more_and_its_history_stays() {
    let receiver = Receiver::start(|_, _| Reply::Status(500)).await;
    let scene = Scene::new().await;
    let subscriber = scene.subscriber(&receiver.url, &["scan.*"]).await;
    let id = scene.send(&subscriber).await;
    scene.until(id, DeliveryStatus::Failed).await;
    let mut tx = scene.world.pool.begin().await.unwrap();
    let before = webhook_endpoint::lock(&mut tx, scene.world.org, subscriber.id).await.unwrap().expect("an endpoint");
    endpoint::delete(&mut tx, By { actor: &actor(), origin: &Origin::default() }, &before).await.unwrap();
    tx.commit().await.unwrap();

    let cancelled = scene.look(id).await;
    assert_eq!((cancelled.status, cancelled.next_attempt_at), (DeliveryStatus::Failed, None));
    assert_eq!(cancelled.last_error.as_deref(), Some("cancelled: the endpoint was deleted"));
    scene.event().await;
    eventually("its jobs end", async || {
        sqlx::query("UPDATE job SET run_at = now() WHERE claimed_by IS NULL").execute(&scene.world.pool).await.unwrap();
        (scene.world.number("SELECT count(*) FROM job").await == 0).then_some(())
    })
    .await;
    assert_eq!((receiver.count(), scene.attempts(id).await.len()), (1, 1));
    assert_eq!(scene.world.number("SELECT count(*) FROM webhook_delivery").await, 1);
    assert_eq!(scene.world.number("SELECT count(*) FROM dead_job").await, 0);
}
