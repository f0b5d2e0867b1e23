//! API keys. The secret itself never comes here to stay: only its hash and its visible beginning are stored.
//!
//! A key is `revoked` while `revoked_at` is set; `expired` when its time limit or the grace of its rotation has passed; and
//! `active` otherwise. The database's clock decides.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::page::{Listed, Page};
use crate::crypto::api_key;
use crate::domain::{ApiKeyStatus, Environment, Plan, Role, Scope};
use crate::ids::{ApiKeyId, OrgId, UserId};

/// A key, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// Name that people see.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// live or test.
    pub environment: Environment,
    /// The most it may do.
    pub role: Role,
    /// Words of [`Scope`].
    pub scopes: Vec<String>,
    /// First characters, which stay visible.
    pub key_prefix: String,
    /// The key that this one succeeds.
    pub rotated_from: Option<ApiKeyId>,
    /// Until when it works after its rotation; set on the predecessor.
    pub grace_ends_at: Option<DateTime<Utc>>,
    /// Time limit.
    pub expires_at: Option<DateTime<Utc>>,
    /// Set while it is revoked.
    pub revoked_at: Option<DateTime<Utc>>,
    /// Roughly when it was last used.
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// Last change of its fields.
    pub updated_at: DateTime<Utc>,
    /// active, expired or revoked, now.
    pub status: ApiKeyStatus,
}

/// Expands to a checked query of whole [`ApiKey`]s between two pieces of SQL.
macro_rules! keys {
    ($before:literal, $after:literal $(, $arg:expr)* $(,)?) => {
        sqlx::query_as!(
            ApiKey,
            $before
                + r#" id AS "id: ApiKeyId", name, description, environment AS "environment: Environment",
                role AS "role: Role", scopes, key_prefix, rotated_from AS "rotated_from: ApiKeyId", grace_ends_at,
                expires_at, revoked_at, last_used_at, created_at, updated_at,
                CASE WHEN revoked_at IS NOT NULL THEN 'revoked'
                     WHEN least(expires_at, grace_ends_at) <= now() THEN 'expired'
                     ELSE 'active' END AS "status!: ApiKeyStatus" "#
                + $after
            $(, $arg)*
        )
    };
}

/// A key to be.
#[derive(Debug, Clone, Copy)]
pub struct NewApiKey<'a> {
    /// The organisation.
    pub org_id: OrgId,
    /// 3 to 128 characters.
    pub name: &'a str,
    /// Up to 500 characters.
    pub description: Option<&'a str>,
    /// live or test; must be that of `raw_key`.
    pub environment: Environment,
    /// The most it may do.
    pub role: Role,
    /// What it may be used for; not empty.
    pub scopes: &'a [Scope],
    /// The key itself, of which the hash and the visible part are kept.
    pub raw_key: &'a str,
    /// The person who creates it.
    pub created_by: Option<UserId>,
    /// The key it succeeds.
    pub rotated_from: Option<ApiKeyId>,
    /// Time limit.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Stores a new key.
///
/// # Errors
/// The database's.
pub async fn insert(conn: &mut PgConnection, new: &NewApiKey<'_>) -> sqlx::Result<ApiKey> {
    let scopes: Vec<String> = new.scopes.iter().map(ToString::to_string).collect();
    let hash = api_key::hash(new.raw_key);
    keys!(
        "INSERT INTO api_key (id, org_id, name, description, environment, role, scopes, key_prefix, key_hash, created_by,
                              rotated_from, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
         RETURNING",
        "",
        ApiKeyId::new().uuid(),
        new.org_id.uuid(),
        new.name,
        new.description,
        new.environment.as_str(),
        new.role.as_str(),
        &scopes,
        api_key::visible(new.raw_key),
        hash.as_slice(),
        new.created_by.map(UserId::uuid),
        new.rotated_from.map(ApiKeyId::uuid),
        new.expires_at,
    )
    .fetch_one(conn)
    .await
}

