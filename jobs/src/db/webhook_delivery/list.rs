//! An endpoint's deliveries, narrowed by status, type and time.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, Postgres, QueryBuilder};
use uuid::{Timestamp, Uuid};

use super::{Delivery, FROM, SELECT};
use crate::db::page::Page;
use crate::domain::DeliveryStatus;
use crate::ids::{OrgId, WebhookEndpointId};

/// A list is counted so far and no further: it may have millions of rows.
pub const COUNTED: i64 = 10_000;
/// Deliveries in flight are looked for among so many that are due: what is due longest is sent first.
const DUE: i64 = 1_000;

/// Whose deliveries.
#[derive(Debug, Clone, Copy)]
pub struct Of {
    /// The organisation.
    pub org_id: OrgId,
    /// The endpoint.
    pub endpoint_id: WebhookEndpointId,
    /// Whether it is deleted: what was not sent then is cancelled.
    pub is_deleted: bool,
}

/// Which deliveries; what is absent narrows nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter<'a> {
    /// That stand so.
    pub status: Option<DeliveryStatus>,
    /// Of this type of event.
    pub event_type: Option<&'a str>,
    /// Of events since then.
    pub since: Option<DateTime<Utc>>,
    /// Of events before then.
    pub until: Option<DateTime<Utc>>,
}

/// A part of the list, and what is known of the whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Narrowed {
    /// The rows of the page.
    pub rows: Vec<Delivery>,
    /// Rows of the whole list; [`COUNTED`] means so many or more.
    pub total: i64,
}

impl Filter<'_> {
    /// Appends the condition. Only what is asked for stands in it, so that the planner sees which index serves it.
    fn push(&self, query: &mut QueryBuilder<Postgres>, of: Of) {
        query.push(" FROM webhook_delivery w WHERE org_id = ").push_bind(of.org_id.uuid());
        query.push(" AND endpoint_id = ").push_bind(of.endpoint_id.uuid());
        match self.status {
            None => {}
            // The oldest that are due are enough to find them.
            Some(DeliveryStatus::InFlight) => {
                query.push(
                    " AND next_attempt_at <= now() AND id IN (SELECT id FROM webhook_delivery WHERE endpoint_id = ",
                );
                query.push_bind(of.endpoint_id.uuid());
                query.push(" AND next_attempt_at <= now() ORDER BY next_attempt_at LIMIT ").push(DUE);
                query.push(") AND").push(WORKER).push(" IS NOT NULL");
            }
            Some(status @ (DeliveryStatus::Pending | DeliveryStatus::Failed)) => {
                match (of.is_deleted, status) {
                    (false, status) => query.push(" AND state = ").push_bind(status.as_str()),
                    (true, DeliveryStatus::Failed) => query.push(" AND state IN ('pending', 'failed')"),
                    (true, _) => query.push(" AND false"),
                };
                query.push(" AND").push(WORKER).push(" IS NULL");
            }
            Some(status @ (DeliveryStatus::Delivered | DeliveryStatus::Dlq)) => {
                query.push(" AND state = ").push_bind(status.as_str());
            }
        }
        if let Some(event_type) = self.event_type {
            query.push(" AND event_type = ").push_bind(event_type.to_owned());
        }
        // Ids of events begin with their time, to the millisecond.
        if let Some(since) = self.since {
            query.push(" AND event_id >= ").push_bind(first_id(since));
        }
        if let Some(until) = self.until {
            query.push(" AND event_id < ").push_bind(first_id(until));
        }
    }
}

/// The worker that is at a delivery. A value and not an EXISTS, which may be joined by reading all jobs of everybody.
const WORKER: &str = " (SELECT j.claimed_by FROM job j WHERE j.id = w.job_id)";

/// The deliveries of an endpoint, newest event first. Planned anew each time: one plan for all that may be asked would be a bad one for
/// most of it.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut PgConnection, of: Of, filter: Filter<'_>, page: Page) -> sqlx::Result<Narrowed> {
    let mut count = QueryBuilder::<Postgres>::new("SELECT count(*) FROM (SELECT");
    filter.push(&mut count, of);
    // In the order of an index, or all of the table might be read for them.
    count.push(" ORDER BY event_id DESC LIMIT ").push(COUNTED).push(") counted");
    let total: i64 = count.build_query_scalar().persistent(false).fetch_one(&mut *conn).await?;

    let mut rows = QueryBuilder::<Postgres>::new(SELECT);
    rows.push("SELECT *");
    filter.push(&mut rows, of);
    // Written out: a plan for any limit would be one for many rows.
    rows.push(" ORDER BY event_id DESC LIMIT ").push(page.limit).push(" OFFSET ").push(page.offset);
    rows.push(FROM).push(" ORDER BY d.event_id DESC");
    Ok(Narrowed { rows: rows.build_query_as().persistent(false).fetch_all(conn).await?, total })
}

/// The first id that an event of this time can have.
fn first_id(time: DateTime<Utc>) -> Uuid {
    let seconds = u64::try_from(time.timestamp()).unwrap_or_default();
    let timestamp = Timestamp::from_unix_time(seconds, time.timestamp_subsec_nanos(), 0, 0);
    let mut bytes = Uuid::new_v7(timestamp).into_bytes();
    bytes[6..].fill(0);
    Uuid::from_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_where_its_ids_begin() {
        let before = Uuid::now_v7();
        let time = Utc::now();
        let first = first_id(time);
        assert!(first > first_id(time - chrono::TimeDelta::milliseconds(1)));
        assert!(before.as_bytes()[..6] <= first.as_bytes()[..6]);
        assert!(first < Uuid::new_v7(Timestamp::from_unix_time(time.timestamp().unsigned_abs() + 1, 0, 0, 0)));
    }
}
