//! The built-in issuer, for development and for installations without an identity provider yet: `plumbline token` makes
//! tokens under a key derived from the master key (HS256). Whoever can read the master key can be anybody, which is true of
//! the database as well; with an OIDC issuer configured these tokens are refused and none are made.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jobs::audit::{self, Action, Actor, Entry, Origin, Target};
use jobs::crypto::Keyring;
use jobs::db;
use jobs::domain::Role;
use jobs::ids::OrgId;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, encode};
use serde::Serialize;
use serde_json::json;
use sqlx::{Connection as _, PgConnection};

use super::Identity;
use super::claims::{self, Expected, Unsaid};
use crate::problem::Problem;

/// `iss` of these tokens.
pub const ISSUER: &str = "plumbline";
/// `aud` of these tokens.
pub const AUDIENCE: &str = "plumbline";
/// How long a token holds.
pub const LIFETIME: Duration = Duration::from_hours(12);

const LABEL: &str = "builtin user tokens";

/// The key that signs and verifies.
pub struct Key(DecodingKey);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

impl Key {
    /// This installation's.
    #[must_use]
    pub fn of(keyring: &Keyring) -> Self {
        Self(DecodingKey::from_secret(&keyring.derive(LABEL)))
    }

    pub(super) fn verify(&self, token: &str) -> Result<Identity, Problem> {
        claims::header(token, &[Algorithm::HS256])?;
        let expected = Expected { issuer: ISSUER, audience: AUDIENCE, unsaid: Unsaid::Refused };
        claims::verify(token, Algorithm::HS256, &self.0, expected)
    }
}

/// Whom a token is for.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The organisation the person gets the role in.
    pub org: OrgId,
    /// The person's email, which also is the token's subject.
    pub email: &'a str,
    /// The role.
    pub role: Role,
    /// Who gives the role, for the audit chain.
    pub by: &'a Actor,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    email: &'a str,
    email_verified: bool,
    iat: u64,
    exp: u64,
}

/// Why no token was made.
#[derive(Debug, thiserror::Error)]
pub enum MintError {
    /// Not an email.
    #[error("\"{0}\" is not an email address")]
    Email(String),
    /// No such organisation.
    #[error("no organisation {0}: `plumbline org list` shows what there is")]
    Org(OrgId),
    /// The token could not be signed.
    #[error(transparent)]
    Sign(#[from] jsonwebtoken::errors::Error),
    /// The audit chain cannot be continued.
    #[error(transparent)]
    Audit(#[from] audit::AppendError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Makes a token, and the person and the role where they are missing. Must not be offered where an OIDC issuer is set.
///
/// # Errors
/// See [`MintError`].
pub async fn mint(conn: &mut PgConnection, keyring: &Keyring, request: Request<'_>) -> Result<String, MintError> {
    let email = request.email.to_lowercase();
    if !is_email(&email) {
        return Err(MintError::Email(email));
    }
    let mut tx = conn.begin().await?;
    if db::org::find(&mut tx, request.org).await?.is_none() {
        return Err(MintError::Org(request.org));
    }
    let seen = db::user::Seen { issuer: ISSUER, subject: &email, email: &email, display_name: None };
    let user = db::user::upsert(&mut tx, &seen).await?;
    give_role(&mut tx, request, &user).await?;
    tx.commit().await?;
    Ok(sign(keyring, &email, LIFETIME)?)
}

/// What is taken for an email address: its owner gets no mail from us, so it need not be more than recognisable.
#[must_use]
pub fn is_email(text: &str) -> bool {
    text.contains('@') && text.len() <= 254
}

/// Gives the person the role, with its row of the organisation's audit chain; nothing where they have it already.
async fn give_role(conn: &mut PgConnection, request: Request<'_>, user: &db::user::User) -> Result<(), MintError> {
    let former = db::membership::find_place(conn, request.org, user.id).await?.map(|(role, _)| role);
    if former == Some(request.role) {
        return Ok(());
    }
    let id = db::membership::set_role(conn, request.org, user.id, request.role).await?;
    let entry = Entry {
        org: Some(request.org),
        actor: request.by,
        origin: &Origin::default(),
        action: Action::MembershipCreated,
        target: Target { kind: "membership", id: id.to_string() },
        details: json!({"user_id": user.id, "email": user.email, "role": request.role, "former_role": former}),
    };
    audit::append(conn, &entry).await?;
    Ok(())
}

fn sign(keyring: &Keyring, email: &str, lifetime: Duration) -> Result<String, jsonwebtoken::errors::Error> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let claims = Claims {
        iss: ISSUER,
        aud: AUDIENCE,
        sub: email,
        email,
        email_verified: true,
        iat: now,
        exp: now + lifetime.as_secs(),
    };
    let key = EncodingKey::from_secret(&keyring.derive(LABEL));
    encode(&Header::new(Algorithm::HS256), &claims, &key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_holds_here_and_nowhere_else() {
        let keyring = || Keyring::parse(&Keyring::generate(), None).unwrap();
        let (here, elsewhere) = (keyring(), keyring());
        let token = sign(&here, "a@example.com", LIFETIME).unwrap();
        let identity = Key::of(&here).verify(&token).unwrap();
        assert_eq!(identity.email, "a@example.com");
        assert_eq!(Key::of(&elsewhere).verify(&token).unwrap_err().class(), "token_signature_invalid");
    }
}
