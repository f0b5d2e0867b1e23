//! Which dead jobs are meant, and where a page of them begins.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::Listed;
use crate::domain::DeathReason;

/// Which dead jobs; what is absent narrows nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Filter {
    /// Of this kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Of this organisation; the nil UUID means the platform's own.
    #[serde(rename = "org_id", skip_serializing_if = "Option::is_none")]
    pub tenant: Option<Uuid>,
    /// Of this queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// Dead for this reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<DeathReason>,
    /// Whose last failure was of this class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_class: Option<String>,
    /// Dead since then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub died_since: Option<DateTime<Utc>>,
    /// Dead before then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub died_until: Option<DateTime<Utc>>,
}

impl Filter {
    /// Appends the condition. Only what is asked for stands in it: a condition that also allowed for "any" would hide from
    /// the planner which index serves it.
    pub(in crate::queue) fn push(&self, query: &mut QueryBuilder<Postgres>) {
        query.push(" WHERE true");
        let texts = [
            (" AND kind = ", self.kind.as_deref()),
            (" AND queue = ", self.queue.as_deref()),
            (" AND reason = ", self.reason.map(DeathReason::as_str)),
            (" AND error_class = ", self.error_class.as_deref()),
        ];
        for (condition, text) in texts {
            if let Some(text) = text {
                query.push(condition).push_bind(text.to_owned());
            }
        }
        if let Some(tenant) = self.tenant {
            query.push(" AND tenant = ").push_bind(tenant);
        }
        if let Some(since) = self.died_since {
            query.push(" AND died_at >= ").push_bind(since);
        }
        if let Some(until) = self.died_until {
            query.push(" AND died_at < ").push_bind(until);
        }
    }
}

/// The last row of a page: the next one begins after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    died_at: DateTime<Utc>,
    id: Uuid,
}

impl Cursor {
    /// After this row.
    #[must_use]
    pub fn after(row: &Listed) -> Self {
        Self { died_at: row.died_at, id: row.id.uuid() }
    }

    /// Appends the condition that continues a list, newest first.
    pub(super) fn push(self, query: &mut QueryBuilder<Postgres>) {
        query.push(" AND (died_at, id) < (").push_bind(self.died_at).push(", ").push_bind(self.id).push(")");
    }
}