/// One key.
///
/// # Errors
/// The database's.
pub async fn find(conn: &mut PgConnection, org_id: OrgId, id: ApiKeyId) -> sqlx::Result<Option<ApiKey>> {
    keys!("SELECT", "FROM api_key WHERE org_id = $1 AND id = $2", org_id.uuid(), id.uuid()).fetch_optional(conn).await
}

/// One key, locked until the transaction ends.
///
/// # Errors
/// The database's.
pub async fn lock(conn: &mut PgConnection, org_id: OrgId, id: ApiKeyId) -> sqlx::Result<Option<ApiKey>> {
    keys!("SELECT", "FROM api_key WHERE org_id = $1 AND id = $2 FOR UPDATE", org_id.uuid(), id.uuid())
        .fetch_optional(conn)
        .await
}

/// The newest keys first; revoked ones too, until they are purged.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut PgConnection, org_id: OrgId, page: Page) -> sqlx::Result<Listed<ApiKey>> {
    let total = sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM api_key WHERE org_id = $1"#, org_id.uuid())
        .fetch_one(&mut *conn)
        .await?;
    let rows = keys!(
        "SELECT",
        "FROM api_key WHERE org_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2 OFFSET $3",
        org_id.uuid(),
        page.limit,
        page.offset,
    )
    .fetch_all(conn)
    .await?;
    Ok(Listed { rows, total })
}

/// How many keys take a place in the plan: active ones, without those whose successor has theirs.
///
/// # Errors
/// The database's.
pub async fn count_active(conn: &mut PgConnection, org_id: OrgId) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM api_key
            WHERE org_id = $1 AND revoked_at IS NULL AND grace_ends_at IS NULL
              AND (expires_at IS NULL OR expires_at > now())"#,
        org_id.uuid()
    )
    .fetch_one(conn)
    .await
}

/// New name, description and role; the caller has locked the key.
///
/// # Errors
/// The database's.
pub async fn update(conn: &mut PgConnection, org_id: OrgId, key: &ApiKey) -> sqlx::Result<ApiKey> {
    keys!(
        "UPDATE api_key SET name = $3, description = $4, role = $5, updated_at = now() WHERE org_id = $1 AND id = $2
         RETURNING",
        "",
        org_id.uuid(),
        key.id.uuid(),
        key.name,
        key.description,
        key.role.as_str(),
    )
    .fetch_one(conn)
    .await
}

/// Revokes a key. `None` when there is none, or it is revoked already.
///
/// # Errors
/// The database's.
pub async fn revoke(conn: &mut PgConnection, org_id: OrgId, id: ApiKeyId) -> sqlx::Result<Option<ApiKey>> {
    keys!(
        "UPDATE api_key SET revoked_at = now(), updated_at = now()
          WHERE org_id = $1 AND id = $2 AND revoked_at IS NULL RETURNING",
        "",
        org_id.uuid(),
        id.uuid(),
    )
    .fetch_optional(conn)
    .await
}

/// Brings a revoked key back; the caller has locked it and checked that it may come back.
///
/// # Errors
/// The database's.
pub async fn activate(conn: &mut PgConnection, org_id: OrgId, id: ApiKeyId) -> sqlx::Result<ApiKey> {
    keys!(
        "UPDATE api_key SET revoked_at = NULL, updated_at = now() WHERE org_id = $1 AND id = $2 RETURNING",
        "",
        org_id.uuid(),
        id.uuid(),
    )
    .fetch_one(conn)
    .await
}

/// Lets a key that has a successor live for its grace: 24 hours, or until its time limit where that is sooner.
///
/// # Errors
/// The database's.
pub async fn begin_grace(conn: &mut PgConnection, org_id: OrgId, id: ApiKeyId) -> sqlx::Result<DateTime<Utc>> {
    sqlx::query_scalar!(
        r#"UPDATE api_key SET grace_ends_at = least(now() + interval '24 hours', expires_at), updated_at = now()
            WHERE org_id = $1 AND id = $2 RETURNING grace_ends_at AS "grace_ends_at!""#,
        org_id.uuid(),
        id.uuid(),
    )
    .fetch_one(conn)
    .await
}

