//! Operators' keys: one lookup by hash; a revoked one is not told from one that never was.

use jobs::crypto::api_key;
use jobs::db;

use super::Operator;
use crate::context::Context;
use crate::problem::Problem;

/// The operator behind a well-formed key.
///
/// # Errors
/// 401 with `key_unknown`.
pub async fn verify(text: &str, context: &Context) -> Result<Operator, Problem> {
    let mut conn = context.app.pool().acquire().await?;
    let found = db::operator_key::find(&mut conn, text).await?;
    // The index compares byte by byte; what it found is compared again in constant time.
    let Some(found) = found.filter(|found| api_key::matches(&found.key_hash, text)) else {
        return Err(Problem::unauthenticated("key_unknown", "this operator's key does not exist or was revoked"));
    };
    if found.touch {
        db::operator_key::touch(&mut conn, found.id).await?;
    }
    Ok(Operator { id: found.id, name: found.name })
}
