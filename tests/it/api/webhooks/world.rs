//! An organisation with endpoints, and what a worker would do to its deliveries.

use std::time::Duration;

use jobs::db::webhook_delivery::{self, Attempt, Faring, Record, Then};
use jobs::domain::{Plan, Role, Trigger};
use jobs::ids::{DeliveryId, OrgId, WebhookEndpointId};
use jobs::queue::{self, Claimed, DeathReason, Failure, Settlement, Verdict};
use serde_json::{Value, json};

use crate::api::fixture::Fixture;
use crate::api::queues::claim_of;
use crate::support::{Api, Dns};

/// A name with a public address. Nobody calls it: there is no worker.
pub const PUBLIC: &str = "hooks.example.com";
/// Another one.
pub const LATE: &str = "late.example.com";

/// An organisation with a person who owns it.
pub struct Case {
    pub fixture: Fixture,
    pub dns: Dns,
    pub org: OrgId,
    pub owner: Api,
}

impl Case {
    pub async fn new() -> Self {
        Self::allowing("").await
    }

    /// Where an operator allows these networks to be called.
    pub async fn allowing(networks: &str) -> Self {
        let dns = Dns::start().await;
        for name in [PUBLIC, LATE] {
            dns.set(name, &["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"]);
        }
        let servers = dns.address.to_string();
        let fixture = Fixture::with(|command| {
            command.env("PLUMBLINE_DNS_SERVERS", &servers).env("PLUMBLINE_ALLOW_NETWORKS", networks)
        })
        .await;
        let org = fixture.org("acme", Plan::Enterprise).await;
        let owner = fixture.person(org, Role::Owner).await;
        Self { fixture, dns, org, owner }
    }

    /// The endpoints' path, with something after it.
    pub fn path(&self, tail: &str) -> String {
        format!("/api/v2/orgs/{}/webhook-endpoints{tail}", self.org)
    }

    /// An endpoint's path, with something after it.
    pub fn of(&self, endpoint: &Value, tail: &str) -> String {
        self.path(&format!("/{}{tail}", endpoint["id"].as_str().unwrap()))
    }

    /// A delivery's path, with something after it.
    pub fn delivery(&self, id: &Value, tail: &str) -> String {
        format!("/api/v2/orgs/{}/webhook-deliveries/{}{tail}", self.org, id.as_str().unwrap())
    }

    /// A new endpoint that wants to know of keys, with these fields besides.
    pub async fn endpoint(&self, more: Value) -> Value {
        let mut body = json!({"url": format!("https://{PUBLIC}/in"), "events": ["api_key.*"]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.owner.post(&self.path(""), &body).await.expect(201)
    }

    /// Those who must not change endpoints, each with the class that they get: a key, a member, somebody from elsewhere.
    pub async fn refused(&self) -> Vec<(Api, &'static str)> {
        let elsewhere = self.fixture.org("elsewhere", Plan::Team).await;
        vec![
            (self.fixture.caller(self.org, Role::Admin).await, "user_token_required"),
            (self.fixture.person(self.org, Role::Member).await, "insufficient_role"),
            (self.fixture.caller(elsewhere, Role::Admin).await, "not_found"),
            (self.fixture.api.clone(), "credential_missing"),
        ]
    }

    /// Makes an event that the endpoints were created for: an API key.
    pub async fn make_event(&self) -> Value {
        let path = format!("/api/v2/orgs/{}/api-keys", self.org);
        self.owner.post(&path, &json!({"name": "eventful"})).await.expect(201)
    }

    /// The only number that a query finds, given the organisation.
    pub async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).bind(self.org.uuid()).fetch_one(&self.fixture.db.pool).await.unwrap()
    }

    /// Does something to an endpoint or a delivery behind the API's back.
    pub async fn sql(&self, statement: &'static str, id: &Value) {
        let id: uuid::Uuid = id.as_str().unwrap().parse().unwrap();
        let changed = sqlx::query(statement).bind(id).execute(&self.fixture.db.pool).await.unwrap();
        assert!(changed.rows_affected() > 0, "{statement}");
    }

    /// What the queue holds an endpoint to: at once, a second.
    pub async fn limit(&self, endpoint: &Value) -> (i32, Option<f64>) {
        let query = "SELECT max_running, rate FROM group_limit WHERE tenant = $1 AND concurrency_group = $2";
        let limit = sqlx::query_as(query).bind(self.org.uuid()).bind(endpoint["id"].as_str().unwrap());
        limit.fetch_one(&self.fixture.db.pool).await.unwrap()
    }

    /// Takes the delivery that is due, as a worker would.
    pub async fn claim(&self) -> Claimed {
        claim_of(&self.fixture, "webhooks").await.pop().expect("a delivery is due")
    }

    /// Writes down what came of the attempt at a delivery, and settles its job. The delivery's id.
    pub async fn finish(&self, claimed: Claimed, status: u16, then: Then) -> DeliveryId {
        let payload: Value = serde_json::from_str(&claimed.payload).unwrap();
        let id = |name: &str| payload[name].as_str().unwrap().parse::<uuid::Uuid>().unwrap();
        let delivery_id = DeliveryId(id("delivery_id"));
        let failure = (then != Then::Delivered).then(|| ("http_status", format!("the receiver answered {status}")));
        let attempt = Attempt {
            trigger: Trigger::Event,
            unrecorded: 0,
            duration: Duration::from_millis(7),
            response_status: Some(status),
            response_excerpt: Some("so be it".to_owned()),
            failure,
        };
        let record = Record {
            org_id: self.org,
            delivery_id,
            endpoint_id: WebhookEndpointId(id("endpoint_id")),
            claim: claimed.claim,
            attempt,
            then,
            faring: Faring::Unknown,
            hold_up: None,
        };
        let mut conn = self.fixture.db.pool.acquire().await.unwrap();
        webhook_delivery::record(&mut conn, &[record]).await.unwrap();
        let failure = Failure::new("http_status", "the receiver said no");
        let verdict = match then {
            Then::Delivered => Verdict::Done(Value::Null),
            Then::Retry(delay) => Verdict::Retry { delay, failure },
            Then::Dead => Verdict::Dead { reason: DeathReason::AttemptsExhausted, failure },
        };
        let settlement = Settlement { claim: claimed.claim, has_trail: claimed.has_trail, verdict };
        queue::settle(&mut conn, &[settlement]).await.unwrap();
        delivery_id
    }

    /// A delivery that ended so.
    pub async fn delivered(&self, status: u16, then: Then) -> Value {
        self.make_event().await;
        let claimed = self.claim().await;
        json!(self.finish(claimed, status, then).await)
    }
}
