//! The role that a connection belongs to, for whoever owns the whole server.

use sqlx::{AssertSqlSafe, PgConnection};

use crate::crypto::scram;

/// Sees to it that the password of the connection's own role is kept as a SCRAM verifier of one iteration, so that new
/// connections cost next to nothing; true if it was not. The role must be a superuser, the password a long random one.
///
/// # Errors
/// The database's.
pub async fn lighten_password(conn: &mut PgConnection, password: &str) -> sqlx::Result<bool> {
    let is_light: Option<bool> =
        sqlx::query_scalar("SELECT starts_with(rolpassword, $1) FROM pg_authid WHERE rolname = current_user")
            .bind(scram::ONE_ITERATION)
            .fetch_one(&mut *conn)
            .await?;
    if is_light == Some(true) {
        return Ok(false);
    }
    // Utility statements take no parameters; a verifier is base64 and punctuation without quotes.
    let statement = format!("ALTER ROLE CURRENT_USER PASSWORD '{}'", scram::verifier(password));
    sqlx::query(AssertSqlSafe(statement)).execute(conn).await?;
    Ok(true)
}
