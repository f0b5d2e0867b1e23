//! Makes one attempt at a webhook delivery.
//!
//! What to send is read, and what came of it is written, together with all other attempts that are at the same point
//! (`workers/src/batch.rs`); between the two no connection to the database is held. An attempt whose worker is lost in between is
//! made again under the same webhook-id, and the log says that the first one is not known.
//!
//! Failures are the endpoint's or ours. Ours (a secret that does not open) spend the budget as well, so that they end, but the
//! endpoint is not blamed.

mod message;
mod verdict;

use std::fmt;
use std::time::Duration;

use jobs::crypto::Keyring;
use jobs::db::webhook_delivery::{self, Load, Record};
use jobs::domain::Trigger;
use jobs::ids::{DeliveryId, OrgId, WebhookEndpointId};
use jobs::kinds::deliver_webhook::DeliverWebhook;
use jobs::queue::JobError;
use jobs::webhooks::endpoint::{self, ChangeError};
use serde_json::Value;
use sqlx::PgPool;

use self::message::Message;
use self::verdict::Judged;
use crate::batch::{Batched, Batcher, Unanswered};
use crate::outbound::webhook::{Post, WebhookClient};
use crate::runtime::JobContext;
use crate::services::Services;

/// What is read or written in one statement at most.
const MOST: usize = 500;
/// Between two tries while the database is away.
const DATABASE_AWAY: Duration = Duration::from_secs(5);
/// How soon a delivery is looked at again whose endpoint was paused when it was about to be sent. The queue holds it back then.
const PAUSED: Duration = Duration::from_secs(1);

/// Posts, and what attempts share: clones share their connections and batches.
#[derive(Clone)]
pub struct Courier {
    client: WebhookClient,
    loads: Batcher<Loads>,
    records: Batcher<Records>,
}

impl Courier {
    /// Sends through this client.
    #[must_use]
    pub fn new(client: WebhookClient) -> Self {
        Self { client, loads: Batcher::default(), records: Batcher::default() }
    }
}

impl fmt::Debug for Courier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Courier").field("client", &self.client).finish_non_exhaustive()
    }
}

/// Reading what there is to send.
struct Loads;

impl Batched for Loads {
    type Question = (OrgId, DeliveryId);
    type Answer = Option<Load>;
    const MOST: usize = MOST;
    const TRIES: u32 = 1;

    async fn answer(pool: &PgPool, wanted: &[Self::Question]) -> sqlx::Result<Vec<Option<Load>>> {
        webhook_delivery::load(&mut *pool.acquire().await?, wanted).await
    }
}

/// Writing down what came of it.
struct Records;

impl Batched for Records {
    type Question = Record;
    type Answer = ();
    const MOST: usize = MOST;
    /// What has been sent should not be sent again because the database was away for a second.
    const TRIES: u32 = 6;

    async fn answer(pool: &PgPool, records: &[Record]) -> sqlx::Result<Vec<()>> {
        let overdue = webhook_delivery::record(&mut *pool.acquire().await?, records).await?;
        for (org_id, id) in overdue {
            // The attempts are written; the next failure tries this again, or the scheduler does.
            if let Err(error) = disable(pool, org_id, id, &endpoint::failing_reason()).await {
                tracing::warn!(endpoint = %id, %error, "a failing webhook endpoint was not disabled");
            }
        }
        Ok(vec![(); records.len()])
    }
}

async fn disable(pool: &PgPool, org_id: OrgId, id: WebhookEndpointId, reason: &str) -> Result<(), ChangeError> {
    let mut tx = pool.begin().await?;
    endpoint::disable(&mut tx, org_id, id, reason).await?;
    tx.commit().await?;
    tracing::info!(endpoint = %id, reason, "webhook endpoint disabled");
    Ok(())
}

/// Runs [`DeliverWebhook`].
#[derive(Debug, Clone)]
pub struct Handler(pub Services);

impl crate::runtime::Handler for Handler {
    type Job = DeliverWebhook;

    async fn run(&self, cx: &JobContext, job: DeliverWebhook) -> Result<Value, JobError> {
        let courier = &self.0.courier;
        let load = courier.loads.ask(&cx.pool, (job.org_id, job.delivery_id)).await.map_err(unread)?;
        let Some(load) = load else {
            return Err(JobError::cancel("the delivery, or its event, is forgotten"));
        };
        // By an attempt whose worker was lost after it had written that down.
        if load.is_delivered {
            return Ok(Value::Null);
        }
        if let Some(because) = pointless(&load) {
            let mut tx = cx.pool.begin().await?;
            cx.hold(&mut tx).await?;
            webhook_delivery::cancel(&mut tx, job.org_id, job.delivery_id, because).await?;
            tx.commit().await?;
            return Err(JobError::cancel(because));
        }
        if load.endpoint.is_paused {
            return Err(JobError::snooze(PAUSED));
        }
        let judged = attempt(courier, &self.0.keyring, cx, &load).await;
        if judged.is_gone {
            // Before the attempt is written down: if this worker is lost in between, the next attempt finds it disabled.
            disable(&cx.pool, job.org_id, job.endpoint_id, "it answered 410 Gone").await.map_err(not_disabled)?;
        }
        let class = judged.class();
        metrics::counter!("plumbline_webhook_attempts_total", "outcome" => class.unwrap_or("delivered")).increment(1);
        metrics::histogram!("plumbline_webhook_attempt_seconds").record(judged.duration.as_secs_f64());
        let (record, result) = judged.into_record(cx, &load);
        courier.records.ask(&cx.pool, record).await.map_err(unwritten)?;
        result
    }
}

/// Why nothing shall be sent any more, if that is so.
fn pointless(load: &Load) -> Option<&'static str> {
    if load.endpoint.is_deleted {
        Some("cancelled: the endpoint was deleted")
    } else if load.endpoint.is_disabled && load.trigger != Trigger::Test {
        Some("cancelled: the endpoint was disabled; enable it and replay what it missed")
    } else {
        None
    }
}

/// Signs and posts.
async fn attempt(courier: &Courier, keyring: &Keyring, cx: &JobContext, load: &Load) -> Judged {
    match Message::of(keyring, load) {
        Ok(Message { headers, body }) => {
            let outcome = courier.client.post(Post { url: &load.endpoint.url, headers, body }).await;
            Judged::outcome(cx, load.trigger, outcome)
        }
        Err(fault) => Judged::fault(cx, &fault),
    }
}

fn not_disabled(error: ChangeError) -> JobError {
    match error {
        ChangeError::Database(error) => error.into(),
        ChangeError::Audit(error) => error.into(),
        error @ (ChangeError::Sealed(_) | ChangeError::InGrace(_)) => JobError::retry("internal", error),
    }
}

/// Nothing was sent. While the database is away that costs nothing; what it refuses it may refuse for ever.
fn unread(error: Unanswered) -> JobError {
    if error.is_refused { JobError::retry("database", error) } else { JobError::snooze(DATABASE_AWAY) }
}

/// Something may have been sent, and nobody knows what came of it: that spends an attempt.
fn unwritten(error: Unanswered) -> JobError {
    JobError::retry_after("database", error, DATABASE_AWAY)
}
