//! The contract's vocabularies as types: each word stands once, here, and is the same in the database, in JSON and in
//! messages.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A word that is not in its vocabulary.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("unknown {what} \"{found}\": one of {allowed} is expected")]
pub struct UnknownWord {
    /// Which vocabulary, in words.
    pub what: &'static str,
    /// What was given.
    pub found: String,
    /// What may be given, separated by commas.
    pub allowed: String,
}

macro_rules! vocabulary {
    ($(#[$doc:meta])* $name:ident, $what:literal, { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, sqlx::Type,
        )]
        #[sqlx(type_name = "text")]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $word)] #[sqlx(rename = $word)] $variant,)+
        }

        impl $name {
            /// Every word, in the order of the contract.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The same as the API and the database write them.
            pub const WORDS: &'static [&'static str] = &[$($word),+];

            /// The word as the API and the database write it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(UnknownWord {
                        what: $what,
                        found: text.to_owned(),
                        allowed: [$($word),+].join(", "),
                    }),
                }
            }
        }
    };
}

vocabulary!(
    /// What a person or key may do in an organisation; later ones may do less.
    Role, "role", {
        /// Everything; an organisation always keeps one.
        Owner = "owner",
        /// Everything but what concerns owners.
        Admin = "admin",
        /// Day-to-day work.
        Member = "member",
        /// Looking only.
        Viewer = "viewer",
    }
);

impl Role {
    /// Whether this role may do what `needed` may.
    #[must_use]
    pub fn covers(self, needed: Self) -> bool {
        self <= needed
    }
}

vocabulary!(
    /// What an API key may be used for.
    Scope, "scope", {
        /// GET, HEAD and OPTIONS.
        Read = "read",
        /// Every method, within the role.
        Write = "write",
    }
);
vocabulary!(
    /// Which kind of work an API key is for; it stands in the key itself.
    Environment, "environment", {
        /// Production.
        Live = "live",
        /// Development and dry runs in CI.
        Test = "test",
    }
);
vocabulary!(
    /// Whether an API key works.
    ApiKeyStatus, "status", {
        /// It does.
        Active = "active",
        /// Its time limit, or the grace of its rotation, has passed.
        Expired = "expired",
        /// Somebody revoked it; it can be brought back.
        Revoked = "revoked",
    }
);
vocabulary!(
    /// What an organisation pays for.
    Plan, "plan", {
        /// One account, a day of history.
        Free = "free",
        /// A team's size.
        Team = "team",
        /// No limits.
        Enterprise = "enterprise",
    }
);
vocabulary!(
    /// A cloud.
    Provider, "provider", {
        /// Amazon Web Services.
        Aws = "aws",
        /// Google Cloud.
        Gcp = "gcp",
        /// Microsoft Azure.
        Azure = "azure",
        /// A cluster that reports itself.
        Kubernetes = "kubernetes",
    }
);
vocabulary!(
    /// How a cloud account's credentials work.
    CredentialType, "credential_type", {
        /// A long-lived key pair.
        AccessKey = "access_key",
        /// A role to assume, with an external id.
        AssumeRole = "assume_role",
    }
);
vocabulary!(
    /// Where a Terraform state lives.
    StateSourceKind, "kind", {
        /// Google Cloud Storage.
        Gcs = "gcs",
        /// Amazon S3.
        S3 = "s3",
        /// Azure Blob Storage.
        AzureBlob = "azure_blob",
        /// Sent by hand.
        Upload = "upload",
        /// Terraform Cloud.
        Tfc = "tfc",
    }
);
vocabulary!(
    /// How far a scan, or the drift of one, has come.
    RunStatus, "status", {
        /// Waiting for a worker.
        Pending = "pending",
        /// A worker is at it.
        Running = "running",
        /// Finished.
        Done = "done",
        /// Ended without a result.
        Error = "error",
    }
);
vocabulary!(
    /// What started a scan.
    ScanType, "scan_type", {
        /// Somebody asked for it.
        Manual = "manual",
        /// A schedule did.
        Scheduled = "scheduled",
        /// An inbound webhook did.
        Webhook = "webhook",
        /// A cluster reported itself.
        Operator = "operator",
    }
);
vocabulary!(
    /// Whether all properties of a live resource are known.
    EnrichmentStatus, "enrichment_status", {
        /// As the scan found it.
        None = "none",
        /// Fetched in full.
        Enriched = "enriched",
        /// The cloud refused.
        Failed = "failed",
        /// Arrives complete, nothing to fetch.
        NotApplicable = "n/a",
    }
);

