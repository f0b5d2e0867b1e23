//! `POST /orgs/{id}/accounts`

use jobs::audit::{Action, Entry, Target, append};
use jobs::db::cloud_account::{self, NewCloudAccount};
use jobs::db::org;
use jobs::domain::{CredentialType, Provider};
use jobs::ids::CloudAccountId;
use jobs::kinds::validate_account::{SealedCredential, ValidateAccount, Validated};
use jobs::{plan, providers, queue};
use salvo::Writer as _;
use salvo::oapi::{ToSchema, endpoint};
use serde::Deserialize;
use serde_json::json;

use super::Account;
use crate::access::{Member, Tenant};
use crate::answer::Created;
use crate::awaited::{self, Kind, Outcome};
use crate::idempotency::{Claim, Idempotency};
use crate::problem::{FieldError, PlanLimit, Problem};
use crate::request::Body;

/// A cloud account to be registered.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewAccount {
    /// Name that people see, 1 to 128 characters.
    display_name: String,
    /// The cloud; `GET /providers` lists which can be scanned.
    #[salvo(schema(value_type = String))]
    provider: Provider,
    /// The cloud's own id of the account; AWS: 12 digits. The credentials must belong to it.
    external_account_id: String,
    /// `access_key` or `assume_role`.
    #[salvo(schema(value_type = String))]
    credential_type: CredentialType,
    /// The credential as JSON text. `access_key`: `{"access_key_id", "secret_access_key", "session_token"?}`; `assume_role`:
    /// `{"role_arn"}`, a role that is assumed with the organisation's id as external id. Stored encrypted, never shown.
    credential_ref: String,
    /// Where account-wide questions are asked.
    default_region: Option<String>,
}

/// What the job that tries the credentials can say of them.
const REFUSALS: &[(&str, Kind)] = &[
    ("credential_malformed", Kind::Unprocessable),
    ("credential_invalid", Kind::Unprocessable),
    ("account_mismatch", Kind::BadRequest),
    ("region_unknown", Kind::Unprocessable),
    ("provider_unsupported", Kind::Unprocessable),
    ("cloud_unreachable", Kind::BadGateway),
    ("no_platform_identity", Kind::BadGateway),
    ("cancelled", Kind::Conflict),
];

/// Connect a cloud account
///
/// The credentials are tried against the cloud before anything is stored, and the account they belong to must be the one
/// named in `external_account_id`.
#[endpoint(operation_id = "register_cloud_account", tags("accounts"))]
pub(super) async fn register_cloud_account(
    tenant: Tenant<Member>,
    body: Body<NewAccount>,
    idempotency: Idempotency,
) -> Result<Created<Account>, Problem> {
    let new = body.0;
    check(&new)?;
    let attempt = match idempotency.claim(&tenant).await? {
        Claim::Repeated(answer) => return Ok(answer),
        Claim::First(attempt) => attempt,
    };
    // Before the cloud is asked, so that a full plan and a known account cost nothing; both are checked again below.
    let mut conn = tenant.app.pool().acquire().await?;
    check_room(cloud_account::count(&mut conn, tenant.org).await?, &tenant)?;
    let known = cloud_account::find(&mut conn, tenant.org, new.provider, &new.external_account_id).await?;
    if known.is_some() {
        return Err(Problem::conflict(
            "account_exists",
            format!("the account {} is already registered in this organisation", new.external_account_id),
        ));
    }
    drop(conn);

    let id = CloudAccountId::new();
    let credential = SealedCredential::seal(tenant.app.keyring(), tenant.org, id, &new.credential_ref)?;
    let validated = validate(&tenant, id, &new, &credential).await?;

    let mut tx = tenant.app.begin().await?;
    org::lock(&mut tx, tenant.org).await?;
    check_room(cloud_account::count(&mut tx, tenant.org).await?, &tenant)?;
    let account = cloud_account::insert(
        &mut tx,
        &NewCloudAccount {
            id,
            org_id: tenant.org,
            provider: new.provider,
            external_account_id: &validated.external_account_id,
            display_name: &new.display_name,
            credential_type: new.credential_type,
            credential: &credential.to_bytes()?,
            default_region: &validated.default_region,
        },
    )
    .await?;
    let entry = Entry {
        org: Some(tenant.org),
        actor: &tenant.caller.actor(),
        origin: &tenant.origin(),
        action: Action::CloudAccountCreated,
        target: Target { kind: "cloud_account", id: id.to_string() },
        details: json!({
            "provider": account.provider,
            "external_account_id": account.external_account_id,
            "display_name": account.display_name,
            "credential_type": account.credential_type,
            "principal": validated.principal,
        }),
    };
    append(&mut tx, &entry).await?;
    let path = format!("/api/v2/orgs/{}/accounts/{id}", tenant.org);
    attempt.commit(tx, Created::new(&Account::from(account))?.location(&path)).await
}

/// Asks the cloud, through a worker. Nothing is stored yet, so a cloud that does not answer in time is an error to be repeated,
/// not something to poll.
async fn validate(
    tenant: &Tenant<Member>,
    account_id: CloudAccountId,
    new: &NewAccount,
    credential: &SealedCredential,
) -> Result<Validated, Problem> {
    let job = ValidateAccount {
        org_id: tenant.org,
        account_id,
        provider: new.provider,
        external_account_id: new.external_account_id.clone(),
        credential_type: new.credential_type,
        credential: credential.clone(),
        default_region: new.default_region.clone(),
    };
    let mut conn = tenant.app.pool().acquire().await?;
    let enqueued = queue::enqueue_with(&mut conn, &job, &awaited::options(&tenant.context)).await?;
    drop(conn);
    match awaited::outcome(&tenant.context, enqueued.id).await? {
        Outcome::Done(validated) => Ok(validated),
        Outcome::Failed(failure) => Err(failure.into_problem(REFUSALS)),
        Outcome::Pending => Err(Problem::Unavailable {
            class: "validation_pending",
            message: "the credentials could not be tried in time, and nothing was stored: try again",
        }),
    }
}

fn check_room(used: i64, tenant: &Tenant<Member>) -> Result<(), Problem> {
    PlanLimit::check("cloud accounts", tenant.plan, plan::limits(tenant.plan).cloud_accounts, (used, 1))
}

fn check(new: &NewAccount) -> Result<(), Problem> {
    let mut fields = Vec::new();
    let mut wrong = |field: &str, message: String| fields.push(FieldError { field: field.to_owned(), message });
    if !(1..=128).contains(&new.display_name.trim().chars().count()) {
        wrong("display_name", "must have 1 to 128 characters".to_owned());
    }
    let supported = providers::find(new.provider.as_str()).filter(|provider| provider.supported);
    if supported.is_none() {
        wrong("provider", format!("accounts of {} cannot be scanned by this version: use aws", new.provider));
    } else if !is_aws_account(&new.external_account_id) {
        wrong("external_account_id", "must be an AWS account id: 12 digits".to_owned());
    }
    if let Some(region) = &new.default_region
        && !providers::is_aws_region(region)
    {
        wrong("default_region", format!("AWS has no region \"{region}\""));
    }
    if fields.is_empty() { Ok(()) } else { Err(Problem::invalid_fields(fields)) }
}

/// AWS account ids are 12 digits (AWS Account Management Reference Guide, "View AWS account identifiers").
fn is_aws_account(id: &str) -> bool {
    id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit())
}
