//! The audit chain: every change writes its row in its own transaction, so there is no change without a row and no row
//! without a change. Each row's hash covers the one before, so a changed, removed or inserted row is found
//! by walking the chain.
//!
//! What is hashed is version-tagged canonical JSON (RFC 8785) of every column but `hash`; `docs/adr/0002-audit-chain.md` gives it
//! field by field so that an auditor can compute it alone.
//!
//! Appending locks the chain's row until the caller commits: call [`append`] last, and never across a network call.

use std::collections::BTreeMap;
use std::net::IpAddr;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::db::audit as db;
use crate::ids::OrgId;

/// Stands first in what is hashed; a new form gets a new tag.
const FORM: &str = "plumbline.audit.v1";

/// Who made a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// Which kind of actor.
    pub kind: ActorKind,
    /// The actor's id.
    pub id: String,
    /// Name or email at that time.
    pub display: String,
}

impl Actor {
    /// Plumbline itself.
    #[must_use]
    pub fn platform() -> Self {
        Self { kind: ActorKind::System, id: "plumbline".to_owned(), display: "Plumbline".to_owned() }
    }
}

/// Kinds of actors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    /// A person with a user token.
    User,
    /// An organisation's API key.
    ApiKey,
    /// A platform operator, by key or on the command line.
    Operator,
    /// A schedule.
    Schedule,
    /// Plumbline itself.
    System,
}

impl ActorKind {
    /// The word in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::ApiKey => "api_key",
            Self::Operator => "operator",
            Self::Schedule => "schedule",
            Self::System => "system",
        }
    }
}

macro_rules! actions {
    ($($(#[$doc:meta])* $variant:ident = $word:literal),+ $(,)?) => {
        /// What can be done: the catalogue of actions.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Action {
            $($(#[$doc])* $variant,)+
        }

        impl Action {
            /// Every action.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The dotted word in the database.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }
    };
}

actions! {
    /// An organisation was created.
    OrgCreated = "org.created",
    /// A person got a role in an organisation.
    MembershipCreated = "membership.created",
    /// An operator's key was created.
    OperatorCreated = "operator.created",
    /// A limit on running jobs was set.
    LimitSet = "concurrency_limit.set",
    /// A limit on running jobs was removed.
    LimitRemoved = "concurrency_limit.removed",
    /// A key was created.
    ApiKeyCreated = "api_key.created",
    /// A key's name, description or role was changed.
    ApiKeyUpdated = "api_key.updated",
    /// A key got a successor.
    ApiKeyRotated = "api_key.rotated",
    /// A key's secret was replaced at once.
    ApiKeyRegenerated = "api_key.regenerated",
    /// A key was revoked.
    ApiKeyRevoked = "api_key.revoked",
    /// A revoked key was brought back.
    ApiKeyActivated = "api_key.activated",
    /// A revoked key was deleted for good.
    ApiKeyPurged = "api_key.purged",
    /// A cloud account was registered.
    CloudAccountCreated = "cloud_account.created",
    /// A state source was registered.
    StateSourceCreated = "state_source.created",
    /// A state source was removed.
    StateSourceDeleted = "state_source.deleted",
    /// Somebody asked to fetch a state.
    StateSourceRefreshed = "state_source.refreshed",
    /// Somebody sent a state's bytes.
    StateUploaded = "state_source.uploaded",
    /// A scan was asked for.
    ScanQueued = "scan.queued",
    /// A schedule was created.
    ScheduleCreated = "schedule.created",
    /// A schedule was changed, switched on or off.
    ScheduleUpdated = "schedule.updated",
    /// A schedule was deleted.
    ScheduleDeleted = "schedule.deleted",
    /// Somebody asked to run a schedule now.
    ScheduleRun = "schedule.run",
    /// A schedule was switched off because all its scans kept failing.
    ScheduleDisabled = "schedule.disabled",
    /// Drift was asked for.
    DriftRequested = "drift.requested",
    /// A resource's full properties were asked for.
    ResourceEnriched = "resource.enriched",
    /// A dead job was replayed, alone or by a batch.
    DeadJobReplayed = "dead_job.replayed",
    /// A dead job was discarded.
    DeadJobDiscarded = "dead_job.discarded",
    /// A batch of replays was created.
    ReplayBatchCreated = "replay_batch.created",
    /// A batch of replays is through.
    ReplayBatchFinished = "replay_batch.finished",
    /// A batch of replays was cancelled.
    ReplayBatchCancelled = "replay_batch.cancelled",
    /// A queue was paused.
    QueuePaused = "queue.paused",
    /// A queue was resumed.
    QueueResumed = "queue.resumed",
    /// A webhook endpoint was created.
    WebhookEndpointCreated = "webhook_endpoint.created",
    /// A webhook endpoint was changed, paused or resumed.
    WebhookEndpointUpdated = "webhook_endpoint.updated",
    /// A webhook endpoint was deleted.
    WebhookEndpointDeleted = "webhook_endpoint.deleted",
    /// A webhook endpoint got a new secret.
    WebhookSecretRotated = "webhook_endpoint.secret_rotated",
    /// A webhook endpoint failed for too long, or said that it is gone.
    WebhookEndpointDisabled = "webhook_endpoint.disabled",
    /// A test event was sent to a webhook endpoint.
    WebhookEndpointTested = "webhook_endpoint.tested",
    /// A webhook delivery is sent again, alone or by a replay of many.
    WebhookDeliveryReplayed = "webhook_delivery.replayed",
    /// Somebody asked to send many of an endpoint's events again.
    WebhookReplayCreated = "webhook_replay.created",
    /// A replay of many is through.
    WebhookReplayFinished = "webhook_replay.finished",
    /// A replay of many was cancelled.
    WebhookReplayCancelled = "webhook_replay.cancelled",
    /// A waiting job was cancelled.
    JobCancelled = "job.cancelled",
    /// A running job was told to stop.
    JobCancelRequested = "job.cancel_requested",
}

/// What an [`Entry`] happened to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// What kind of thing, such as `api_key`.
    pub kind: &'static str,
    /// Which one.
    pub id: String,
}

/// Who does something, and from where.
#[derive(Debug, Clone, Copy)]
pub struct By<'a> {
    /// Who.
    pub actor: &'a Actor,
    /// From where.
    pub origin: &'a Origin,
}

impl<'a> By<'a> {
    /// The row of an action of theirs, in the chain of `org` or of the platform.
    #[must_use]
    pub fn entry(self, org: Option<OrgId>, action: Action, target: Target, details: Value) -> Entry<'a> {
        Entry { org, actor: self.actor, origin: self.origin, action, target, details }
    }
}

/// Where a request came from; empty for what no request caused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The request's id.
    pub request_id: Option<String>,
    /// The caller's address.
    pub ip: Option<IpAddr>,
}

