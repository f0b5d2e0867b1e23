//! Sending deliveries again: one, and many of an endpoint's, whatever dies in the middle.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use jobs::audit::{By, Origin};
use jobs::db::webhook_replay::{self, NewReplay, WebhookReplay};
use jobs::domain::{BatchState, DeliveryStatus, ReplayWhich};
use jobs::ids::{DeliveryId, OrgId};
use jobs::webhooks::replay::{self, Replay};
use tokio::sync::Semaphore;

use super::deliver_webhook::scene::{Scene, Subscriber, actor, table};
use crate::support::{Receiver, Reply, eventually};

const REPLAYED: &str = "SELECT count(*) FROM audit_event WHERE action = 'webhook_delivery.replayed'";

async fn one(scene: &Scene, org: OrgId, id: DeliveryId) -> Replay {
    let mut tx = scene.world.pool.begin().await.unwrap();
    let done = replay::one(&mut tx, By { actor: &actor(), origin: &Origin::default() }, org, id).await.unwrap();
    tx.commit().await.unwrap();
    done
}

async fn many(scene: &Scene, of: &Subscriber, since: DateTime<Utc>, which: ReplayWhich) -> Option<WebhookReplay> {
    let mut tx = scene.world.pool.begin().await.unwrap();
    let actor = actor();
    let new = NewReplay {
        org_id: scene.world.org,
        endpoint_id: of.id,
        since,
        until: None,
        which,
        actor: &actor,
        origin: &Origin::default(),
    };
    let begun = replay::many(&mut tx, &new).await.unwrap();
    tx.commit().await.unwrap();
    begun
}

async fn look(scene: &Scene, replay: &WebhookReplay) -> WebhookReplay {
    let key = (replay.org_id, replay.endpoint_id);
    webhook_replay::get(&mut *scene.world.conn().await, key, replay.id).await.unwrap().expect("a replay")
}

#[tokio::test]
async fn a_delivery_is_sent_again_under_the_same_id_whatever_became_of_it() {
    let receiver = Receiver::start(|nth, _| Reply::Status(if nth == 1 { 500 } else { 200 })).await;
    let scene = Scene::new().await;
    let subscriber = scene.subscriber(&receiver.url, &["scan.*"]).await;
    let id = scene.send(&subscriber).await;
    scene.until(id, DeliveryStatus::Delivered).await;
    // Delivered, then waiting for a retry.
    assert_eq!(one(&scene, scene.world.org, id).await, Replay::Begun);
    scene.until(id, DeliveryStatus::Failed).await;
    assert_eq!(one(&scene, scene.world.org, id).await, Replay::Begun);
    let delivered = scene.until(id, DeliveryStatus::Delivered).await;
    assert_eq!(delivered.attempts, 1, "with a fresh budget");
    insta::assert_snapshot!(table(&scene.attempts(id).await), @r"
    1 event 200 - | - | -
    2 replay 500 http_status | the endpoint answered 500 Internal Server Error | -
    3 replay 200 - | - | -
    ");
    let ids: Vec<String> = receiver.received().iter().map(|r| r.header("webhook-id").to_owned()).collect();
    assert_eq!(ids, vec![format!("evt_{}", delivered.event_id); 3]);
    assert_eq!(scene.world.number(REPLAYED).await, 2);
}

#[tokio::test]
async fn a_dead_delivery_comes_back_with_its_dead_letter() {
    let broken = Arc::new(AtomicBool::new(true));
    let mended = Arc::clone(&broken);
    let receiver =
        Receiver::start(move |_, _| Reply::Status(if mended.load(Ordering::SeqCst) { 500 } else { 200 })).await;
    let scene = Scene::new().await;
    let subscriber = scene.subscriber(&receiver.url, &["scan.*"]).await;
    let id = scene.send(&subscriber).await;
    scene.hurried(id, DeliveryStatus::Dlq).await;
    broken.store(false, Ordering::SeqCst);
    assert_eq!(one(&scene, scene.world.org, id).await, Replay::Begun);
    scene.until(id, DeliveryStatus::Delivered).await;
    eventually("the dead letter is gone", async || {
        (scene.world.number("SELECT count(*) FROM dead_job").await == 0).then_some(())
    })
    .await;
    assert_eq!(scene.attempts(id).await.len(), 11);
}

#[tokio::test]
async fn what_is_in_flight_or_somebody_elses_is_left_alone_and_nothing_is_written_down() {
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    let receiver = Receiver::start(move |_, _| Reply::Held(Arc::clone(&held))).await;
    let scene = Scene::new().await;
    let subscriber = scene.subscriber(&receiver.url, &["scan.*"]).await;
    let id = scene.send(&subscriber).await;
    eventually("it is in flight", async || (receiver.count() == 1).then_some(())).await;
    assert_eq!(one(&scene, scene.world.org, id).await, Replay::InFlight);
    assert_eq!(one(&scene, OrgId::new(), id).await, Replay::Absent);
    assert_eq!(one(&scene, scene.world.org, DeliveryId::new()).await, Replay::Absent);
    assert_eq!(scene.world.number(REPLAYED).await, 0);
    gate.add_permits(100);
    let delivered = scene.hurried(id, DeliveryStatus::Delivered).await;
    assert_eq!(delivered.attempts, i16::try_from(receiver.count()).unwrap());
}

/// Deliveries that were given up, an hour to 500 minutes ago, by rows alone.
async fn give_up(scene: &Scene, subscriber: &Subscriber, count: i32) {
    for sql in [
        "INSERT INTO event (id, org_id, event_type, data, occurred_at)
         SELECT gen_random_uuid(), $1, 'scan.failed', '{}', now() - n * interval '1 minute' FROM generate_series(1, $2) n WHERE $3::uuid IS NOT NULL",
        "INSERT INTO webhook_delivery (id, org_id, endpoint_id, event_id, event_type, trigger, state, job_id, next_attempt_at)
         SELECT gen_random_uuid(), $1, $3, id, event_type, 'event', 'dlq', gen_random_uuid(), NULL
           FROM event WHERE event_type = 'scan.failed' AND $2 > 0",
        "INSERT INTO dead_job (id, tenant, kind, queue, priority, attempt, max_attempts, payload, unique_key, concurrency_group,
                               reason, error_class, error)
         SELECT job_id, org_id, 'deliver_webhook', 'webhooks', 50, 10, 10,
                json_build_object('org_id', org_id, 'endpoint_id', endpoint_id, 'delivery_id', id)::text, id::text,
                endpoint_id::text, 'attempts_exhausted', 'http_status', 'x'
           FROM webhook_delivery WHERE org_id = $1 AND $2 > 0 AND endpoint_id = $3",
    ] {
        let query = sqlx::query(sql).bind(scene.world.org.uuid()).bind(count);
        query.bind(subscriber.id.uuid()).execute(&scene.world.pool).await.unwrap();
    }
}

