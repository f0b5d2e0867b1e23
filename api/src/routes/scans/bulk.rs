//! `POST /orgs/{id}/scans/bulk`

use std::collections::BTreeSet;
use std::time::Duration;

use jobs::audit::{Action, Entry, Target, append};
use jobs::db::{cloud_account, org, scan_run};
use jobs::domain::ScanType;
use jobs::ids::{CloudAccountId, ScanId};
use jobs::scans;
use salvo::Writer as _;
use salvo::oapi::{ToSchema, endpoint};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;

use super::{check_regions, check_room};
use crate::access::{Member, Tenant};
use crate::answer::Accepted;
use crate::awaited;
use crate::idempotency::{Claim, Idempotency};
use crate::limits::{self, BULK_SCANS};
use crate::problem::Problem;
use crate::request::{Body, field_id};

/// Scans to be queued.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewScans {
    /// Accounts to scan; absent or empty means all of the organisation. At most 500.
    #[serde(default)]
    account_ids: Vec<String>,
    /// Regions to read; absent or empty means every enabled one.
    #[serde(default)]
    filter_regions: Vec<String>,
}

/// The scans that were queued.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Queued {
    count: usize,
    scan_ids: Vec<String>,
}

/// Most accounts of one call.
const MAX_ACCOUNTS: usize = 500;

/// Queue one scan per cloud account
///
/// All of them or none: refused as a whole where the plan's concurrent scans would not suffice. At most five calls a minute.
#[endpoint(
    operation_id = "queue_bulk_scans",
    tags("scans"),
    responses((status_code = 402, description = "The plan's number of scans at once would be passed; none is queued"))
)]
pub(super) async fn queue_bulk_scans(
    tenant: Tenant<Member>,
    body: Body<NewScans>,
    idempotency: Idempotency,
) -> Result<Accepted<Queued>, Problem> {
    let new = body.0;
    check_regions(&new.filter_regions)?;
    let asked = asked_accounts(&new.account_ids)?;
    let attempt = match idempotency.claim(&tenant).await? {
        Claim::Repeated(answer) => return Ok(answer),
        Claim::First(attempt) => attempt,
    };
    limits::take_operation(&tenant.context, &format!("bulk_scans:{}", tenant.org), BULK_SCANS, "bulk scans").await?;
    let mut tx = tenant.app.begin().await?;
    org::lock(&mut tx, tenant.org).await?;
    let accounts = choose(&mut tx, &tenant, asked).await?;
    let more = i64::try_from(accounts.len()).unwrap_or(i64::MAX);
    check_room(scan_run::count_open(&mut tx, tenant.org).await?, more, &tenant)?;
    let options = awaited::options(&tenant.context);
    let mut ids: Vec<ScanId> = Vec::with_capacity(accounts.len());
    for cloud_account_id in accounts {
        let request = scans::Request {
            org_id: tenant.org,
            cloud_account_id,
            scan_type: ScanType::Manual,
            filter_regions: &new.filter_regions,
            ci: None,
        };
        ids.extend(scans::request(&mut tx, &request, &options).await?.map(|run| run.id));
    }
    let entry = Entry {
        org: Some(tenant.org),
        actor: &tenant.caller.actor(),
        origin: &tenant.origin(),
        action: Action::ScanQueued,
        target: Target { kind: "org", id: tenant.org.to_string() },
        details: json!({"scan_ids": ids, "filter_regions": new.filter_regions}),
    };
    append(&mut tx, &entry).await?;
    let queued = Queued { count: ids.len(), scan_ids: ids.iter().map(ToString::to_string).collect() };
    let path = format!("/api/v2/orgs/{}/scans", tenant.org);
    let answer = Accepted::new(&queued)?.location(&path).retry_after(Duration::from_secs(1));
    attempt.commit(tx, answer).await
}

/// The accounts that the body names, each once.
fn asked_accounts(ids: &[String]) -> Result<BTreeSet<CloudAccountId>, Problem> {
    if ids.len() > MAX_ACCOUNTS {
        return Err(Problem::invalid("account_ids", format!("must not have more than {MAX_ACCOUNTS} entries")));
    }
    ids.iter().enumerate().map(|(at, id)| field_id(&format!("account_ids[{at}]"), id)).collect()
}

/// All accounts for none asked; otherwise those asked, each of which must be the organisation's.
async fn choose(
    conn: &mut PgConnection,
    tenant: &Tenant<Member>,
    asked: BTreeSet<CloudAccountId>,
) -> Result<Vec<CloudAccountId>, Problem> {
    let own: Vec<CloudAccountId> =
        cloud_account::list_scannable(conn, tenant.org).await?.into_iter().map(|account| account.id).collect();
    if asked.is_empty() {
        return Ok(own);
    }
    if let Some(foreign) = asked.iter().find(|id| !own.contains(id)) {
        return Err(Problem::invalid("account_ids", format!("no such cloud account in this organisation: {foreign}")));
    }
    Ok(asked.into_iter().collect())
}
