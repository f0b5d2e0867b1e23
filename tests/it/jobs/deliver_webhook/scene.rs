//! An organisation with endpoints and a worker that delivers to this machine.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use jobs::addresses::Allowed;
use jobs::audit::{Actor, ActorKind, By, Origin};
use jobs::db::webhook_delivery::{self, Delivery, LoggedAttempt};
use jobs::db::webhook_endpoint::{self, Activity, Endpoint, Settings};
use jobs::domain::DeliveryStatus;
use jobs::events::{EventType, NewEvent, Tell, record};
use jobs::ids::{CloudAccountId, DeliveryId, EventId, WebhookEndpointId};
use jobs::lookup::Resolver;
use jobs::webhooks::endpoint;
use serde_json::json;
use workers::handlers::deliver_webhook::Courier;
use workers::outbound::webhook::{Limits, WebhookClient};

use super::super::world::World;
use crate::support::eventually;

/// Nothing here asks a cloud.
const NOWHERE: &str = "http://127.0.0.1:9";

/// Who does what tests do.
pub fn actor() -> Actor {
    Actor { kind: ActorKind::User, id: "1".to_owned(), display: "ada@example.com".to_owned() }
}

/// An endpoint and its secret.
#[derive(Debug, Clone)]
pub struct Subscriber {
    pub id: WebhookEndpointId,
    pub secret: String,
}

/// See the module.
pub struct Scene {
    pub world: World,
}

impl Scene {
    /// With a worker that may send to loopback addresses, and waits for none of them for long.
    pub async fn new() -> Self {
        let mut scene = Self::idle().await;
        scene.world.start_worker();
        scene
    }

    /// The same without its worker.
    pub async fn idle() -> Self {
        let mut world = World::idle(NOWHERE).await;
        let allowed: Allowed = "127.0.0.0/8".parse().unwrap();
        let limits = Limits { connect: Duration::from_secs(1), total: Duration::from_millis(1_500) };
        let client = WebhookClient::new(allowed, Resolver::new(&[]).unwrap(), limits).unwrap();
        world.services.courier = Courier::new(client);
        Self { world }
    }

    /// An endpoint at this URL that asks for these events.
    pub async fn subscriber(&self, url: &str, events: &[&str]) -> Subscriber {
        self.subscriber_with(url, events, |_| {}).await
    }

    /// The same with other settings.
    pub async fn subscriber_with<'a>(
        &self,
        url: &'a str,
        events: &[&str],
        change: impl FnOnce(&mut Settings<'a>),
    ) -> Subscriber {
        let mut settings = Settings {
            url,
            description: "",
            events: &[],
            cloud_account_ids: &[],
            max_in_flight: endpoint::USUAL_IN_FLIGHT,
            rate: None,
        };
        change(&mut settings);
        let events: Vec<String> = events.iter().map(ToString::to_string).collect();
        let settings = Settings { events: &events, ..settings };
        let headers = BTreeMap::from([("x-team".to_owned(), "platform".to_owned())]);
        let mut tx = self.world.pool.begin().await.unwrap();
        let (by, keyring) = (By { actor: &actor(), origin: &Origin::default() }, &self.world.services.keyring);
        let made = endpoint::create(&mut tx, (by, keyring), self.world.org, settings, &headers).await.unwrap();
        tx.commit().await.unwrap();
        Subscriber { id: made.endpoint.id, secret: made.secret.reveal() }
    }

    /// An event about the world's account.
    pub async fn event(&self) -> EventId {
        self.event_of(EventType::ScanCompleted, Some(self.world.account)).await
    }

