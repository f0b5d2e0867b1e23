//! What receivers answer, and what becomes of the delivery.

use chrono::{TimeDelta, Utc};
use jobs::domain::DeliveryStatus;

use super::scene::{Scene, table};
use crate::support::{Receiver, Reply, eventually};

#[tokio::test]
async fn three_failures_and_a_success_are_four_attempts_at_one_message() {
    let receiver = Receiver::start(|nth, _| {
        if nth < 3 {
            Reply::Full(500, &[], format!("busy {nth}").into_bytes())
        } else {
            Reply::Full(200, &[], b"ok".to_vec())
        }
    })
    .await;
    let scene = Scene::new().await;
    let subscriber = scene.subscriber(&format!("{}/hook?team=a", receiver.url), &["scan.*"]).await;
    let id = scene.send(&subscriber).await;
    let failed = scene.until(id, DeliveryStatus::Failed).await;
    let wait = failed.next_attempt_at.unwrap() - Utc::now();
    assert!(wait > TimeDelta::seconds(3) && wait <= TimeDelta::seconds(6), "the second attempt is due in {wait}");
    let delivered = scene.hurried(id, DeliveryStatus::Delivered).await;
    assert_eq!((delivered.attempts, delivered.next_attempt_at), (4, None));
    insta::assert_snapshot!(table(&scene.attempts(id).await));

    let requests = receiver.received();
    assert_eq!(requests.len(), 4);
    let first = &requests[0];
    assert_eq!(first.header("webhook-id"), format!("evt_{}", delivered.event_id));
    assert_eq!((first.target.as_str(), first.header("x-team")), ("/hook?team=a", "platform"));
    assert_eq!(first.json()["type"], "scan.completed");
    assert!(first.header("user-agent").starts_with("Plumbline-Webhooks/"));
    for request in &requests {
        assert!(request.is_signed_by(&subscriber.secret));
        assert_eq!((request.header("webhook-id"), &request.body), (first.header("webhook-id"), &first.body));
    }
    assert_eq!(scene.endpoint(&subscriber).await.consecutive_failures, 0, "a success makes up for them");
    assert_eq!(scene.world.number("SELECT count(*) FROM dead_job").await, 0);
}

#[tokio::test]
async fn ten_failures_are_the_end_until_somebody_replays_it() {
    let receiver = Receiver::start(|_, _| Reply::Status(500)).await;
    let scene = Scene::new().await;
    let subscriber = scene.subscriber(&receiver.url, &["scan.*"]).await;
    let id = scene.send(&subscriber).await;
    let dead = scene.hurried(id, DeliveryStatus::Dlq).await;
    assert_eq!((dead.attempts, dead.next_attempt_at, receiver.count()), (10, None, 10));
    eventually("its job is a dead letter", async || {
        let dead = "SELECT count(*) FROM dead_job WHERE error_class = 'http_status'";
        (scene.world.number(dead).await == 1).then_some(())
    })
    .await;
    let endpoint = scene.endpoint(&subscriber).await;
    assert_eq!((endpoint.consecutive_failures, endpoint.failed_deliveries), (10, 1), "ten attempts at one delivery");
    assert_eq!(endpoint.disabled_at, None);
}

#[tokio::test]
async fn gone_ends_the_delivery_and_the_endpoint_and_its_owner_hears_of_it_on_the_others() {
    let gone = Receiver::start(|_, _| Reply::Full(410, &[], b"moved out".to_vec())).await;
    let other = Receiver::content().await;
    let scene = Scene::new().await;
    let subscriber = scene.subscriber(&gone.url, &["scan.*", "webhook.*"]).await;
    let _owner = scene.subscriber(&other.url, &["webhook.disabled"]).await;
    let id = scene.send(&subscriber).await;
    scene.until(id, DeliveryStatus::Dlq).await;
    insta::assert_snapshot!(table(&scene.attempts(id).await));
    let endpoint = scene.endpoint(&subscriber).await;
    assert_eq!(endpoint.disabled_reason.as_deref(), Some("it answered 410 Gone"));
    eventually("the owner is told", async || (other.count() > 0).then_some(())).await;
    let told = other.received()[0].json();
    assert_eq!(
        (&told["type"], &told["data"]["endpoint_id"]),
        (&"webhook.disabled".into(), &subscriber.id.to_string().into())
    );
    assert_eq!(gone.count(), 1, "nothing is sent to it any more");
    let audited =
        "SELECT count(*) FROM audit_event WHERE action = 'webhook_endpoint.disabled' AND actor_kind = 'system'";
    assert_eq!(scene.world.number(audited).await, 1);
    let later = scene.event().await;
    let sent =
        "SELECT count(*) FROM webhook_delivery d JOIN event e ON e.id = d.event_id WHERE e.event_type LIKE 'scan.%'";
    assert_eq!(scene.world.number(sent).await, 1, "{later} is for nobody");
}

