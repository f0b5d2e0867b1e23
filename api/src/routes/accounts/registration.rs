//! `GET /orgs/{id}/accounts/registrations/{registration_id}`

use chrono::{DateTime, Utc};
use jobs::db::account_registration::{self, AccountRegistration};
use jobs::db::cloud_account;
use jobs::ids::CloudAccountId;
use salvo::Writer as _;
use salvo::oapi::{ToSchema, endpoint};
use salvo::prelude::Json;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::Account;
use crate::access::{Tenant, Viewer};
use crate::awaited::{self, Failure, Kind, Outcome};
use crate::problem::Problem;
use crate::request::PathId;

/// Why a registration can fail, and what the request is answered that still waits.
pub(super) const REFUSALS: &[(&str, Kind)] = &[
    ("credential_malformed", Kind::Unprocessable),
    ("credential_invalid", Kind::Unprocessable),
    ("account_mismatch", Kind::BadRequest),
    ("account_exists", Kind::Taken("external_account_id")),
    ("plan_limit_exceeded", Kind::PlanLimit("cloud accounts")),
    ("region_unknown", Kind::Unprocessable),
    ("provider_unsupported", Kind::Unprocessable),
    ("cloud_unreachable", Kind::BadGateway),
    ("no_platform_identity", Kind::BadGateway),
    ("cancelled", Kind::Conflict),
];

/// Where a registration stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Pending,
    Done,
    Failed,
}

/// A cloud account that is being registered.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Registration {
    /// The account has the same id.
    id: Uuid,
    org_id: Uuid,
    /// `pending`, then `done` or `failed`.
    #[salvo(schema(value_type = String))]
    status: Status,
    /// Once it is done, and for as long as the account is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[salvo(schema(required = false))]
    account: Option<Account>,
    /// Stable name of the failure, the same as the request would have been answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[salvo(schema(required = false))]
    error_class: Option<String>,
    /// The failure for a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[salvo(schema(required = false))]
    error: Option<String>,
    /// The field of the request that is to blame.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[salvo(schema(required = false))]
    field: Option<String>,
    created_at: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[salvo(schema(required = false))]
    finished_at: Option<DateTime<Utc>>,
}

/// How the registration of a cloud account stands
///
/// Can be asked for two days after its end. The account is registered when this says `done`; after `failed` nothing of it is
/// stored, and it can be tried anew.
#[endpoint(operation_id = "get_account_registration", tags("accounts"))]
pub(super) async fn get_account_registration(
    tenant: Tenant<Viewer>,
    registration_id: PathId<CloudAccountId>,
) -> Result<Json<Registration>, Problem> {
    let absent = Problem::not_found("registration");
    let mut conn = tenant.app.pool().acquire().await?;
    let Some(row) = account_registration::get(&mut conn, tenant.org, registration_id.0).await? else {
        return Err(absent);
    };
    // The job first: one that is done has stored its account.
    let standing = awaited::standing::<Value>(&mut conn, row.job_id).await?;
    let account = cloud_account::get(&mut conn, tenant.org, row.id).await?;
    let registration = Registration::pending(&row);
    if let Some(account) = account {
        // Whatever the job came to: its worker may have been lost right after it had stored the account.
        return Ok(Json(registration.done(account.into())));
    }
    let (outcome, finished_at) = standing.ok_or(absent)?;
    Ok(Json(match outcome {
        Outcome::Pending => registration,
        Outcome::Done(_) => Registration { status: Status::Done, finished_at, ..registration },
        Outcome::Failed(failure) => Registration { finished_at, ..registration.failed(failure) },
    }))
}

impl Registration {
    /// One that has just been asked for.
    pub(super) fn pending(row: &AccountRegistration) -> Self {
        Self {
            id: row.id.uuid(),
            org_id: row.org_id.uuid(),
            status: Status::Pending,
            account: None,
            error_class: None,
            error: None,
            field: None,
            created_at: row.created_at,
            finished_at: None,
        }
    }

    fn done(self, account: Account) -> Self {
        Self { status: Status::Done, finished_at: Some(account.created_at), account: Some(account), ..self }
    }

    /// A failure that the operation does not expect is ours, and its details are not told.
    fn failed(self, failure: Failure) -> Self {
        let is_known = REFUSALS.iter().any(|(class, _)| *class == failure.class);
        let (class, error, field) = if is_known {
            (failure.class, failure.message, failure.field)
        } else {
            ("internal".to_owned(), "internal error: nothing was stored, try again".to_owned(), None)
        };
        Self { status: Status::Failed, error_class: Some(class), error: Some(error), field, ..self }
    }
}