/// One row to be.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// The chain: an organisation's, or the platform's for `None`.
    pub org: Option<OrgId>,
    /// Who.
    pub actor: &'a Actor,
    /// From where.
    pub origin: &'a Origin,
    /// Did what.
    pub action: Action,
    /// To what.
    pub target: Target,
    /// With which facts; never a secret. Numbers must be whole and below 2^53.
    pub details: Value,
}

impl Entry<'_> {
    fn chain_id(&self) -> Uuid {
        self.org.map_or(Uuid::nil(), OrgId::uuid)
    }
}

/// The place a row got in its chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// From 1 without gaps.
    pub seq: i64,
    /// The row's hash.
    pub hash: [u8; 32],
}

/// A row as it is hashed. Field names are part of the form; so is their absence of order, which RFC 8785 sets.
#[derive(Serialize)]
struct Canonical<'a> {
    form: &'static str,
    chain_id: Uuid,
    seq: i64,
    id: Uuid,
    occurred_at: String,
    actor: Value,
    action: &'a str,
    target: Value,
    outcome: &'a str,
    request_id: Option<&'a str>,
    ip: Option<&'a str>,
    details: &'a Value,
    prev_hash: String,
}

/// A row that is hashed or checked: the columns of `audit_event` without `hash`.
#[derive(Clone, Debug)]
pub struct Row {
    /// The chain.
    pub chain_id: Uuid,
    /// Place in it.
    pub seq: i64,
    /// The row's id.
    pub id: Uuid,
    /// The database's clock, to the microsecond.
    pub occurred_at: DateTime<Utc>,
    /// Kind of actor.
    pub actor_kind: String,
    /// Actor's id.
    pub actor_id: String,
    /// Actor's name.
    pub actor_display: String,
    /// Dotted action.
    pub action: String,
    /// Kind of target.
    pub target_kind: String,
    /// Target's id.
    pub target_id: String,
    /// success or refused.
    pub outcome: String,
    /// The request.
    pub request_id: Option<String>,
    /// The caller's address.
    pub ip: Option<String>,
    /// The facts.
    pub details: Value,
    /// Hash of the row before.
    pub prev_hash: [u8; 32],
}

