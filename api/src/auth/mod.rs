//! Who is calling.
//!
//! Two credentials: an API key in `X-API-Key` or as a Bearer token, and a user token (a JWT) as a Bearer token. Platform
//! operators have keys of their own, which go the same way and open `/api/v2/admin` and nothing else. A key is recognised
//! by its shape, so what is neither key nor JWT is refused before anything is looked up. There is no cache of
//! lookups: a revocation holds for the next request on every machine.

pub mod builtin;
mod claims;
mod domains;
mod key;
mod oidc;
mod operator;
mod tokens;

use jobs::audit::{Actor, ActorKind};
use jobs::crypto::api_key::{self, KeyKind};
use jobs::db;
use jobs::domain::{Environment, Plan, Role, Scope};
use jobs::ids::{ApiKeyId, OperatorKeyId, OrgId, UserId};
use salvo::http::header::AUTHORIZATION;
use salvo::http::{HeaderMap, HeaderValue};
use salvo::prelude::Request;

use crate::context::Context;
use crate::limits;
use crate::problem::Problem;

pub use claims::Unsaid;
pub use domains::Domains;
pub use oidc::{Issuer, Settings};
pub use tokens::{Identity, Tokens};

/// A caller whose credential holds.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Person or machine.
    pub principal: Principal,
}

/// Person or machine.
#[derive(Clone, Debug)]
pub enum Principal {
    /// A person with a user token.
    User(User),
    /// An organisation's API key.
    Key(Key),
}

/// A person.
#[derive(Clone, Debug)]
pub struct User {
    /// The person's id.
    pub id: UserId,
    /// The email the issuer vouches for.
    pub email: String,
    /// A name, if there is one.
    pub display_name: Option<String>,
}

/// An API key.
#[derive(Clone, Debug)]
pub struct Key {
    /// The key's id.
    pub id: ApiKeyId,
    /// Its organisation.
    pub org: OrgId,
    /// The organisation's plan.
    pub plan: Plan,
    /// Its name.
    pub name: String,
    /// live or test.
    pub environment: Environment,
    /// The most it may do.
    pub role: Role,
    /// What it may be used for.
    pub scopes: Vec<Scope>,
}

/// A platform operator: a key of `plumbline operator create`.
#[derive(Clone, Debug)]
pub struct Operator {
    /// The key's id.
    pub id: OperatorKeyId,
    /// Whose or what for.
    pub name: String,
}

impl Operator {
    /// The operator as the audit chain names it.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor { kind: ActorKind::Operator, id: self.id.to_string(), display: self.name.clone() }
    }

    /// Kind and id in one word, as [`Caller::name`].
    #[must_use]
    pub fn name(&self) -> String {
        format!("operator:{}", self.id)
    }
}

/// What a caller is in an organisation.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The role.
    pub role: Role,
    /// The organisation's plan.
    pub plan: Plan,
}

impl Caller {
    /// The caller as the audit chain names it.
    #[must_use]
    pub fn actor(&self) -> Actor {
        match &self.principal {
            Principal::User(user) => {
                Actor { kind: ActorKind::User, id: user.id.to_string(), display: user.email.clone() }
            }
            Principal::Key(key) => Actor { kind: ActorKind::ApiKey, id: key.id.to_string(), display: key.name.clone() },
        }
    }

    /// Kind and id in one word, for buckets, idempotency keys and the access log.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.principal {
            Principal::User(user) => format!("user:{}", user.id),
            Principal::Key(key) => format!("key:{}", key.id),
        }
    }

    /// The person, if it is one.
    #[must_use]
    pub const fn user(&self) -> Option<&User> {
        match &self.principal {
            Principal::User(user) => Some(user),
            Principal::Key(_) => None,
        }
    }
}

/// Finds out who calls. Refusals count against the caller's address, and one with too many is told so instead; a credential
/// that holds is never refused for its address' sake, which others may share.
///
/// # Errors
/// 400 for two credentials at once, 401 for none or one that does not hold, 403 for an operator's key, 429.
pub async fn authenticate(req: &Request, context: &Context) -> Result<Caller, Problem> {
    let result = match credential(req.headers()) {
        Ok(Credential::Key(key)) => key::verify(&key, context).await,
        Ok(Credential::Token(token)) => tokens::verify(&token, context).await,
        Ok(Credential::Operator(_)) => Err(Problem::forbidden(
            "operator_key_not_allowed",
            "operators' keys are for /api/v2/admin and the console only",
        )),
        Err(problem) => Err(problem),
    };
    note(result, Caller::name, context)
}