vocabulary!(
    /// Why a job died.
    DeathReason, "reason", {
        /// Its last attempt failed.
        AttemptsExhausted = "attempts_exhausted",
        /// Its handler said that it will never go better.
        FailedForGood = "failed_for_good",
        /// Its worker was lost during the last attempt.
        WorkerLost = "worker_lost",
        /// Its payload is not what the kind expects.
        UndecodablePayload = "undecodable_payload",
        /// No handler of this version knows the kind.
        UnknownKind = "unknown_kind",
    }
);

vocabulary!(
    /// Where a batch of replays stands.
    BatchState, "state", {
        /// None of its dead jobs was looked at.
        Waiting = "waiting",
        /// It is being worked off.
        Running = "running",
        /// All of its dead jobs were looked at.
        Done = "done",
        /// Somebody stopped it; what was replayed stays so.
        Cancelled = "cancelled",
    }
);

vocabulary!(
    /// How a webhook delivery stands.
    DeliveryStatus, "status", {
        /// Not tried yet.
        Pending = "pending",
        /// A worker is at it.
        InFlight = "in_flight",
        /// The receiver took it.
        Delivered = "delivered",
        /// The last attempt failed and the next one is planned; or it was cancelled.
        Failed = "failed",
        /// Given up: its job is a dead letter.
        Dlq = "dlq",
    }
);
vocabulary!(
    /// Why an attempt at a webhook delivery is made.
    Trigger, "trigger", {
        /// The event happened.
        Event = "event",
        /// The attempt before failed.
        Retry = "retry",
        /// Somebody asked to send it again.
        Replay = "replay",
        /// Somebody tries the endpoint.
        Test = "test",
    }
);

vocabulary!(
    /// What a replay of many webhook deliveries is about.
    ReplayWhich, "which", {
        /// Deliveries that failed or were given up.
        Failed = "failed",
        /// Every event that the endpoint asks for, those never sent to it included.
        All = "all",
    }
);

vocabulary!(
    /// What made a schedule fire.
    FiringTrigger, "trigger", {
        /// Its time came.
        Cron = "cron",
        /// Somebody asked to run it now.
        Manual = "manual",
    }
);
vocabulary!(
    /// What became of a schedule's firing.
    FiringOutcome, "outcome", {
        /// It started scans.
        Started = "started",
        /// Its last scans had not ended.
        StillRunning = "still_running",
        /// The plan's number of scans at once did not leave room.
        PlanLimit = "plan_limit",
        /// There was no account to scan.
        NoAccounts = "no_accounts",
        /// Nobody carried it out in time.
        Missed = "missed",
    }
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_the_same_in_text_and_json() {
        for status in RunStatus::ALL {
            assert_eq!(status.as_str().parse::<RunStatus>().unwrap(), *status);
            assert_eq!(serde_json::to_value(status).unwrap(), serde_json::json!(status.as_str()));
        }
    }

    #[test]
    fn an_unknown_word_is_told_with_the_known_ones() {
        let error = "admin".parse::<Scope>().unwrap_err();
        assert_eq!(error.to_string(), "unknown scope \"admin\": one of read, write is expected");
    }

    #[test]
    fn a_role_covers_itself_and_the_lesser_ones() {
        assert!(Role::Owner.covers(Role::Viewer));
        assert!(Role::Member.covers(Role::Member));
        assert!(!Role::Viewer.covers(Role::Member));
    }
}
