//! How often.
//!
//! Every caller has a bucket by its plan, kept in the database so that it is one for all machines; operations that are
//! costly have one more ([`take_operation`]). Addresses that send bad credentials have a bucket in memory
//! ([`Addresses`], [`count_refusal`]); it never stands in the way of a good one, as many may share an address.
//!
//! All are token buckets as GCRA (the generic cell rate algorithm, ITU-T I.371): a bucket is one time, when it will be full
//! again.

mod addresses;

use std::time::Duration;

use jobs::db;
use jobs::domain::Plan;
use jobs::ids::OrgId;
use jobs::plan;

use crate::auth::{Caller, Operator};
use crate::context::Context;
use crate::problem::Problem;

pub use addresses::Addresses;
pub use db::rate_limit::{Allowance, Rate};

/// Bulk scans, for each organisation.
pub const BULK_SCANS: Rate = Rate { burst: 5, window: Duration::from_mins(1) };
/// New API keys, for each person or creating key.
pub const NEW_KEYS: Rate = Rate { burst: 10, window: Duration::from_hours(1) };

/// Takes one request from the caller's bucket, and leaves its state for the answer's headers.
///
/// # Errors
/// 429 when the bucket is empty.
pub async fn take(context: &Context, caller: &Caller, org: Option<(OrgId, Plan)>) -> Result<(), Problem> {
    let (bucket, plan) = match (&caller.principal, org) {
        (crate::auth::Principal::Key(key), _) => (caller.name(), key.plan),
        (crate::auth::Principal::User(_), Some((org, plan))) => (format!("{}:{org}", caller.name()), plan),
        (crate::auth::Principal::User(_), None) => (caller.name(), Plan::Free),
    };
    take_from(context, &bucket, plan).await
}

/// Takes one request from an operator's bucket, which is as large as the largest plan's.
///
/// # Errors
/// 429 when the bucket is empty.
pub async fn take_operator(context: &Context, operator: &Operator) -> Result<(), Problem> {
    take_from(context, &operator.name(), Plan::Enterprise).await
}

async fn take_from(context: &Context, bucket: &str, plan: Plan) -> Result<(), Problem> {
    let rate = Rate { burst: plan::limits(plan).requests_per_minute, window: Duration::from_mins(1) };
    let mut conn = context.app.pool().acquire().await?;
    let allowance = db::rate_limit::take(&mut conn, bucket, rate).await?;
    context.left(|left| left.allowance = Some(allowance));
    check(context, allowance, "requests")
}

/// Takes one call of a costly operation from its own bucket: `name` with whose it is, such as `bulk_scans:<org>`. `what` is
/// what the refusal says there were too many of.
///
/// # Errors
/// 429 when the bucket is empty.
pub async fn take_operation(context: &Context, bucket: &str, rate: Rate, what: &'static str) -> Result<(), Problem> {
    let mut conn = context.app.pool().acquire().await?;
    let allowance = db::rate_limit::take(&mut conn, bucket, rate).await?;
    check(context, allowance, what)
}

/// Counts a refused credential against the caller's address.
///
/// # Errors
/// 429 when the address has had too many.
pub fn count_refusal(context: &Context) -> Result<(), Problem> {
    match context.ip.map(|ip| context.app.addresses().count(ip)) {
        Some(Err(allowance)) => check(context, allowance, "refused credentials from this address"),
        Some(Ok(())) | None => Ok(()),
    }
}

/// The answer's headers tell of the bucket that refused.
fn check(context: &Context, allowance: Allowance, what: &'static str) -> Result<(), Problem> {
    let Some(retry_after) = allowance.refused_for else {
        return Ok(());
    };
    context.left(|left| left.allowance = Some(allowance));
    Err(Problem::RateLimited { what, retry_after })
}