/// Replaces a key's secret; the former one is dead at once.
///
/// # Errors
/// The database's.
pub async fn regenerate(conn: &mut PgConnection, org_id: OrgId, id: ApiKeyId, raw_key: &str) -> sqlx::Result<ApiKey> {
    let hash = api_key::hash(raw_key);
    keys!(
        "UPDATE api_key SET key_prefix = $3, key_hash = $4, last_used_at = NULL, updated_at = now()
          WHERE org_id = $1 AND id = $2 RETURNING",
        "",
        org_id.uuid(),
        id.uuid(),
        api_key::visible(raw_key),
        hash.as_slice(),
    )
    .fetch_one(conn)
    .await
}

/// Deletes a key for good; the audit chain's rows about it stay.
///
/// # Errors
/// The database's.
pub async fn purge(conn: &mut PgConnection, org_id: OrgId, id: ApiKeyId) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM api_key WHERE org_id = $1 AND id = $2", org_id.uuid(), id.uuid()).execute(conn).await?;
    Ok(())
}

/// Whether a key works; more exact than [`ApiKeyStatus`], for whoever was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Standing {
    /// It does.
    Active,
    /// It was revoked.
    Revoked,
    /// It was rotated and the grace is over.
    GraceEnded,
    /// Its time limit has passed.
    Expired,
}

/// What a request's key is and may do.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its id.
    pub id: ApiKeyId,
    /// Its organisation.
    pub org_id: OrgId,
    /// The organisation's plan.
    pub plan: Plan,
    /// Its name.
    pub name: String,
    /// live or test.
    pub environment: Environment,
    /// The most it may do.
    pub role: Role,
    /// Words of [`Scope`].
    pub scopes: Vec<String>,
    /// SHA-256 of the key.
    pub key_hash: Vec<u8>,
    /// Whether it works, and why not.
    pub standing: Standing,
    /// Its last use was noted more than a minute ago: call [`touch`].
    pub touch: bool,
}

/// The key with this hash, whatever its state: the one query by a credential, and so the one without an organisation.
///
/// # Errors
/// The database's.
pub async fn find_by_hash(conn: &mut PgConnection, hash: &[u8; 32]) -> sqlx::Result<Option<Found>> {
    sqlx::query_as!(
        Found,
        r#"SELECT k.id AS "id: ApiKeyId", k.org_id AS "org_id: OrgId", o.plan AS "plan: Plan", k.name,
                  k.environment AS "environment: Environment", k.role AS "role: Role", k.scopes, k.key_hash,
                  CASE WHEN k.revoked_at IS NOT NULL THEN 'revoked'
                       WHEN k.grace_ends_at <= now() THEN 'grace_ended'
                       WHEN k.expires_at <= now() THEN 'expired'
                       ELSE 'active' END AS "standing!: Standing",
                  coalesce(k.last_used_at < now() - interval '1 minute', true) AS "touch!"
             FROM api_key k JOIN org o ON o.id = k.org_id WHERE k.key_hash = $1"#,
        hash.as_slice(),
    )
    .fetch_optional(conn)
    .await
}

/// Notes that a key was used. Of many requests at once one writes.
///
/// # Errors
/// The database's.
pub async fn touch(conn: &mut PgConnection, org_id: OrgId, id: ApiKeyId) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE api_key SET last_used_at = now()
          WHERE org_id = $1 AND id = $2 AND coalesce(last_used_at < now() - interval '1 minute', true)",
        org_id.uuid(),
        id.uuid(),
    )
    .execute(conn)
    .await?;
    Ok(())
}
