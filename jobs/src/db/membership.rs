//! Who has which role in which organisation.

use sqlx::PgConnection;

use crate::domain::{Plan, Role};
use crate::ids::{MembershipId, OrgId, UserId};

/// A person's place in an organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// Its id.
    pub id: MembershipId,
    /// The organisation.
    pub org_id: OrgId,
    /// The organisation's short name.
    pub org_slug: String,
    /// The organisation's name.
    pub org_display_name: String,
    /// The role.
    pub role: Role,
}

/// A person's role in an organisation and its plan; `None` where the person has no place or there is no such organisation.
///
/// # Errors
/// The database's.
pub async fn find_place(conn: &mut PgConnection, org_id: OrgId, user_id: UserId) -> sqlx::Result<Option<(Role, Plan)>> {
    let row = sqlx::query!(
        r#"SELECT m.role AS "role: Role", o.plan AS "plan: Plan"
             FROM membership m JOIN org o ON o.id = m.org_id
            WHERE m.org_id = $1 AND m.user_id = $2"#,
        org_id.uuid(),
        user_id.uuid(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| (row.role, row.plan)))
}

/// A person's places, by the organisations' names.
///
/// # Errors
/// The database's.
pub async fn list_of_user(conn: &mut PgConnection, user_id: UserId) -> sqlx::Result<Vec<Membership>> {
    sqlx::query_as!(
        Membership,
        r#"SELECT m.id AS "id: MembershipId", m.org_id AS "org_id: OrgId", o.slug AS org_slug,
                  o.display_name AS org_display_name, m.role AS "role: Role"
             FROM membership m JOIN org o ON o.id = m.org_id
            WHERE m.user_id = $1 ORDER BY o.slug"#,
        user_id.uuid(),
    )
    .fetch_all(conn)
    .await
}

/// Gives a person a role in an organisation, in place of the one they may have.
///
/// # Errors
/// The database's.
pub async fn set_role(
    conn: &mut PgConnection,
    org_id: OrgId,
    user_id: UserId,
    role: Role,
) -> sqlx::Result<MembershipId> {
    sqlx::query_scalar!(
        r#"INSERT INTO membership (id, org_id, user_id, role) VALUES ($1, $2, $3, $4)
           ON CONFLICT ON CONSTRAINT membership_org_user_key DO UPDATE SET role = excluded.role
           RETURNING id AS "id: MembershipId""#,
        MembershipId::new().uuid(),
        org_id.uuid(),
        user_id.uuid(),
        role.as_str(),
    )
    .fetch_one(conn)
    .await
}
