//! Sending events again: one delivery, or many of an endpoint's at once.
//!
//! A replay is a new attempt under the same webhook-id, with a fresh budget. What is in flight is left alone, so that two attempts
//! at one delivery never overlap. Many are walked in the order of their events, in slices, each in a transaction of its own that
//! also moves the progress; so whatever dies in the middle, each delivery is sent again once.

use serde_json::json;
use sqlx::PgConnection;

use super::fan_out::{Recorded, deliver};
use super::subscription;
use crate::audit::{Action, AppendError, By, Entry, Target, append, append_many};
use crate::db::webhook_delivery::{self, Renewal, Standing};
use crate::db::webhook_endpoint::{self, Endpoint};
use crate::db::webhook_replay::{self, Candidate, NewReplay, Progress, WebhookReplay};
use crate::domain::{ReplayWhich, Trigger};
use crate::events::{EventType, record_test_ping};
use crate::ids::{DeliveryId, EventId, JobId, OrgId, WebhookReplayId};
use crate::kinds::deliver_webhook::DeliverWebhook;
use crate::kinds::priority;
use crate::kinds::replay_webhooks::ReplayWebhooks;
use crate::queue::{Again, EnqueueError, enqueue, enqueue_many_at, run_again};

/// Events of one transaction at most.
const SLICE: i64 = 500;

/// Why nothing was replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The database refused.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// A job could not be enqueued.
    #[error(transparent)]
    Enqueue(#[from] EnqueueError),
    /// The audit chain could not be written.
    #[error(transparent)]
    Audit(#[from] AppendError),
}

/// What a replay of one delivery did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replay {
    /// It is sent again.
    Begun,
    /// It is being sent just now.
    InFlight,
    /// Its endpoint is disabled: nothing would be sent.
    Disabled,
    /// Its endpoint is deleted.
    Deleted,
    /// The organisation has no such delivery.
    Absent,
}

/// Sends one delivery again. Where nothing is done, nothing is written down.
///
/// # Errors
/// See [`ReplayError`]; the caller then rolls back.
pub async fn one(conn: &mut PgConnection, by: By<'_>, org_id: OrgId, id: DeliveryId) -> Result<Replay, ReplayError> {
    let Some(delivery) = webhook_delivery::standing(conn, org_id, id).await? else {
        return Ok(Replay::Absent);
    };
    match webhook_endpoint::find(conn, org_id, delivery.endpoint_id).await? {
        None => return Ok(Replay::Deleted),
        Some(endpoint) if endpoint.disabled_at.is_some() => return Ok(Replay::Disabled),
        Some(_) => {}
    }
    if again(conn, org_id, &[delivery], priority::NORMAL).await?.is_empty() {
        return Ok(Replay::InFlight);
    }
    append(conn, &entry(by, org_id, id, None)).await?;
    Ok(Replay::Begun)
}

fn entry(by: By<'_>, org_id: OrgId, id: DeliveryId, replay: Option<WebhookReplayId>) -> Entry<'_> {
    let target = Target { kind: "webhook_delivery", id: id.to_string() };
    by.entry(Some(org_id), Action::WebhookDeliveryReplayed, target, json!({"replay_id": replay}))
}

/// Sends deliveries again that are not in flight; answers with those.
async fn again(
    conn: &mut PgConnection,
    org_id: OrgId,
    deliveries: &[Standing],
    priority: i16,
) -> Result<Vec<DeliveryId>, ReplayError> {
    let jobs: Vec<JobId> = deliveries.iter().map(|delivery| delivery.job_id).collect();
    let fates = run_again(conn, &jobs, priority).await?;
    let gone: Vec<Standing> = deliveries
        .iter()
        .zip(&fates)
        .filter(|(_, fate)| **fate == Again::Gone)
        .map(|(delivery, _)| *delivery)
        .collect();
    let anew: Vec<DeliverWebhook> = gone
        .iter()
        .map(|delivery| DeliverWebhook { org_id, endpoint_id: delivery.endpoint_id, delivery_id: delivery.id })
        .collect();
    let mut new_jobs = enqueue_many_at(conn, &anew, priority).await?.into_iter();
    let mut renewals = Vec::with_capacity(deliveries.len());
    for (delivery, fate) in deliveries.iter().zip(fates) {
        let job_id = match fate {
            Again::Now => Some(delivery.job_id),
            Again::Replayed(job) => Some(job),
            // One that was there before: somebody replays its dead letter.
            Again::Gone => new_jobs.next().filter(|job| !job.existing).map(|job| job.id),
            Again::Running => None,
        };
        renewals.extend(job_id.map(|job_id| Renewal { id: delivery.id, was: delivery.job_id, job_id }));
    }
    Ok(webhook_delivery::renew(conn, org_id, &renewals).await?)
}

/// Begins a replay of many; `None` while another one of the endpoint is not through.
///
/// # Errors
/// See [`ReplayError`]; the caller then rolls back.
pub async fn many(conn: &mut PgConnection, new: &NewReplay<'_>) -> Result<Option<WebhookReplay>, ReplayError> {
    let Some(replay) = webhook_replay::insert(conn, new).await? else {
        return Ok(None);
    };
    enqueue(conn, &ReplayWebhooks { org_id: new.org_id, replay_id: replay.id }).await?;
    let by = By { actor: new.actor, origin: new.origin };
    append(conn, &of_replay(by, Action::WebhookReplayCreated, &replay)).await?;
    Ok(Some(replay))
}

fn of_replay<'a>(by: By<'a>, action: Action, replay: &WebhookReplay) -> Entry<'a> {
    let details = json!({
        "endpoint_id": replay.endpoint_id,
        "since": replay.since,
        "until": replay.until,
        "which": replay.which,
        "replayed": replay.replayed,
        "in_flight": replay.in_flight,
    });
    let target = Target { kind: "webhook_replay", id: replay.id.to_string() };
    by.entry(Some(replay.org_id), action, target, details)
}

