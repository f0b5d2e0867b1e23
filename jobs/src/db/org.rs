//! Organisations: the tenants.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::domain::Plan;
use crate::ids::OrgId;

/// An organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Org {
    /// Its id.
    pub id: OrgId,
    /// Short unique name.
    pub slug: String,
    /// Name that people see.
    pub display_name: String,
    /// Decides limits and features.
    pub plan: Plan,
    /// When it was created.
    pub created_at: DateTime<Utc>,
}

/// An organisation to be.
#[derive(Debug, Clone, Copy)]
pub struct NewOrg<'a> {
    /// 1 to 63 characters: lower-case letters, digits and hyphens inside.
    pub slug: &'a str,
    /// 1 to 128 characters.
    pub display_name: &'a str,
    /// The plan.
    pub plan: Plan,
}

/// Whether a slug has the shape that the table asks for.
#[must_use]
pub fn is_slug(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len()) && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

/// Creates an organisation.
///
/// # Errors
/// The database's; constraint `org_slug_key` when the slug is taken.
pub async fn insert(conn: &mut PgConnection, new: &NewOrg<'_>) -> sqlx::Result<Org> {
    sqlx::query_as!(
        Org,
        r#"INSERT INTO org (id, slug, display_name, plan) VALUES ($1, $2, $3, $4)
           RETURNING id AS "id: OrgId", slug, display_name, plan AS "plan: Plan", created_at"#,
        OrgId::new().uuid(),
        new.slug,
        new.display_name,
        new.plan.as_str(),
    )
    .fetch_one(conn)
    .await
}

/// One organisation.
///
/// # Errors
/// The database's.
pub async fn find(conn: &mut PgConnection, id: OrgId) -> sqlx::Result<Option<Org>> {
    sqlx::query_as!(
        Org,
        r#"SELECT id AS "id: OrgId", slug, display_name, plan AS "plan: Plan", created_at FROM org WHERE id = $1"#,
        id.uuid(),
    )
    .fetch_optional(conn)
    .await
}

/// Those of these tenants that are organisations.
///
/// # Errors
/// The database's.
pub async fn existing(conn: &mut PgConnection, tenants: &[Uuid]) -> sqlx::Result<BTreeSet<OrgId>> {
    let ids =
        sqlx::query_scalar!(r#"SELECT id AS "id: OrgId" FROM org WHERE id = ANY($1)"#, tenants).fetch_all(conn).await?;
    Ok(ids.into_iter().collect())
}

/// All organisations by name; for operators.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut PgConnection) -> sqlx::Result<Vec<Org>> {
    sqlx::query_as!(
        Org,
        r#"SELECT id AS "id: OrgId", slug, display_name, plan AS "plan: Plan", created_at FROM org ORDER BY slug"#
    )
    .fetch_all(conn)
    .await
}

/// Locks an organisation until the transaction ends, and tells its plan: whoever checks a plan's limit does it under this
/// lock, so that two requests cannot both take the last place. `None` when there is no such organisation. Whoever writes rows
/// that refer to the organisation, as the ingestion of a state does for long, neither waits for it nor is waited for.
///
/// # Errors
/// The database's.
pub async fn lock(conn: &mut PgConnection, id: OrgId) -> sqlx::Result<Option<Plan>> {
    sqlx::query_scalar!(r#"SELECT plan AS "plan: Plan" FROM org WHERE id = $1 FOR NO KEY UPDATE"#, id.uuid())
        .fetch_optional(conn)
        .await
}

/// The plans of organisations.
///
/// # Errors
/// The database's.
pub async fn plans(conn: &mut PgConnection, orgs: &[OrgId]) -> sqlx::Result<Vec<(OrgId, Plan)>> {
    let ids: Vec<Uuid> = orgs.iter().map(|org| org.uuid()).collect();
    let rows = sqlx::query!(
        r#"SELECT id AS "id: OrgId", plan AS "plan: Plan" FROM org WHERE id = ANY ($1) ORDER BY id"#,
        &ids
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.plan)).collect())
}

/// As [`lock`], several in the order of their ids, so that two such transactions do not wait for each other crosswise.
///
/// # Errors
/// The database's.
pub async fn lock_many(conn: &mut PgConnection, orgs: &[OrgId]) -> sqlx::Result<Vec<(OrgId, Plan)>> {
    let ids: Vec<Uuid> = orgs.iter().map(|org| org.uuid()).collect();
    let rows = sqlx::query!(
        r#"SELECT id AS "id: OrgId", plan AS "plan: Plan" FROM org WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE"#,
        &ids
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.plan)).collect())
}

#[cfg(test)]
mod tests {
    use super::is_slug;

    #[test]
    fn slugs_are_as_the_table_checks_them() {
        for good in ["a", "acme", "a-1", "0-0", &"x".repeat(63)] {
            assert!(is_slug(good), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a_b", "a b", "é", &"x".repeat(64)] {
            assert!(!is_slug(bad), "{bad}");
        }
    }
}