#[tokio::test]
async fn five_hundred_failed_ones_since_a_time_are_each_sent_once_though_the_worker_dies_in_the_middle() {
    let receiver = Receiver::content().await;
    let mut scene = Scene::idle().await;
    let subscriber = scene.subscriber(&receiver.url, &["scan.*"]).await;
    give_up(&scene, &subscriber, 1_200).await;
    let delivered = scene.send(&subscriber).await;
    let since = Utc::now() - TimeDelta::minutes(500) - TimeDelta::seconds(30);
    let begun = many(&scene, &subscriber, since, ReplayWhich::Failed).await.expect("a replay");
    assert!(many(&scene, &subscriber, since, ReplayWhich::Failed).await.is_none(), "one at a time");

    // A step that is undone: the transaction of a worker that dies in it.
    let mut lost = scene.world.pool.begin().await.unwrap();
    assert!(!replay::slice(&mut lost, scene.world.org, begun.id).await.unwrap());
    lost.rollback().await.unwrap();
    scene.world.start_worker();
    let done = eventually("the replay is through", async || {
        Some(look(&scene, &begun).await).filter(|replay| replay.finished_at.is_some())
    })
    .await;
    assert_eq!((done.state, done.replayed, done.in_flight), (BatchState::Done, 500, 0));
    eventually("all are delivered", async || {
        let left = "SELECT count(*) FROM webhook_delivery WHERE state = 'pending'";
        (scene.world.number(left).await == 0).then_some(())
    })
    .await;
    scene.until(delivered, DeliveryStatus::Delivered).await;
    let mut ids: Vec<String> = receiver.received().iter().map(|r| r.header("webhook-id").to_owned()).collect();
    assert_eq!(ids.len(), 501);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 501, "each once");
    assert_eq!(scene.world.number(REPLAYED).await, 500);
    assert_eq!(scene.world.number("SELECT count(*) FROM webhook_delivery WHERE state = 'dlq'").await, 700);
    eventually("their dead letters are gone", async || {
        (scene.world.number("SELECT count(*) FROM dead_job").await == 700).then_some(())
    })
    .await;
}

#[tokio::test]
async fn everything_since_a_time_includes_what_was_never_sent() {
    let receiver = Receiver::content().await;
    let scene = Scene::new().await;
    // Nobody listens yet.
    let missed = scene.event().await;
    let subscriber = scene.subscriber(&receiver.url, &["scan.*"]).await;
    let seen = scene.send(&subscriber).await;
    scene.until(seen, DeliveryStatus::Delivered).await;
    let since = Utc::now() - TimeDelta::hours(1);
    let begun = many(&scene, &subscriber, since, ReplayWhich::All).await.expect("a replay");
    eventually("three are received", async || (receiver.count() == 3).then_some(())).await;
    let late = scene.delivery(missed, &subscriber).await;
    scene.until(late, DeliveryStatus::Delivered).await;
    assert_eq!(scene.attempts(late).await[0].trigger.as_str(), "replay");
    let done = look(&scene, &begun).await;
    assert_eq!((done.state, done.replayed), (BatchState::Done, 2));
}
