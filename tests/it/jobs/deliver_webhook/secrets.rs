//! Secrets: rotation, and one that does not open.

use jobs::audit::{By, Origin};
use jobs::crypto::Keyring;
use jobs::db::webhook_endpoint;
use jobs::domain::DeliveryStatus;
use jobs::webhooks::endpoint::{self, ChangeError};

use super::scene::{Scene, Subscriber, actor, table};
use crate::support::{Receiver, eventually};

/// Rotates, and tells the new secret.
async fn rotate(scene: &Scene, subscriber: &Subscriber, grace_hours: i32) -> Result<String, ChangeError> {
    let mut tx = scene.world.pool.begin().await.unwrap();
    let endpoint = webhook_endpoint::lock(&mut tx, scene.world.org, subscriber.id).await.unwrap().expect("an endpoint");
    let (by, keyring) = (By { actor: &actor(), origin: &Origin::default() }, &scene.world.services.keyring);
    let made = endpoint::rotate(&mut tx, (by, keyring), &endpoint, grace_hours).await?;
    tx.commit().await.unwrap();
    Ok(made.secret.reveal())
}

/// Whether the next message is signed by each of these secrets, and by how many in all.
async fn signers(scene: &Scene, receiver: &Receiver, subscriber: &Subscriber, secrets: &[&str]) -> (Vec<bool>, usize) {
    let id = scene.send(subscriber).await;
    scene.until(id, DeliveryStatus::Delivered).await;
    let request = receiver.received().pop().expect("a request");
    let signed = secrets.iter().map(|secret| request.is_signed_by(secret)).collect();
    (signed, request.header("webhook-signature").split(' ').count())
}

#[tokio::test]
async fn while_a_secret_is_rotated_both_sign_and_afterwards_the_new_one_alone() {
    let receiver = Receiver::content().await;
    let scene = Scene::new().await;
    let subscriber = scene.subscriber(&receiver.url, &["scan.*"]).await;
    let old = subscriber.secret.clone();
    let new = rotate(&scene, &subscriber, 24).await.unwrap();
    assert_eq!(signers(&scene, &receiver, &subscriber, &[&old, &new]).await, (vec![true, true], 2));

    let refused = rotate(&scene, &subscriber, 24).await;
    assert!(matches!(refused, Err(ChangeError::InGrace(_))), "{refused:?}");
    assert_eq!(signers(&scene, &receiver, &subscriber, &[&old, &new]).await, (vec![true, true], 2));

    let over = "UPDATE webhook_endpoint SET previous_secret_expires_at = now() - interval '1 second' WHERE id = $1";
    scene.sql(over, &subscriber).await;
    assert_eq!(signers(&scene, &receiver, &subscriber, &[&old, &new]).await, (vec![false, true], 1));

    let third = rotate(&scene, &subscriber, 1).await.unwrap();
    let last = rotate(&scene, &subscriber, 0).await.unwrap();
    let signed = signers(&scene, &receiver, &subscriber, &[&new, &third, &last]).await;
    assert_eq!(signed, (vec![false, false, true], 1), "without grace everything before is over at once");
}

#[tokio::test]
async fn a_secret_that_does_not_open_is_our_fault_and_ends() {
    let receiver = Receiver::content().await;
    let mut scene = Scene::idle().await;
    let subscriber = scene.subscriber(&receiver.url, &["scan.*"]).await;
    scene.world.services.keyring = Keyring::parse(&Keyring::generate(), None).unwrap();
    scene.world.start_worker();
    let id = scene.send(&subscriber).await;
    let dead = scene.hurried(id, DeliveryStatus::Dlq).await;
    assert_eq!((dead.attempts, receiver.connections()), (10, 0));
    insta::assert_snapshot!(table(&scene.attempts(id).await[..1]));
    let endpoint = scene.endpoint(&subscriber).await;
    assert_eq!((endpoint.consecutive_failures, endpoint.failed_deliveries, endpoint.failing_since), (0, 0, None));
    eventually("operators are told more", async || {
        let told = "SELECT count(*) FROM dead_job WHERE error LIKE '%sealed under another master key%'";
        (scene.world.number(told).await == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn nothing_of_a_secret_is_in_the_database() {
    let receiver = Receiver::content().await;
    let scene = Scene::new().await;
    let subscriber = scene.subscriber(&receiver.url, &["scan.*"]).await;
    let id = scene.send(&subscriber).await;
    scene.until(id, DeliveryStatus::Delivered).await;
    let key = subscriber.secret.trim_start_matches("whsec_");
    let texts: Vec<String> = sqlx::query_scalar(
        "SELECT t::text FROM webhook_endpoint t UNION ALL SELECT t::text FROM webhook_attempt t
         UNION ALL SELECT t::text FROM event t UNION ALL SELECT t::text FROM audit_event t",
    )
    .fetch_all(&scene.world.pool)
    .await
    .unwrap();
    assert!(texts.len() >= 4);
    for text in texts {
        assert!(!text.contains(&key[6..]) && !text.contains("\"platform\""), "{text}");
    }
}