/// Finds out which operator calls; refusals count as in [`authenticate`].
///
/// # Errors
/// 400 for two credentials at once, 401 for none or one that does not hold, 403 for a good one that is no operator's, 429.
pub async fn authenticate_operator(req: &Request, context: &Context) -> Result<Operator, Problem> {
    let result = match credential(req.headers()) {
        Ok(Credential::Operator(key)) => operator::verify(&key, context).await,
        Ok(Credential::Key(key)) => key::verify(&key, context).await.and_then(|_| Err(operators_only())),
        Ok(Credential::Token(token)) => tokens::verify(&token, context).await.and_then(|_| Err(operators_only())),
        Err(Problem::Unauthenticated { class: "credential_missing", .. }) => Err(Problem::unauthenticated(
            "credential_missing",
            "send an operator's key (pl_op_…) in Authorization: Bearer or in X-API-Key",
        )),
        Err(problem) => Err(problem),
    };
    note(result, Operator::name, context)
}

// No issuer's token and no row makes a person a platform admin yet; when one does, this is the place to let them in.
fn operators_only() -> Problem {
    Problem::forbidden(
        "operator_key_required",
        "/api/v2/admin is for platform operators: use an operator's key (pl_op_…), which `plumbline operator create` makes",
    )
}

/// Leaves the caller's name for the log, or counts the refusal.
fn note<T>(result: Result<T, Problem>, name: impl FnOnce(&T) -> String, context: &Context) -> Result<T, Problem> {
    match &result {
        Ok(caller) => context.left(|left| left.caller = Some(name(caller))),
        Err(Problem::Unauthenticated { class, .. }) => {
            metrics::counter!("http_refused_credentials_total", "reason" => *class).increment(1);
            limits::count_refusal(context)?;
        }
        Err(_) => {}
    }
    result
}

/// What a caller is in an organisation; `None` where it has no place in it or there is none.
///
/// # Errors
/// When the database fails.
pub async fn place(caller: &Caller, org: OrgId, context: &Context) -> Result<Option<Place>, Problem> {
    match &caller.principal {
        Principal::Key(key) => Ok((key.org == org).then_some(Place { role: key.role, plan: key.plan })),
        Principal::User(user) => {
            let mut conn = context.app.pool().acquire().await?;
            let found = db::membership::find_place(&mut conn, org, user.id).await?;
            Ok(found.map(|(role, plan)| Place { role, plan }))
        }
    }
}

enum Credential {
    Key(String),
    Operator(String),
    Token(String),
}

fn credential(headers: &HeaderMap) -> Result<Credential, Problem> {
    let key = single(headers, "x-api-key")?;
    let bearer = single(headers, AUTHORIZATION.as_str())?;
    match (key, bearer) {
        (Some(_), Some(_)) => {
            Err(Problem::bad_request("two_credentials", "send either X-API-Key or Authorization, not both"))
        }
        (None, None) => Err(Problem::unauthenticated(
            "credential_missing",
            "send an API key in X-API-Key or a user token in Authorization: Bearer",
        )),
        (Some(key), None) => key_shape(text(key)?),
        (None, Some(header)) => {
            let token = text(header)?
                .split_once(' ')
                .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
                .map(|(_, token)| token.trim())
                .ok_or_else(malformed)?;
            // A JWT has two dots and a key has none.
            if token.bytes().filter(|byte| *byte == b'.').count() == 2 {
                Ok(Credential::Token(token.to_owned()))
            } else {
                key_shape(token)
            }
        }
    }
}

/// The one value of a header; repeating a credential is as ambiguous as sending two.
fn single<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a HeaderValue>, Problem> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(Problem::bad_request("two_credentials", "a credential's header is sent twice"));
    }
    Ok(first)
}

fn text(value: &HeaderValue) -> Result<&str, Problem> {
    value.to_str().map_err(|_| malformed())
}

fn key_shape(text: &str) -> Result<Credential, Problem> {
    match api_key::parse(text) {
        Some(KeyKind::Org(_)) => Ok(Credential::Key(text.to_owned())),
        Some(KeyKind::Operator) => Ok(Credential::Operator(text.to_owned())),
        None => Err(malformed()),
    }
}

fn malformed() -> Problem {
    Problem::unauthenticated(
        "credential_malformed",
        "this is neither an API key nor a user token: check that it was copied whole",
    )
}