/// Sends the next events of a replay again, in the transaction that holds the claim of its job. Says whether it is through.
///
/// # Errors
/// See [`ReplayError`].
pub async fn slice(conn: &mut PgConnection, org_id: OrgId, id: WebhookReplayId) -> Result<bool, ReplayError> {
    let Some((replay, reached)) = webhook_replay::lock(conn, org_id, id).await? else {
        return Ok(true);
    };
    let endpoint = webhook_endpoint::find(conn, org_id, replay.endpoint_id).await?;
    let Some(endpoint) = endpoint.filter(|endpoint| endpoint.disabled_at.is_none()) else {
        webhook_replay::cancel_open(conn, org_id, replay.endpoint_id).await?;
        let by = By { actor: &replay.created_by, origin: &replay.origin };
        append(conn, &of_replay(by, Action::WebhookReplayCancelled, &replay)).await?;
        return Ok(true);
    };
    let candidates = webhook_replay::next(conn, (&replay, reached), &types(&endpoint), SLICE).await?;
    let wanted: Vec<Standing> = candidates
        .iter()
        .filter(|event| replay.which == ReplayWhich::All || event.has_failed)
        .filter_map(|event| event.delivery)
        .map(|(id, job_id)| Standing { id, endpoint_id: endpoint.id, job_id })
        .collect();
    let mut replayed = again(conn, org_id, &wanted, priority::LOW).await?;
    let in_flight = wanted.len() - replayed.len();
    if replay.which == ReplayWhich::All {
        replayed.extend(send_unsent(conn, &endpoint, &candidates).await?);
    }
    let reached = candidates.last().map(|event| (event.occurred_at, event.event_id));
    let progress = Progress { reached, replayed: replayed.len(), in_flight };
    let after = webhook_replay::advance(conn, org_id, id, progress).await?;

    let by = By { actor: &replay.created_by, origin: &replay.origin };
    let mut entries: Vec<Entry<'_>> =
        replayed.into_iter().map(|delivery| entry(by, org_id, delivery, Some(id))).collect();
    let is_through = after.finished_at.is_some();
    if is_through {
        entries.push(of_replay(by, Action::WebhookReplayFinished, &after));
    }
    append_many(conn, &entries).await?;
    Ok(is_through)
}

/// The types that an endpoint asks for and that are not for one endpoint alone.
fn types(endpoint: &Endpoint) -> Vec<String> {
    let asked = |event_type: &&EventType| {
        **event_type != EventType::TestPing && subscription::matches(&endpoint.events, **event_type)
    };
    EventType::ALL.iter().filter(asked).map(|event_type| event_type.as_str().to_owned()).collect()
}

/// Sends events to an endpoint that were never sent to it.
async fn send_unsent(
    conn: &mut PgConnection,
    endpoint: &Endpoint,
    candidates: &[Candidate],
) -> Result<Vec<DeliveryId>, ReplayError> {
    let mut sent = Vec::new();
    for event in candidates.iter().filter(|event| event.delivery.is_none()) {
        let event = Recorded { org_id: endpoint.org_id, id: event.event_id, event_type: &event.event_type };
        sent.extend(deliver(conn, event, &[endpoint.id], (Trigger::Replay, priority::LOW)).await?);
    }
    Ok(sent)
}

/// Sends a test event to an endpoint alone.
///
/// # Errors
/// See [`ReplayError`].
pub async fn test(conn: &mut PgConnection, by: By<'_>, endpoint: &Endpoint) -> Result<Tested, ReplayError> {
    let event_id = record_test_ping(conn, endpoint.org_id, endpoint.id).await?;
    let event = Recorded { org_id: endpoint.org_id, id: event_id, event_type: EventType::TestPing.as_str() };
    let sent = deliver(conn, event, &[endpoint.id], (Trigger::Test, priority::HIGH)).await?;
    let delivery_id = sent.first().copied().ok_or(sqlx::Error::RowNotFound)?;
    let target = Target { kind: "webhook_endpoint", id: endpoint.id.to_string() };
    let details = json!({"delivery_id": delivery_id});
    append(conn, &by.entry(Some(endpoint.org_id), Action::WebhookEndpointTested, target, details)).await?;
    Ok(Tested { delivery_id, event_id })
}

/// A test that is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tested {
    /// Its delivery.
    pub delivery_id: DeliveryId,
    /// Its event.
    pub event_id: EventId,
}
