//! Registered cloud accounts. Credentials are sealed before they come here and leave sealed ([`credential`]); no other
//! function reads them.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::page::{Listed, Page};
use crate::domain::{CredentialType, Provider};
use crate::ids::{CloudAccountId, OrgId, ScanId};

/// An account, without its credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloudAccount {
    /// Its id.
    pub id: CloudAccountId,
    /// The organisation.
    pub org_id: OrgId,
    /// The cloud.
    pub provider: Provider,
    /// The cloud's own id of the account.
    pub external_account_id: String,
    /// Name that people see.
    pub display_name: String,
    /// How the credential works.
    pub credential_type: CredentialType,
    /// Where account-wide questions are asked.
    pub default_region: String,
    /// Resources that are there as of the last scan.
    pub live_resource_count: i64,
    /// The newest scan that ended done.
    pub last_scan_id: Option<ScanId>,
    /// When the cloud last accepted the credential.
    pub last_validated_at: Option<DateTime<Utc>>,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
}

/// Expands to a checked query of whole [`CloudAccount`]s between two pieces of SQL.
macro_rules! accounts {
    ($before:literal, $after:literal $(, $arg:expr)* $(,)?) => {
        sqlx::query_as!(
            CloudAccount,
            $before
                + r#" id AS "id: CloudAccountId", org_id AS "org_id: OrgId", provider AS "provider: Provider",
                external_account_id, display_name, credential_type AS "credential_type: CredentialType", default_region,
                live_resource_count, last_scan_id AS "last_scan_id: ScanId", last_validated_at, created_at "#
                + $after
            $(, $arg)*
        )
    };
}

/// An account whose credential the cloud has just accepted.
#[derive(Debug, Clone, Copy)]
pub struct NewCloudAccount<'a> {
    /// Its id, made before because the credential is sealed for it.
    pub id: CloudAccountId,
    /// The organisation.
    pub org_id: OrgId,
    /// The cloud.
    pub provider: Provider,
    /// The cloud's own id of the account.
    pub external_account_id: &'a str,
    /// Name that people see, 1 to 128 characters.
    pub display_name: &'a str,
    /// How the credential works.
    pub credential_type: CredentialType,
    /// `credential_ref`, sealed for table `cloud_account`, column `credential` and this row.
    pub credential: &'a [u8],
    /// Where account-wide questions are asked.
    pub default_region: &'a str,
}

/// Registers an account, validated now.
///
/// # Errors
/// The database's; constraint `cloud_account_identity_key` when the organisation has this account already.
pub async fn insert(conn: &mut PgConnection, new: &NewCloudAccount<'_>) -> sqlx::Result<CloudAccount> {
    accounts!(
        "INSERT INTO cloud_account (id, org_id, provider, external_account_id, display_name, credential_type, credential,
                                    default_region, last_validated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, now())
         RETURNING",
        "",
        new.id.uuid(),
        new.org_id.uuid(),
        new.provider.as_str(),
        new.external_account_id,
        new.display_name,
        new.credential_type.as_str(),
        new.credential,
        new.default_region,
    )
    .fetch_one(conn)
    .await
}

/// One account.
///
/// # Errors
/// The database's.
pub async fn get(conn: &mut PgConnection, org_id: OrgId, id: CloudAccountId) -> sqlx::Result<Option<CloudAccount>> {
    accounts!("SELECT", "FROM cloud_account WHERE org_id = $1 AND id = $2", org_id.uuid(), id.uuid())
        .fetch_optional(conn)
        .await
}

/// The account with the cloud's own id.
///
/// # Errors
/// The database's.
pub async fn find(
    conn: &mut PgConnection,
    org_id: OrgId,
    provider: Provider,
    external_account_id: &str,
) -> sqlx::Result<Option<CloudAccount>> {
    accounts!(
        "SELECT",
        "FROM cloud_account WHERE org_id = $1 AND provider = $2 AND external_account_id = $3",
        org_id.uuid(),
        provider.as_str(),
        external_account_id,
    )
    .fetch_optional(conn)
    .await
}