#[tokio::test]
async fn a_body_without_end_is_cut_off_and_the_status_counts() {
    let receiver = Receiver::start(|nth, _| Reply::Endless(if nth == 0 { 500 } else { 200 })).await;
    let scene = Scene::new().await;
    let subscriber = scene.subscriber(&receiver.url, &["scan.*"]).await;
    let id = scene.send(&subscriber).await;
    scene.hurried(id, DeliveryStatus::Delivered).await;
    let log = scene.attempts(id).await;
    insta::assert_snapshot!(table(&log));
    for attempt in log {
        assert_eq!(attempt.response_excerpt.unwrap().len(), 4096);
        assert!(attempt.duration_ms.unwrap() < 1_500, "it did not wait for the end");
    }
}

#[tokio::test]
async fn who_never_answers_and_who_is_not_there_are_failures_of_their_own_class() {
    let silent = Receiver::start(|_, _| Reply::Silence).await;
    let scene = Scene::new().await;
    let silent_one = scene.subscriber(&silent.url, &["scan.*"]).await;
    // Nobody listens on the discard port; it is refused by its number only in URLs that people save.
    let absent = scene.subscriber("http://127.0.0.1:1", &["scan.*"]).await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let closed = scene.subscriber(&format!("http://{closed}"), &["scan.*"]).await;
    let event = scene.event().await;
    let mut logs = String::new();
    for subscriber in [&silent_one, &absent, &closed] {
        let id = scene.delivery(event, subscriber).await;
        let log = scene.until_tried(id, 1).await;
        logs.push_str(log[0].error_class.as_deref().unwrap());
        logs.push('\n');
    }
    insta::assert_snapshot!(logs, @r"
    timeout
    blocked_address
    connect
    ");
}

#[tokio::test]
async fn a_receiver_says_when_to_come_back_in_both_forms_and_no_other_delivery_comes_before() {
    for status in [429, 503] {
        for date in [false, true] {
            let receiver = Receiver::start(move |_, _| {
                let header: &'static [&'static str] = match (date, status) {
                    (false, _) => &["retry-after: 120"],
                    (true, _) => date_header(),
                };
                Reply::Full(status, header, Vec::new())
            })
            .await;
            let scene = Scene::new().await;
            let subscriber = scene.subscriber(&receiver.url, &["scan.*"]).await;
            let id = scene.send(&subscriber).await;
            let failed = scene.until(id, DeliveryStatus::Failed).await;
            let wait = (failed.next_attempt_at.unwrap() - Utc::now()).num_seconds();
            assert!((100..=120).contains(&wait), "{status}, date {date}: {wait} s");
            let held = scene.send(&subscriber).await;
            let held_up = "SELECT extract(epoch FROM next_at - now())::bigint FROM group_limit";
            let wait = scene.world.number(held_up).await;
            assert!((100..=120).contains(&wait), "{status}, date {date}: held up for {wait} s");
            assert_eq!(scene.look(held).await.attempts, 0);
            assert_eq!(receiver.count(), 1);
        }
    }
}

/// In two minutes, as an HTTP-date.
fn date_header() -> &'static [&'static str] {
    let at = Utc::now() + TimeDelta::seconds(120);
    let header = format!("retry-after: {}", at.format("%a, %d %b %Y %H:%M:%S GMT"));
    Box::leak(Box::new([&*Box::leak(header.into_boxed_str())]))
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_is_not_followed() {
    let target = Receiver::content().await;
    let location: &'static str = Box::leak(format!("location: {}/elsewhere", target.url).into_boxed_str());
    let headers: &'static [&'static str] = Box::leak(Box::new([location]));
    let receiver = Receiver::start(move |_, _| Reply::Full(302, headers, Vec::new())).await;
    let scene = Scene::new().await;
    let subscriber = scene.subscriber(&receiver.url, &["scan.*"]).await;
    let id = scene.send(&subscriber).await;
    scene.until(id, DeliveryStatus::Failed).await;
    insta::assert_snapshot!(table(&scene.attempts(id).await));
    assert_eq!((receiver.count(), target.connections()), (1, 0));
}
