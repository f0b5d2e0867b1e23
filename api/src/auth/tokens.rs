//! User tokens: who vouches for people, and which person a token stands for.

use jobs::crypto::Keyring;
use jobs::db;

use super::oidc::Issuer;
use super::{Caller, Principal, User, builtin};
use crate::context::Context;
use crate::problem::Problem;

/// Who vouches for people. Exactly one of them: a token of the built-in issuer is worth nothing once a real one is there.
#[derive(Debug)]
pub enum Tokens {
    /// An OpenID Connect issuer.
    Oidc(Issuer),
    /// Development: tokens that `plumbline token` made under the master key.
    Builtin(builtin::Key),
}

impl Tokens {
    /// The built-in issuer of this installation.
    #[must_use]
    pub fn builtin(keyring: &Keyring) -> Self {
        Self::Builtin(builtin::Key::of(keyring))
    }
}

/// A person as an issuer describes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// `iss`.
    pub issuer: String,
    /// `sub`.
    pub subject: String,
    /// Verified, lower case.
    pub email: String,
    /// `name`.
    pub display_name: Option<String>,
}

/// The caller behind a token; a person seen for the first time is written down. That is no event of the audit chain: the row
/// repeats what the issuer says, gives no rights, and belongs to no organisation. The role that a person gets later is one.
///
/// # Errors
/// 401 where the token does not hold or the person is switched off, 502 where the issuer cannot be asked for its keys.
pub async fn verify(token: &str, context: &Context) -> Result<Caller, Problem> {
    let identity = match context.app.tokens() {
        Tokens::Oidc(issuer) => issuer.verify(token).await?,
        Tokens::Builtin(key) => key.verify(token)?,
    };
    let mut conn = context.app.pool().acquire().await?;
    let known = db::user::find_by_identity(&mut conn, &identity.issuer, &identity.subject).await?;
    let user = match known {
        Some(user) if user.email == identity.email => user,
        _ => {
            let seen = db::user::Seen {
                issuer: &identity.issuer,
                subject: &identity.subject,
                email: &identity.email,
                display_name: identity.display_name.as_deref(),
            };
            db::user::upsert(&mut conn, &seen).await?
        }
    };
    if user.disabled_at.is_some() {
        return Err(Problem::unauthenticated("user_disabled", "this person was switched off by an administrator"));
    }
    Ok(Caller { principal: Principal::User(User { id: user.id, email: user.email, display_name: user.display_name }) })
}
