//! `GET /admin/dead-jobs`

use jobs::queue::dead;
use salvo::Writer as _;
use salvo::oapi::endpoint;
use salvo::prelude::Json;

use crate::access::Operator;
use crate::problem::Problem;
use crate::request::{Filter, Parameter, Query, Slice};
use crate::routes::dead_jobs::{DeadJobs, NARROW, Narrow};

/// What a list of all dead jobs can be narrowed by.
#[derive(Debug)]
pub(super) struct NarrowAll(dead::Filter);

impl Filter for NarrowAll {
    const PARAMETERS: &'static [Parameter] = &{
        let [kind, queue, reason, error_class, died_since, died_until] = NARROW;
        let org = Parameter {
            name: "org_id",
            description: "Only jobs of this organisation; the nil UUID: the platform's own.",
            words: &[],
            required: false,
        };
        [kind, org, queue, reason, error_class, died_since, died_until]
    };

    fn parse(query: Query<'_>) -> Result<Self, Problem> {
        Ok(Self(dead::Filter { tenant: query.id("org_id")?, ..Narrow::parse(query)?.0 }))
    }
}

/// Dead jobs, newest first
#[endpoint(operation_id = "list_dead_jobs", tags("admin"))]
pub(super) async fn list_dead_jobs(
    operator: Operator,
    slice: Slice<NarrowAll, dead::Cursor>,
) -> Result<Json<DeadJobs>, Problem> {
    let mut conn = operator.app.pool().acquire().await?;
    let rows = dead::list(&mut conn, &slice.filter.0, slice.after, slice.asked()).await?;
    Ok(Json(DeadJobs::of(&slice, rows)))
}