impl Row {
    /// SHA-256 over the canonical form.
    ///
    /// # Errors
    /// When `details` holds what RFC 8785 cannot write.
    pub fn hash(&self) -> Result<[u8; 32], serde_json::Error> {
        let form = Canonical {
            form: FORM,
            chain_id: self.chain_id,
            seq: self.seq,
            id: self.id,
            occurred_at: self.occurred_at.to_rfc3339_opts(SecondsFormat::Micros, true),
            actor: json!({"kind": self.actor_kind, "id": self.actor_id, "display": self.actor_display}),
            action: &self.action,
            target: json!({"kind": self.target_kind, "id": self.target_id}),
            outcome: &self.outcome,
            request_id: self.request_id.as_deref(),
            ip: self.ip.as_deref(),
            details: &self.details,
            prev_hash: hex::encode(self.prev_hash),
        };
        Ok(Sha256::digest(serde_json_canonicalizer::to_vec(&form)?).into())
    }
}

/// Why a row could not be written.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The database said no.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// The details have no canonical form.
    #[error("audit details cannot be written canonically: {0}")]
    Details(#[from] serde_json::Error),
}

/// Appends a row to its chain, in the caller's transaction. The chain stays locked until that ends.
///
/// # Errors
/// When the database fails, or the details have no canonical form.
pub async fn append(conn: &mut PgConnection, entry: &Entry<'_>) -> Result<Link, AppendError> {
    append_to(conn, entry.chain_id(), &[entry]).await
}

/// Appends rows to their chains, each chain's in the order given, in two round trips a chain. The chains are locked in the
/// order of their ids, so that two such transactions do not wait for each other crosswise.
///
/// # Errors
/// As [`append`].
pub async fn append_many(conn: &mut PgConnection, entries: &[Entry<'_>]) -> Result<(), AppendError> {
    let mut chains: BTreeMap<Uuid, Vec<&Entry<'_>>> = BTreeMap::new();
    for entry in entries {
        chains.entry(entry.chain_id()).or_default().push(entry);
    }
    for (chain_id, entries) in chains {
        append_to(conn, chain_id, &entries).await?;
    }
    Ok(())
}

/// Appends to one chain; the last row's place.
async fn append_to(conn: &mut PgConnection, chain_id: Uuid, entries: &[&Entry<'_>]) -> Result<Link, AppendError> {
    let head = db::lock_head(conn, chain_id).await?;
    let mut link = Link { seq: head.seq, hash: head.hash };
    let mut rows = Vec::with_capacity(entries.len());
    for entry in entries {
        let row = Row {
            chain_id,
            seq: link.seq + 1,
            id: Uuid::now_v7(),
            occurred_at: head.now,
            actor_kind: entry.actor.kind.as_str().to_owned(),
            actor_id: entry.actor.id.clone(),
            actor_display: entry.actor.display.clone(),
            action: entry.action.as_str().to_owned(),
            target_kind: entry.target.kind.to_owned(),
            target_id: entry.target.id.clone(),
            outcome: "success".to_owned(),
            request_id: entry.origin.request_id.clone(),
            ip: entry.origin.ip.map(|ip| ip.to_string()),
            details: entry.details.clone(),
            prev_hash: link.hash,
        };
        link = Link { seq: row.seq, hash: row.hash()? };
        rows.push((row, link.hash));
    }
    db::insert(conn, chain_id, &rows).await?;
    Ok(link)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        Row {
            chain_id: Uuid::from_u128(1),
            seq: 1,
            id: Uuid::from_u128(2),
            occurred_at: DateTime::from_timestamp_micros(1_700_000_000_000_001).unwrap(),
            actor_kind: "user".to_owned(),
            actor_id: "u".to_owned(),
            actor_display: "a@example.com".to_owned(),
            action: "api_key.created".to_owned(),
            target_kind: "api_key".to_owned(),
            target_id: "k".to_owned(),
            outcome: "success".to_owned(),
            request_id: None,
            ip: None,
            details: json!({"b": 1, "a": "é"}),
            prev_hash: [0; 32],
        }
    }

    /// The digest was computed with Python's hashlib over the canonical JSON written by hand.
    #[test]
    fn the_hash_is_what_another_implementation_computes() {
        assert_eq!(
            hex::encode(row().hash().unwrap()),
            "f92ef848847867fc97ed597da49a6bcd78cfe1198fe56934b0f80d369b78b56a"
        );
    }

    #[test]
    fn every_field_counts() {
        let base = row().hash().unwrap();
        let changed = [
            Row { seq: 2, ..row() },
            Row { actor_display: "b@example.com".to_owned(), ..row() },
            Row { ip: Some("127.0.0.1".to_owned()), ..row() },
            Row { details: json!({"b": 2, "a": "é"}), ..row() },
            Row { prev_hash: [1; 32], ..row() },
        ];
        for row in changed {
            assert_ne!(row.hash().unwrap(), base);
        }
    }

    #[test]
    fn actions_are_dotted_and_unique() {
        let mut words: Vec<_> = Action::ALL.iter().map(|action| action.as_str()).collect();
        assert!(words.iter().all(|word| word.split('.').count() == 2));
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), Action::ALL.len());
    }
}
