//! `GET /orgs/{id}/accounts`

use jobs::db::cloud_account;
use salvo::Writer as _;
use salvo::oapi::{ToSchema, endpoint};
use salvo::prelude::Json;
use serde::Serialize;

use super::Account;
use crate::access::{Tenant, Viewer};
use crate::problem::Problem;
use crate::request::Page;

/// A page of cloud accounts.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Accounts {
    accounts: Vec<Account>,
    total: i64,
    limit: i64,
    offset: i64,
}

/// Page through the registered cloud accounts
///
/// Newest first. Credentials are left out.
#[endpoint(operation_id = "list_cloud_accounts", tags("accounts"))]
pub(super) async fn list_cloud_accounts(
    tenant: Tenant<Viewer>,
    page: Page<(), 100, 500>,
) -> Result<Json<Accounts>, Problem> {
    let mut conn = tenant.app.pool().acquire().await?;
    let listed = cloud_account::list(&mut conn, tenant.org, page.rows()).await?;
    Ok(Json(Accounts {
        accounts: listed.rows.into_iter().map(Account::from).collect(),
        total: listed.total,
        limit: page.limit,
        offset: page.offset,
    }))
}
