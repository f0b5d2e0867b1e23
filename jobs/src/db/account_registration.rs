//! Requests to register a cloud account. The row holds the sealed credential while its job needs it, and says which job that
//! is; how the registration stands is the job's to tell, so there is no second truth beside it.

use std::ops::AddAssign;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::batches::Batch;
use crate::ids::{CloudAccountId, JobId, OrgId};

/// A registration, without its credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRegistration {
    /// Its id, and the account's.
    pub id: CloudAccountId,
    /// The organisation.
    pub org_id: OrgId,
    /// The job that does it.
    pub job_id: JobId,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
}

/// A registration to be.
#[derive(Debug, Clone, Copy)]
pub struct NewAccountRegistration<'a> {
    /// The id that the account will have.
    pub id: CloudAccountId,
    /// The organisation.
    pub org_id: OrgId,
    /// The job, enqueued in the same transaction.
    pub job_id: JobId,
    /// `credential_ref`, sealed for the row of table `cloud_account` that it will move to.
    pub credential: &'a [u8],
}

/// Writes a registration down.
///
/// # Errors
/// The database's.
pub async fn insert(conn: &mut PgConnection, new: &NewAccountRegistration<'_>) -> sqlx::Result<AccountRegistration> {
    sqlx::query_as!(
        AccountRegistration,
        r#"INSERT INTO account_registration (id, org_id, job_id, credential) VALUES ($1, $2, $3, $4)
           RETURNING id AS "id: CloudAccountId", org_id AS "org_id: OrgId", job_id AS "job_id: JobId", created_at"#,
        new.id.uuid(),
        new.org_id.uuid(),
        new.job_id.uuid(),
        new.credential,
    )
    .fetch_one(conn)
    .await
}

/// One registration.
///
/// # Errors
/// The database's.
pub async fn get(
    conn: &mut PgConnection,
    org_id: OrgId,
    id: CloudAccountId,
) -> sqlx::Result<Option<AccountRegistration>> {
    sqlx::query_as!(
        AccountRegistration,
        r#"SELECT id AS "id: CloudAccountId", org_id AS "org_id: OrgId", job_id AS "job_id: JobId", created_at
             FROM account_registration WHERE org_id = $1 AND id = $2"#,
        org_id.uuid(),
        id.uuid(),
    )
    .fetch_optional(conn)
    .await
}

/// The sealed credential, while it is kept.
///
/// # Errors
/// The database's.
pub async fn credential(conn: &mut PgConnection, org_id: OrgId, id: CloudAccountId) -> sqlx::Result<Option<Vec<u8>>> {
    let found = sqlx::query_scalar!(
        "SELECT credential FROM account_registration WHERE org_id = $1 AND id = $2",
        org_id.uuid(),
        id.uuid(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(found.flatten())
}

/// Forgets the credential: it was moved to the account, or there will be none.
///
/// # Errors
/// The database's.
pub async fn forget_credential(conn: &mut PgConnection, org_id: OrgId, id: CloudAccountId) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE account_registration SET credential = NULL WHERE org_id = $1 AND id = $2",
        org_id.uuid(),
        id.uuid(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What [`sweep`] did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Credentials of registrations whose job could not forget them itself.
    pub credentials: u64,
    /// Registrations that nobody can ask for any more.
    pub registrations: u64,
}

impl AddAssign for Swept {
    fn add_assign(&mut self, more: Self) {
        self.credentials += more.credentials;
        self.registrations += more.registrations;
    }
}

/// Forgets the credentials of registrations whose job is gone (it was lost with its worker, or cancelled while it waited), and
/// the registrations of at least a day ago whose outcome has expired; up to `most` of each.
///
/// # Errors
/// The database's.
pub async fn sweep(conn: &mut PgConnection, most: i64) -> sqlx::Result<Batch<(), Swept>> {
    let credentials = sqlx::query!(
        "UPDATE account_registration SET credential = NULL WHERE id = ANY (ARRAY(
           SELECT r.id FROM account_registration r
            WHERE r.credential IS NOT NULL AND NOT EXISTS (SELECT FROM job j WHERE j.id = r.job_id)
            LIMIT $1 FOR UPDATE SKIP LOCKED))",
        most,
    )
    .execute(&mut *conn)
    .await?
    .rows_affected();
    let registrations = sqlx::query!(
        "DELETE FROM account_registration WHERE id = ANY (ARRAY(
           SELECT r.id FROM account_registration r
            WHERE r.created_at < now() - interval '1 day'
              AND NOT EXISTS (SELECT FROM job j WHERE j.id = r.job_id)
              AND NOT EXISTS (SELECT FROM job_outcome o WHERE o.job_id = r.job_id AND o.expires_at > now())
            ORDER BY r.created_at LIMIT $1 FOR UPDATE SKIP LOCKED))",
        most,
    )
    .execute(conn)
    .await?
    .rows_affected();
    let is_full = credentials.max(registrations) >= most.unsigned_abs();
    Ok(Batch { done: Swept { credentials, registrations }, next: is_full.then_some(()) })
}
