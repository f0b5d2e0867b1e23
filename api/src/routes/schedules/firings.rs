//! `GET /orgs/{id}/schedules/{sid}/firings`

use chrono::{DateTime, Utc};
use jobs::db::schedule;
use jobs::domain::{FiringOutcome, FiringTrigger};
use jobs::ids::ScheduleId;
use salvo::Writer as _;
use salvo::oapi::{ToSchema, endpoint};
use salvo::prelude::Json;
use serde::Serialize;

use super::unknown;
use crate::access::{Tenant, Viewer};
use crate::problem::Problem;
use crate::request::{Page, PathId};

/// A firing, as it went.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "ScheduleFiring"))]
struct Firing {
    /// The time that the schedule's line names; for a request to run it now, the time of that.
    scheduled_for: DateTime<Utc>,
    /// When it was carried out.
    fired_at: DateTime<Utc>,
    /// `cron`, or `manual` for a request to run it now.
    #[salvo(schema(value_type = String))]
    trigger: FiringTrigger,
    /// `started`; or why no scan was: `still_running` (its last scans had not ended), `plan_limit`, `no_accounts`, `missed` (no scheduler
    /// ran when it was due).
    #[salvo(schema(value_type = String))]
    outcome: FiringOutcome,
    /// Scans that were started.
    scans: i32,
    /// Accounts left out because the schedule's last scan of them had not ended.
    passed_over: i32,
    /// Scans that failed, once all have ended.
    failed: Option<i32>,
    /// When the last of its scans ended.
    finished_at: Option<DateTime<Utc>>,
    /// Firings before it that nobody carried out; this one stands for them. Counted up to 10,000.
    missed_count: i32,
    /// The first of those.
    missed_since: Option<DateTime<Utc>>,
}

/// A page of firings.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "ScheduleFiringList"))]
pub(super) struct List {
    /// The page's firings, newest first.
    firings: Vec<Firing>,
    /// How many there are in all; 10,000 means so many or more.
    total: i64,
    /// As asked for.
    limit: i64,
    /// As asked for.
    offset: i64,
}

/// What became of a schedule's firings
///
/// Also of those that started no scan, and why.
#[endpoint(operation_id = "list_schedule_firings", tags("scans"))]
pub(super) async fn list_schedule_firings(
    tenant: Tenant<Viewer>,
    sid: PathId<ScheduleId>,
    page: Page<(), 20, 100>,
) -> Result<Json<List>, Problem> {
    let mut conn = tenant.app.pool().acquire().await?;
    let schedule = schedule::find(&mut conn, tenant.org, sid.0).await?.ok_or(unknown())?;
    let (rows, total) = schedule::list_firings(&mut conn, (tenant.org, schedule.id), page.rows()).await?;
    let firings = rows.into_iter().map(Firing::from).collect();
    Ok(Json(List { firings, total, limit: page.limit, offset: page.offset }))
}

impl From<schedule::Firing> for Firing {
    fn from(firing: schedule::Firing) -> Self {
        let schedule::Firing { scheduled_for, trigger, outcome, scans, passed_over, .. } = firing;
        Self {
            scheduled_for,
            fired_at: firing.fired_at,
            trigger,
            outcome,
            scans,
            passed_over,
            failed: firing.failed,
            finished_at: firing.finished_at,
            missed_count: firing.missed_count,
            missed_since: firing.missed_since,
        }
    }
}
