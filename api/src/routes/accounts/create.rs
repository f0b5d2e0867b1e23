//! `POST /orgs/{id}/accounts`

use std::time::Duration;

use jobs::db::account_registration::{self, AccountRegistration, NewAccountRegistration};
use jobs::db::cloud_account;
use jobs::domain::{CredentialType, Provider};
use jobs::ids::CloudAccountId;
use jobs::kinds::validate_account::{SealedCredential, ValidateAccount};
use jobs::{plan, providers, queue};
use salvo::oapi::{Components, EndpointOutRegister, Operation, ToSchema, endpoint};
use salvo::prelude::{Depot, Request, Response, Writer, async_trait};
use serde::Deserialize;
use serde_json::Value;
use sqlx::PgConnection;

use super::Account;
use super::registration::{REFUSALS, Registration};
use crate::access::{Member, Tenant};
use crate::answer::{Accepted, Created};
use crate::awaited::{self, Outcome};
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

/// The account, or the registration to poll while the cloud has not answered.
pub(super) enum Registered {
    /// 201; or what was answered to the same request before.
    Account(Created<Account>),
    /// 202.
    Pending(Accepted<Registration>),
}

#[async_trait]
impl Writer for Registered {
    async fn write(self, req: &mut Request, depot: &mut Depot, res: &mut Response) {
        match self {
            Self::Account(answer) => answer.write(req, depot, res).await,
            Self::Pending(answer) => answer.write(req, depot, res).await,
        }
    }
}

impl EndpointOutRegister for Registered {
    fn register(components: &mut Components, operation: &mut Operation) {
        <Created<Account> as EndpointOutRegister>::register(components, operation);
        <Accepted<Registration> as EndpointOutRegister>::register(components, operation);
    }
}

/// Connect a cloud account
///
/// The credentials are tried against the cloud before the account is stored, and the account they belong to must be the one
/// named in `external_account_id`. What the cloud has not answered within 25 s is 202: the registration goes on, also when you
/// hang up; poll it at `Location`. A cloud that cannot be reached is 502 as soon as that is known. A registration that failed
/// stores nothing.
#[endpoint(
    operation_id = "register_cloud_account",
    tags("accounts"),
    responses(
        (status_code = 402, description = "The plan's number of cloud accounts is reached"),
        (status_code = 409, description = "The account is registered already, or an operator cancelled the job"),
        (status_code = 502, description = "The cloud cannot be reached, or this installation has no identity to assume the role with"),
    )
)]
pub(super) async fn register_cloud_account(
    tenant: Tenant<Member>,
    body: Body<NewAccount>,
    idempotency: Idempotency,
) -> Result<Registered, Problem> {
    let new = body.0;
    check(&new)?;
    let attempt = match idempotency.claim(&tenant).await? {
        Claim::Repeated(answer) => return Ok(Registered::Account(answer)),
        Claim::First(attempt) => attempt,
    };
    let mut tx = tenant.app.begin().await?;
    check_before(&mut tx, &tenant, &new).await?;
    let registration = request(&mut tx, &tenant, new).await?;
    let (id, job) = (registration.id, registration.job_id);
    let path = format!("/api/v2/orgs/{}/accounts", tenant.org);
    let pending = Accepted::new(&Registration::pending(&registration))?
        .location(&format!("{path}/registrations/{id}"))
        .retry_after(Duration::from_secs(2));
    attempt.begin(tx, &pending).await?;

    match awaited::outcome::<Value>(&tenant.context, job).await? {
        Outcome::Pending => Ok(Registered::Pending(pending)),
        Outcome::Failed(failure) => {
            attempt.withdraw();
            Err(failure.into_problem(REFUSALS))
        }
        Outcome::Done(_) => {
            let mut tx = tenant.app.begin().await?;
            let account = cloud_account::get(&mut tx, tenant.org, id).await?;
            let account = Account::from(account.ok_or(Problem::not_found("cloud account"))?);
            let created = Created::new(&account)?.location(&format!("{path}/{id}"));
            Ok(Registered::Account(attempt.commit(tx, created).await?))
        }
    }
}

/// A full plan and a known account cost nothing: they are told before the cloud is asked. The job checks both again.
async fn check_before(conn: &mut PgConnection, tenant: &Tenant<Member>, new: &NewAccount) -> Result<(), Problem> {
    check_room(cloud_account::count(&mut *conn, tenant.org).await?, tenant)?;
    let known = cloud_account::find(conn, tenant.org, new.provider, &new.external_account_id).await?;
    known.map_or(Ok(()), |account| {
        Err(Problem::Conflict {
            class: "account_exists",
            message: format!("the account {} is already registered in this organisation", account.external_account_id),
            field: Some("external_account_id"),
            retry_after: None,
        })
    })
}

/// Writes the registration down and enqueues the job that does it.
async fn request(
    conn: &mut PgConnection,
    tenant: &Tenant<Member>,
    new: NewAccount,
) -> Result<AccountRegistration, Problem> {
    let id = CloudAccountId::new();
    let credential = SealedCredential::seal(tenant.app.keyring(), tenant.org, id, &new.credential_ref)?;
    let job = ValidateAccount {
        org_id: tenant.org,
        account_id: id,
        provider: new.provider,
        external_account_id: new.external_account_id,
        display_name: new.display_name,
        credential_type: new.credential_type,
        default_region: new.default_region,
        actor: tenant.caller.actor(),
        origin: tenant.origin(),
    };
    let enqueued = queue::enqueue_with(&mut *conn, &job, &awaited::options(&tenant.context)).await?;
    let registration =
        NewAccountRegistration { id, org_id: tenant.org, job_id: enqueued.id, credential: credential.as_bytes() };
    Ok(account_registration::insert(conn, &registration).await?)
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
