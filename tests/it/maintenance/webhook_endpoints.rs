//! Endpoints that have failed for too long and get no more attempts.

use jobs::db::webhook_endpoint::Activity;
use scheduler::maintenance::webhook_endpoints::{Config, Disabled, WebhookEndpoints};
use scheduler::maintenance::{Ground, Service as _};

use super::number;
use crate::jobs::deliver_webhook::scene::{Scene, Subscriber};

/// Nobody listens, and nobody is to be called.
const URL: &str = "http://127.0.0.1:9/hook";

const FAILING: &str =
    "UPDATE webhook_endpoint SET failing_since = now() - interval '121 hours', failed_deliveries = 50,
                              consecutive_failures = 60 WHERE id = $1";

fn service(scene: &Scene, most: u32) -> WebhookEndpoints {
    WebhookEndpoints::new(&Ground::new(scene.world.pool.clone()), Config { most, ..Config::default() }).unwrap()
}

async fn failing(scene: &Scene) -> Subscriber {
    let subscriber = scene.subscriber(URL, &["scan.*"]).await;
    scene.sql(FAILING, &subscriber).await;
    subscriber
}

#[tokio::test]
async fn less_time_fewer_failures_a_pause_and_what_is_over_already_disable_nothing() {
    let scene = Scene::idle().await;
    for change in [
        "UPDATE webhook_endpoint SET failing_since = now() - interval '119 hours' WHERE id = $1",
        "UPDATE webhook_endpoint SET failed_deliveries = 49 WHERE id = $1",
        "UPDATE webhook_endpoint SET failing_since = NULL WHERE id = $1",
        "UPDATE webhook_endpoint SET deleted_at = now() WHERE id = $1",
        "UPDATE webhook_endpoint SET disabled_at = now(), disabled_reason = 'it answered 410 Gone' WHERE id = $1",
    ] {
        let subscriber = failing(&scene).await;
        scene.sql(change, &subscriber).await;
    }
    // Its owner may be mending it, and it gets no chance to succeed.
    let paused = failing(&scene).await;
    scene.set(&paused, Activity::Paused).await;
    scene.sql(FAILING, &paused).await;
    assert_eq!(service(&scene, 100).run_once().await.unwrap(), Disabled::default());
    let disabled = "SELECT count(*) FROM webhook_endpoint WHERE disabled_at IS NOT NULL";
    assert_eq!(number(&scene.world.pool, disabled).await, 1, "the one that was");
}

#[tokio::test]
async fn it_is_disabled_with_the_reason_that_a_failing_delivery_gives_and_the_others_and_the_audit_log_hear_of_it() {
    let scene = Scene::idle().await;
    let subscriber = failing(&scene).await;
    let other = scene.subscriber(URL, &["webhook.*"]).await;
    assert_eq!(service(&scene, 100).run_once().await.unwrap(), Disabled { endpoints: 1, has_more: false });
    let endpoint = scene.endpoint(&subscriber).await;
    assert_eq!(endpoint.disabled_reason.as_deref(), Some("no delivery has succeeded for 5 days"));
    assert_eq!(scene.world.events().await, ["webhook.disabled"]);
    let told: i64 = sqlx::query_scalar("SELECT count(*) FROM webhook_delivery WHERE endpoint_id = $1")
        .bind(other.id.uuid())
        .fetch_one(&scene.world.pool)
        .await
        .unwrap();
    assert_eq!(told, 1);
    let audited =
        "SELECT count(*) FROM audit_event WHERE action = 'webhook_endpoint.disabled' AND actor_kind = 'system'";
    assert_eq!(number(&scene.world.pool, audited).await, 1);
    assert_eq!(service(&scene, 100).run_once().await.unwrap(), Disabled::default(), "once");
}

#[tokio::test]
async fn each_is_a_transaction_of_its_own_and_two_at_once_disable_each_once() {
    let scene = Scene::idle().await;
    for _ in 0..5 {
        failing(&scene).await;
    }
    assert_eq!(service(&scene, 2).run_once().await.unwrap(), Disabled { endpoints: 2, has_more: true });
    let (one, two) = (service(&scene, 100), service(&scene, 100));
    let (one, two) = tokio::join!(one.run_once(), two.run_once());
    assert_eq!(one.unwrap().endpoints + two.unwrap().endpoints, 3);
    assert_eq!(scene.world.events().await.len(), 5);
}
