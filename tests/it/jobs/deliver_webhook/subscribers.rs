//! Who is told of what.

use jobs::domain::DeliveryStatus;
use jobs::events::EventType;
use jobs::ids::CloudAccountId;

use super::scene::Scene;
use crate::support::Receiver;

#[tokio::test]
async fn an_event_goes_to_those_who_asked_for_its_type_and_account() {
    let receiver = Receiver::content().await;
    let scene = Scene::new().await;
    let (account, another) = (scene.world.account, CloudAccountId::new());
    let _exact = scene.subscriber(&format!("{}/exact", receiver.url), &["scan.completed"]).await;
    let _group = scene.subscriber(&format!("{}/group", receiver.url), &["drift.*", "scan.*"]).await;
    let _other = scene.subscriber(&format!("{}/other", receiver.url), &["drift.detected"]).await;
    let mine = [account];
    let _mine = scene
        .subscriber_with(&format!("{}/mine", receiver.url), &["scan.*"], |settings| settings.cloud_account_ids = &mine)
        .await;
    for event in [
        scene.event_of(EventType::ScanCompleted, Some(account)).await,
        scene.event_of(EventType::ScanFailed, Some(another)).await,
        scene.event_of(EventType::ScanPartial, None).await,
        scene.event_of(EventType::DriftCleared, Some(account)).await,
        scene.event_of(EventType::ApiKeyCreated, None).await,
    ] {
        let ids: Vec<uuid::Uuid> = sqlx::query_scalar("SELECT id FROM webhook_delivery WHERE event_id = $1")
            .bind(event.uuid())
            .fetch_all(&scene.world.pool)
            .await
            .unwrap();
        for id in ids {
            scene.until(id.into(), DeliveryStatus::Delivered).await;
        }
    }
    let mut got: Vec<String> = receiver
        .received()
        .iter()
        .map(|request| format!("{} {}", request.target, request.json()["type"].as_str().unwrap()))
        .collect();
    got.sort();
    insta::assert_snapshot!(got.join("\n"), @r"
    /exact scan.completed
    /group drift.cleared
    /group scan.completed
    /group scan.failed
    /group scan.partial
    /mine scan.completed
    /mine scan.partial
    ");
    assert_eq!(scene.world.number("SELECT count(*) FROM event").await, 5, "events are kept also where nobody is told");
}

#[tokio::test]
async fn an_event_that_is_rolled_back_is_told_to_nobody() {
    let receiver = Receiver::content().await;
    let scene = Scene::idle().await;
    let _subscriber = scene.subscriber(&receiver.url, &["scan.*"]).await;
    let data = serde_json::json!({});
    let new = jobs::events::NewEvent {
        org_id: scene.world.org,
        event_type: EventType::ScanFailed,
        cloud_account_id: None,
        data: &data,
        also: &[],
    };
    let mut tx = scene.world.pool.begin().await.unwrap();
    jobs::events::record(&mut tx, new, jobs::events::Tell::Subscribers).await.unwrap();
    tx.rollback().await.unwrap();
    let left =
        "SELECT (SELECT count(*) FROM job) + (SELECT count(*) FROM event) + (SELECT count(*) FROM webhook_delivery)";
    assert_eq!(scene.world.number(left).await, 0);
}
