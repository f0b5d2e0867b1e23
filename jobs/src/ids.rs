//! Typed ids, so that a scan's id cannot be passed where an account's is wanted.
//!
//! All are UUID v7 (RFC 9562): made by the application, sortable by time, kind to B-tree indexes.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, sqlx::Type,
        )]
        #[serde(transparent)]
        #[sqlx(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id of this moment.
            #[must_use]
            #[allow(clippy::new_without_default, reason = "a default id would be a different one each time")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// The bare UUID, for queries.
            #[must_use]
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }
    };
}

id!(
    /// An organisation: the tenant.
    OrgId
);
id!(
    /// A person.
    UserId
);
id!(
    /// A person's role in an organisation.
    MembershipId
);
id!(
    /// An organisation's API key.
    ApiKeyId
);
id!(
    /// A platform operator's key.
    OperatorKeyId
);
id!(
    /// A registered cloud account.
    CloudAccountId
);
id!(
    /// Where a Terraform state lives.
    StateSourceId
);
id!(
    /// One parsed version of a state.
    StateSnapshotId
);
id!(
    /// A resource that a state declares.
    DeclaredResourceId
);
id!(
    /// One scan of one account.
    ScanId
);
id!(
    /// A resource that a scan found.
    LiveResourceId
);
id!(
    /// The drift of one scan.
    DriftSnapshotId
);
id!(
    /// Something that happened and may be told to subscribers.
    EventId
);
id!(
    /// A job in the queue.
    JobId
);
id!(
    /// A batch of replays of dead jobs.
    ReplayBatchId
);
id!(
    /// An address of a subscriber, to which events are delivered.
    WebhookEndpointId
);
id!(
    /// When scans begin by themselves.
    ScheduleId
);
id!(
    /// Evidence for an auditor.
    CompliancePackId
);

id!(
    /// An event for an endpoint.
    DeliveryId
);
id!(
    /// A replay of many of an endpoint's events.
    WebhookReplayId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_the_time_they_were_made() {
        let ids: Vec<ScanId> = (0..100).map(|_| ScanId::new()).collect();
        assert!(ids.is_sorted());
        assert_eq!(ids[7].to_string().parse::<ScanId>().unwrap(), ids[7]);
    }
}
