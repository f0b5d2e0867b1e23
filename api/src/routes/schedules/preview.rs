//! `GET /orgs/{id}/schedules/preview`

use chrono::{DateTime, Utc};
use jobs::cron::{Expression, Timetable, zone};
use jobs::db::schedule;
use jobs::plan;
use salvo::Writer as _;
use salvo::oapi::{ToSchema, endpoint};
use salvo::prelude::Json;
use serde::Serialize;

use crate::access::{Tenant, Viewer};
use crate::problem::Problem;
use crate::request::{Filter, Only, Parameter, Query};

/// Firings that are shown.
const SHOWN: usize = 10;

/// What to look at.
pub(super) struct Line(Timetable);

impl Filter for Line {
    const PARAMETERS: &'static [Parameter] = &[
        Parameter {
            name: "schedule",
            description: "Five-field cron line, or `@hourly` and the like.",
            words: &[],
            required: true,
        },
        Parameter {
            name: "timezone",
            description: "IANA name of the zone that the line is read in; UTC where nothing is said.",
            words: &[],
            required: false,
        },
    ];

    fn parse(query: Query<'_>) -> Result<Self, Problem> {
        let line = query.value::<Expression>("schedule")?;
        let line = line.ok_or_else(|| Problem::bad_parameter("schedule", "is missing: 0 9 * * 1-5 is one"))?;
        let name = query.text("timezone")?.unwrap_or("UTC");
        let zone = zone(name).map_err(|error| Problem::bad_parameter("timezone", error.to_string()))?;
        Ok(Self(Timetable::new(line, zone)))
    }
}

/// What a line means.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(
    name = "SchedulePreview",
    example = json!({
        "schedule": "0 9 * * 1-5",
        "timezone": "Europe/Berlin",
        "description": "At 09:00 on Monday to Friday, Europe/Berlin time.",
        "next_runs": ["2026-01-02T08:00:00Z", "2026-01-05T08:00:00Z"],
        "interval_seconds": 86400,
        "plan_interval_seconds": 900,
        "allowed": true
    })
))]
pub(super) struct Preview {
    /// The line, as it would be stored.
    schedule: String,
    /// The zone that it is read in.
    timezone: String,
    /// The line in words.
    description: String,
    /// The next ten firings. Each schedule's are put off by up to 30 s more, by its id.
    next_runs: Vec<DateTime<Utc>>,
    /// The least time between two firings.
    interval_seconds: u64,
    /// The least that the organisation's plan allows.
    plan_interval_seconds: u64,
    /// Whether the plan allows the line.
    allowed: bool,
}

/// What a cron line means, and when it fires next
#[endpoint(operation_id = "preview_schedule", tags("scans"))]
pub(super) async fn preview_schedule(tenant: Tenant<Viewer>, line: Only<Line>) -> Result<Json<Preview>, Problem> {
    let Only(Line(timetable)) = line;
    let mut conn = tenant.app.pool().acquire().await?;
    let now = schedule::now(&mut conn).await?;
    let interval = timetable.shortest_interval();
    Ok(Json(Preview {
        schedule: timetable.expression().as_str().to_owned(),
        timezone: timetable.zone().name().to_owned(),
        description: timetable.describe(),
        next_runs: timetable.upcoming(now).take(SHOWN).collect(),
        interval_seconds: interval.as_secs(),
        plan_interval_seconds: plan::limits(tenant.plan).schedule_interval.as_secs(),
        allowed: plan::check_interval(tenant.plan, interval).is_ok(),
    }))
}
