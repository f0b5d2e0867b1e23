//! Workers that are killed in the middle: what the subscriber sees, and what the log says.

use std::sync::Arc;

use jobs::domain::DeliveryStatus;
use scheduler::maintenance::webhook_deliveries::{Config, WebhookDeliveries};
use scheduler::maintenance::{Ground, Service as _};
use tokio::sync::Semaphore;

use super::scene::{Scene, table};
use crate::support::process::{MASTER_KEY, Running};
use crate::support::{Plumbline, Receiver, Reply, eventually};

/// The real executable as a worker.
fn worker(scene: &Scene) -> Running {
    Plumbline::new(&["worker", "--queues", "webhooks"])
        .env("DATABASE_URL", &scene.world.url)
        .env("PLUMBLINE_MASTER_KEY", MASTER_KEY)
        .env("PLUMBLINE_ARTIFACTS", scene.world.folder.path().to_str().unwrap())
        .env("PLUMBLINE_ALLOW_NETWORKS", "127.0.0.0/8")
        .start()
}

#[tokio::test]
async fn a_worker_killed_between_posting_and_writing_it_down_is_followed_by_the_same_message_again() {
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    // The first request is received whole; its answer never comes.
    let receiver =
        Receiver::start(move |nth, _| if nth == 0 { Reply::Held(Arc::clone(&held)) } else { Reply::Status(200) }).await;
    let scene = Scene::idle().await;
    let subscriber = scene.subscriber(&receiver.url, &["scan.*"]).await;
    let mut first = worker(&scene);
    let id = scene.send(&subscriber).await;
    eventually("it is received", async || (receiver.count() == 1).then_some(())).await;
    assert_eq!(scene.look(id).await.status, DeliveryStatus::InFlight);
    first.kill();
    // As if its lease had run out.
    sqlx::query("UPDATE worker SET beat_at = now() - interval '1 hour'").execute(&scene.world.pool).await.unwrap();

    let _second = worker(&scene);
    let delivered = scene.until(id, DeliveryStatus::Delivered).await;
    insta::assert_snapshot!(table(&scene.attempts(id).await));
    let requests = receiver.received();
    assert_eq!((requests.len(), delivered.attempts), (2, 2));
    assert_eq!(requests[0].header("webhook-id"), requests[1].header("webhook-id"));
    assert_eq!(requests[0].body, requests[1].body);
    assert!(requests.iter().all(|request| request.is_signed_by(&subscriber.secret)));
    assert_eq!(scene.endpoint(&subscriber).await.consecutive_failures, 0, "nobody blames the endpoint");
}

#[tokio::test]
async fn a_delivery_whose_last_attempt_is_lost_with_its_worker_is_given_up() {
    let gate = Arc::new(Semaphore::new(0));
    let receiver = Receiver::start(move |_, _| Reply::Held(Arc::clone(&gate))).await;
    let scene = Scene::idle().await;
    let subscriber = scene.subscriber(&receiver.url, &["scan.*"]).await;
    let id = scene.send(&subscriber).await;
    sqlx::query("UPDATE job SET attempt = max_attempts - 1").execute(&scene.world.pool).await.unwrap();
    let mut first = worker(&scene);
    eventually("it is received", async || (receiver.count() == 1).then_some(())).await;
    first.kill();
    sqlx::query("UPDATE worker SET beat_at = now() - interval '1 hour'").execute(&scene.world.pool).await.unwrap();
    let _second = worker(&scene);
    eventually("its job is dead", async || {
        (scene.world.number("SELECT count(*) FROM dead_job WHERE reason = 'worker_lost'").await == 1).then_some(())
    })
    .await;
    let service = WebhookDeliveries::new(&Ground::new(scene.world.pool.clone()), Config::default()).unwrap();
    assert_eq!(service.run_once().await.unwrap().deliveries, 1);
    let dead = scene.look(id).await;
    assert_eq!((dead.status, dead.next_attempt_at), (DeliveryStatus::Dlq, None));
    assert_eq!(dead.last_error_class.as_deref(), Some("unrecorded"));
    assert_eq!(service.run_once().await.unwrap().deliveries, 0);
}
