//! `GET /orgs/{id}/accounts/{account_id}`

use jobs::db::cloud_account;
use jobs::ids::CloudAccountId;
use salvo::Writer as _;
use salvo::oapi::endpoint;
use salvo::prelude::Json;

use super::Account;
use crate::access::{Tenant, Viewer};
use crate::problem::Problem;
use crate::request::PathId;

/// One cloud account
#[endpoint(operation_id = "get_cloud_account", tags("accounts"))]
pub(super) async fn get_cloud_account(
    tenant: Tenant<Viewer>,
    account_id: PathId<CloudAccountId>,
) -> Result<Json<Account>, Problem> {
    let mut conn = tenant.app.pool().acquire().await?;
    let account = cloud_account::get(&mut conn, tenant.org, account_id.0).await?;
    Ok(Json(account.ok_or(Problem::not_found("cloud account"))?.into()))
}
