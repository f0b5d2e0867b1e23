//! `GET /admin/jobs`

use jobs::ids::{JobId, OrgId};
use jobs::queue::live;
use salvo::Writer as _;
use salvo::oapi::endpoint;
use salvo::prelude::Json;

use crate::access::Operator;
use crate::problem::Problem;
use crate::request::{Filter, Parameter, Query, Slice};
use crate::routes::jobs::{Jobs, NARROW, Narrow, slice};

/// What a list of all jobs can be narrowed by.
#[derive(Debug)]
pub(super) struct NarrowAll {
    org: Option<OrgId>,
    narrow: Narrow,
}

impl Filter for NarrowAll {
    const PARAMETERS: &'static [Parameter] = &{
        let [queue, kind, state] = NARROW;
        let org = Parameter {
            name: "org_id",
            description: "Only jobs of this organisation; the nil UUID: the platform's own.",
            words: &[],
            required: false,
        };
        [queue, kind, state, org]
    };

    fn parse(query: Query<'_>) -> Result<Self, Problem> {
        Ok(Self { org: query.id("org_id")?, narrow: Narrow::parse(query)? })
    }
}

/// Jobs that wait or run, newest first
///
/// With `org_id`, that organisation's jobs are found at once. Without, the jobs are walked in the order of their ids, at most
/// 10,000 a call: where the other filters match few, a page may be short or even empty and still have a `next_cursor`.
#[endpoint(
    operation_id = "list_jobs",
    tags("admin"),
    responses((status_code = 422, description = "There is no such queue or kind; `error` says what there is"))
)]
pub(super) async fn list_jobs(operator: Operator, part: Slice<NarrowAll, JobId>) -> Result<Json<Jobs>, Problem> {
    let mut conn = operator.app.pool().acquire().await?;
    let filter = part.filter.narrow.check(&mut conn).await?;
    let wanted = slice(part.limit, part.after);
    let found = match part.filter.org {
        Some(org) => live::list_of(&mut conn, org.uuid(), filter, wanted).await?,
        None => live::list_all(&mut conn, filter, wanted).await?,
    };
    Ok(Json(found.into()))
}
