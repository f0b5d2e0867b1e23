//! People, as identity providers describe them.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::ids::UserId;

/// A person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The person's id.
    pub id: UserId,
    /// Last email the issuer gave, lower case.
    pub email: String,
    /// Name, if there is one.
    pub display_name: Option<String>,
    /// Set when the person was switched off.
    pub disabled_at: Option<DateTime<Utc>>,
    /// First sight.
    pub created_at: DateTime<Utc>,
}

/// A person as a token describes them.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// `iss`.
    pub issuer: &'a str,
    /// `sub`.
    pub subject: &'a str,
    /// `email`, lower case.
    pub email: &'a str,
    /// `name`.
    pub display_name: Option<&'a str>,
}

/// The person whom an issuer knows by this subject.
///
/// # Errors
/// The database's.
pub async fn find_by_identity(conn: &mut PgConnection, issuer: &str, subject: &str) -> sqlx::Result<Option<User>> {
    sqlx::query_as!(
        User,
        r#"SELECT id AS "id: UserId", email, display_name, disabled_at, created_at
             FROM app_user WHERE issuer = $1 AND subject = $2"#,
        issuer,
        subject,
    )
    .fetch_optional(conn)
    .await
}

/// Writes a person down at first sight, and a changed email later. A name that the person has already is kept.
///
/// # Errors
/// The database's.
pub async fn upsert(conn: &mut PgConnection, seen: &Seen<'_>) -> sqlx::Result<User> {
    sqlx::query_as!(
        User,
        r#"INSERT INTO app_user AS u (id, issuer, subject, email, display_name) VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT ON CONSTRAINT app_user_identity_key
           DO UPDATE SET email = excluded.email, display_name = coalesce(u.display_name, excluded.display_name)
           RETURNING id AS "id: UserId", email, display_name, disabled_at, created_at"#,
        UserId::new().uuid(),
        seen.issuer,
        seen.subject,
        seen.email,
        seen.display_name,
    )
    .fetch_one(conn)
    .await
}