/// The newest accounts first.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut PgConnection, org_id: OrgId, page: Page) -> sqlx::Result<Listed<CloudAccount>> {
    let total = count(&mut *conn, org_id).await?;
    let rows = accounts!(
        "SELECT",
        "FROM cloud_account WHERE org_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2 OFFSET $3",
        org_id.uuid(),
        page.limit,
        page.offset,
    )
    .fetch_all(conn)
    .await?;
    Ok(Listed { rows, total })
}

/// All accounts that workers can scan, oldest first: a cluster reports itself and is not among them.
///
/// # Errors
/// The database's.
pub async fn list_scannable(conn: &mut PgConnection, org_id: OrgId) -> sqlx::Result<Vec<CloudAccount>> {
    accounts!(
        "SELECT",
        "FROM cloud_account WHERE org_id = $1 AND provider <> 'kubernetes' ORDER BY created_at, id",
        org_id.uuid(),
    )
    .fetch_all(conn)
    .await
}

/// Which of these accounts are an organisation's.
///
/// # Errors
/// The database's.
pub async fn own(conn: &mut PgConnection, org_id: OrgId, ids: &[CloudAccountId]) -> sqlx::Result<Vec<CloudAccountId>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    sqlx::query_scalar!(
        r#"SELECT id AS "id: CloudAccountId" FROM cloud_account WHERE org_id = $1 AND id = ANY ($2) ORDER BY id"#,
        org_id.uuid(),
        &ids,
    )
    .fetch_all(conn)
    .await
}

/// Accounts of an organisation: what the plan's `cloud_accounts` limits. Count while the organisation's row is locked.
///
/// # Errors
/// The database's.
pub async fn count(conn: &mut PgConnection, org_id: OrgId) -> sqlx::Result<i64> {
    sqlx::query_scalar!(r#"SELECT count(*) AS "accounts!" FROM cloud_account WHERE org_id = $1"#, org_id.uuid())
        .fetch_one(conn)
        .await
}

/// Accounts of all organisations that are read by assuming a role; for operators.
///
/// # Errors
/// The database's.
pub async fn count_roles(conn: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar!(r#"SELECT count(*) AS "accounts!" FROM cloud_account WHERE credential_type = 'assume_role'"#)
        .fetch_one(conn)
        .await
}

/// The sealed credential of an account.
///
/// # Errors
/// The database's.
pub async fn credential(conn: &mut PgConnection, org_id: OrgId, id: CloudAccountId) -> sqlx::Result<Option<Vec<u8>>> {
    sqlx::query_scalar!("SELECT credential FROM cloud_account WHERE org_id = $1 AND id = $2", org_id.uuid(), id.uuid(),)
        .fetch_optional(conn)
        .await
}

/// Notes that the cloud has accepted the credential now.
///
/// # Errors
/// The database's.
pub async fn set_validated(conn: &mut PgConnection, org_id: OrgId, id: CloudAccountId) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE cloud_account SET last_validated_at = now() WHERE org_id = $1 AND id = $2",
        org_id.uuid(),
        id.uuid(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes the newest scan that ended done and counts the live resources that it left.
///
/// # Errors
/// The database's.
pub async fn set_scanned(
    conn: &mut PgConnection,
    org_id: OrgId,
    id: CloudAccountId,
    scan_id: ScanId,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE cloud_account SET last_scan_id = $3, live_resource_count =
            (SELECT count(*) FROM live_resource l WHERE l.cloud_account_id = $2 AND l.org_id = $1 AND l.status = 'active')
          WHERE org_id = $1 AND id = $2",
        org_id.uuid(),
        id.uuid(),
        scan_id.uuid(),
    )
    .execute(conn)
    .await?;
    Ok(())
}