    /// An event of a type, about an account or none.
    pub async fn event_of(&self, event_type: EventType, cloud_account_id: Option<CloudAccountId>) -> EventId {
        let data = json!({"scan_id": "s", "note": "ä\u{1F600}"});
        let new = NewEvent { org_id: self.world.org, event_type, cloud_account_id, data: &data, also: &[] };
        let mut tx = self.world.pool.begin().await.unwrap();
        let id = record(&mut tx, new, Tell::Subscribers).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    /// The delivery of an event to an endpoint.
    pub async fn delivery(&self, event: EventId, to: &Subscriber) -> DeliveryId {
        let id = sqlx::query_scalar("SELECT id FROM webhook_delivery WHERE event_id = $1 AND endpoint_id = $2");
        DeliveryId(id.bind(event.uuid()).bind(to.id.uuid()).fetch_one(&self.world.pool).await.unwrap())
    }

    /// Records an event and says which delivery to the endpoint it made.
    pub async fn send(&self, to: &Subscriber) -> DeliveryId {
        self.delivery(self.event().await, to).await
    }

    /// A delivery as it stands.
    pub async fn look(&self, id: DeliveryId) -> Delivery {
        webhook_delivery::get(&mut *self.world.conn().await, self.world.org, id).await.unwrap().expect("a delivery")
    }

    /// Its attempts, oldest first.
    pub async fn attempts(&self, id: DeliveryId) -> Vec<LoggedAttempt> {
        let mut conn = self.world.conn().await;
        let mut attempts = webhook_delivery::attempts(&mut conn, self.world.org, id, 100).await.unwrap();
        attempts.reverse();
        attempts
    }

    /// Waits until a delivery stands so.
    pub async fn until(&self, id: DeliveryId, status: DeliveryStatus) -> Delivery {
        eventually(&format!("the delivery is {status}"), async || {
            Some(self.look(id).await).filter(|delivery| delivery.status == status)
        })
        .await
    }

    /// The same, while every retry is due at once.
    pub async fn hurried(&self, id: DeliveryId, status: DeliveryStatus) -> Delivery {
        eventually(&format!("the delivery is {status}"), async || {
            let due = "UPDATE job SET run_at = now() WHERE unique_key = $1 AND claimed_by IS NULL AND run_at > now()";
            sqlx::query(due).bind(id.to_string()).execute(&self.world.pool).await.unwrap();
            Some(self.look(id).await).filter(|delivery| delivery.status == status)
        })
        .await
    }

    /// Waits until a delivery has so many attempts in its log.
    pub async fn until_tried(&self, id: DeliveryId, attempts: usize) -> Vec<LoggedAttempt> {
        eventually(&format!("{attempts} attempts"), async || {
            Some(self.attempts(id).await).filter(|log| log.len() >= attempts)
        })
        .await
    }

    /// An endpoint as it stands.
    pub async fn endpoint(&self, subscriber: &Subscriber) -> Endpoint {
        let mut conn = self.world.conn().await;
        webhook_endpoint::find_any(&mut conn, self.world.org, subscriber.id).await.unwrap().expect("an endpoint")
    }

    /// Pauses an endpoint, or lets it go on.
    pub async fn set(&self, subscriber: &Subscriber, activity: Activity) {
        let mut tx = self.world.pool.begin().await.unwrap();
        let before =
            webhook_endpoint::lock(&mut tx, self.world.org, subscriber.id).await.unwrap().expect("an endpoint");
        let settings = Settings {
            url: &before.url,
            description: &before.description,
            events: &before.events,
            cloud_account_ids: &before.cloud_account_ids,
            max_in_flight: before.max_in_flight,
            rate: before.rate,
        };
        let (by, keyring) = (By { actor: &actor(), origin: &Origin::default() }, &self.world.services.keyring);
        endpoint::update(&mut tx, (by, keyring), &before, settings, (None, activity)).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// How many deliveries of an endpoint may run at once now.
    pub async fn room(&self, subscriber: &Subscriber) -> i32 {
        let room = sqlx::query_scalar("SELECT max_running FROM group_limit WHERE concurrency_group = $1");
        room.bind(subscriber.id.to_string()).fetch_one(&self.world.pool).await.unwrap()
    }

    /// Runs SQL about an endpoint, `$1`.
    pub async fn sql(&self, sql: &'static str, subscriber: &Subscriber) {
        sqlx::query(sql).bind(subscriber.id.uuid()).execute(&self.world.pool).await.unwrap();
    }
}

/// A log of attempts as a table, without what differs from run to run.
pub fn table(attempts: &[LoggedAttempt]) -> String {
    let mut table = String::new();
    for attempt in attempts {
        let status = attempt.response_status.map_or("-".to_owned(), |status| status.to_string());
        let class = attempt.error_class.as_deref().unwrap_or("-");
        let (error, body) =
            (attempt.error.as_deref().unwrap_or("-"), attempt.response_excerpt.as_deref().unwrap_or("-"));
        let body: String = body.chars().take(40).collect();
        writeln!(table, "{} {} {status} {class} | {error} | {body}", attempt.number, attempt.trigger).unwrap();
    }
    table
}
