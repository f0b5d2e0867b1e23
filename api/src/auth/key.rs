//! API keys: one lookup by hash, and a clear reason for each way in which a key can have ended.

use jobs::crypto::api_key;
use jobs::db;
use jobs::db::api_key::Standing;

use super::{Caller, Key, Principal};
use crate::context::Context;
use crate::problem::Problem;

/// The caller behind a well-formed key.
///
/// # Errors
/// 401 with `key_unknown`, `key_revoked`, `key_expired` or `key_grace_ended`.
pub async fn verify(text: &str, context: &Context) -> Result<Caller, Problem> {
    let mut conn = context.app.pool().acquire().await?;
    let hash = api_key::hash(text);
    let found = db::api_key::find_by_hash(&mut conn, &hash).await?;
    // The index compares byte by byte; what it found is compared again in constant time.
    let Some(found) = found.filter(|found| api_key::matches(&found.key_hash, text)) else {
        return Err(Problem::unauthenticated("key_unknown", "this API key does not exist"));
    };
    let refusal = match found.standing {
        Standing::Active => None,
        Standing::Revoked => Some(("key_revoked", "this API key was revoked")),
        Standing::Expired => Some(("key_expired", "this API key has expired")),
        Standing::GraceEnded => {
            Some(("key_grace_ended", "this API key was rotated and its grace period has ended: use its successor"))
        }
    };
    if let Some((class, message)) = refusal {
        return Err(Problem::unauthenticated(class, message));
    }
    if found.touch {
        db::api_key::touch(&mut conn, found.org_id, found.id).await?;
    }
    Ok(Caller {
        principal: Principal::Key(Key {
            id: found.id,
            org: found.org_id,
            plan: found.plan,
            name: found.name,
            environment: found.environment,
            role: found.role,
            scopes: found.scopes.iter().filter_map(|scope| scope.parse().ok()).collect(),
        }),
    })
}
