//! Who may call an operation: the first argument of almost every endpoint.
//!
//! [`Tenant<P>`] is for paths under `/api/v2/orgs/{id}`, [`Signed<P>`] for the rest that need a credential. The policy `P`
//! says which credentials and which role are enough; scopes follow from the method. The checks run in this order, so that
//! nobody learns about what is not theirs: credential (401), organisation (404), rate (429), kind, scope, role (403).
//!
//! [`Operator`] is for `/api/v2/admin`.
//!
//! A viewer may look, whoever changes something needs at least `member`; the contract names the operations that need more.

use std::marker::PhantomData;
use std::ops::Deref;

use jobs::audit::Actor;
use jobs::domain::{Plan, Role, Scope};
use jobs::ids::OrgId;
use salvo::extract::{Extractible, Metadata};
use salvo::http::{Method, StatusCode};
use salvo::oapi::{Components, EndpointArgRegister, Operation, SecurityRequirement};
use salvo::prelude::{Depot, Request};
use serde_json::json;

use crate::auth::{self, Caller, Principal};
use crate::context::{self, Context};
use crate::limits;
use crate::problem::{self, Problem};
use crate::request::path;

/// Which credentials an operation takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// A user token or an API key.
    Any,
    /// A user token only: the audit trail shall name a person.
    Person,
    /// An API key only.
    Key,
}

/// What an operation asks of its caller.
pub trait Policy: Send + Sync + 'static {
    /// Which credentials are taken.
    const CREDENTIALS: Credentials;
    /// The least role in the organisation.
    const ROLE: Role;
}

macro_rules! role {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name;

        impl Policy for $name {
            const CREDENTIALS: Credentials = Credentials::Any;
            const ROLE: Role = Role::$name;
        }
    };
}

role!(
    /// Anybody in the organisation; for looking.
    Viewer
);
role!(
    /// Members, admins and owners; for day-to-day changes.
    Member
);
role!(
    /// Admins and owners.
    Admin
);
role!(
    /// Owners.
    Owner
);

/// The same role, but people only: API keys get 403 `user_token_required`.
#[derive(Clone, Copy, Debug)]
pub struct Person<P>(PhantomData<P>);

impl<P: Policy> Policy for Person<P> {
    const CREDENTIALS: Credentials = Credentials::Person;
    const ROLE: Role = P::ROLE;
}

/// The same role, but API keys only: people get 403 `api_key_required`.
#[derive(Clone, Copy, Debug)]
pub struct KeyOnly<P>(PhantomData<P>);

impl<P: Policy> Policy for KeyOnly<P> {
    const CREDENTIALS: Credentials = Credentials::Key;
    const ROLE: Role = P::ROLE;
}

/// A caller who may do this in the organisation of the path.
#[derive(Debug)]
pub struct Tenant<P> {
    /// The organisation; goes into every query.
    pub org: OrgId,
    /// Its plan, as of the start of the request.
    pub plan: Plan,
    /// The caller's role in it.
    pub role: Role,
    signed: Signed<P>,
}

impl<P> Deref for Tenant<P> {
    type Target = Signed<P>;

    fn deref(&self) -> &Signed<P> {
        &self.signed
    }
}

/// A caller with a valid credential.
#[derive(Debug)]
pub struct Signed<P> {
    /// Who calls.
    pub caller: Caller,
    /// The request's context: application, id, address.
    pub context: Context,
    policy: PhantomData<fn() -> P>,
}

impl<P> Deref for Signed<P> {
    type Target = Context;

    fn deref(&self) -> &Context {
        &self.context
    }
}

impl<'ex, P: Policy> Extractible<'ex> for Tenant<P> {
    fn metadata() -> &'static Metadata {
        static METADATA: Metadata = Metadata::new("");
        &METADATA
    }

    #[allow(refining_impl_trait, reason = "the error type is part of what callers see")]
    async fn extract(req: &'ex mut Request, depot: &'ex mut Depot) -> Result<Self, Problem> {
        let context = context::of(depot)?.clone();
        let caller = auth::authenticate(req, &context).await?;
        let unknown = Problem::not_found("organisation");
        let Ok(org) = path::parse::<OrgId>(req, "id") else {
            return Err(unknown);
        };
        let Some(place) = auth::place(&caller, org, &context).await? else {
            return Err(unknown);
        };
        limits::take(&context, &caller, Some((org, place.plan))).await?;
        check_org_header(req, org)?;
        check_credentials::<P>(&caller)?;
        check_scope(&caller, req.method())?;
        if !place.role.covers(P::ROLE) {
            return Err(Problem::forbidden(
                "insufficient_role",
                format!("this needs the role {} and yours is {}", P::ROLE, place.role),
            ));
        }
        Ok(Self { org, plan: place.plan, role: place.role, signed: Signed { caller, context, policy: PhantomData } })
    }
}

impl<'ex, P: Policy> Extractible<'ex> for Signed<P> {
    fn metadata() -> &'static Metadata {
        static METADATA: Metadata = Metadata::new("");
        &METADATA
    }

    #[allow(refining_impl_trait, reason = "the error type is part of what callers see")]
    async fn extract(req: &'ex mut Request, depot: &'ex mut Depot) -> Result<Self, Problem> {
        let context = context::of(depot)?.clone();
        let caller = auth::authenticate(req, &context).await?;
        limits::take(&context, &caller, None).await?;
        check_credentials::<P>(&caller)?;
        check_scope(&caller, req.method())?;
        Ok(Self { caller, context, policy: PhantomData })
    }
}

/// A platform operator, for paths under `/api/v2/admin`.
#[derive(Debug)]
pub struct Operator {
    /// Who calls.
    pub operator: auth::Operator,
    /// The request's context: application, id, address.
    pub context: Context,
}

impl Deref for Operator {
    type Target = Context;

    fn deref(&self) -> &Context {
        &self.context
    }
}

impl Operator {
    /// The operator as the audit chain names it.
    #[must_use]
    pub fn actor(&self) -> Actor {
        self.operator.actor()
    }
}

impl<'ex> Extractible<'ex> for Operator {
    fn metadata() -> &'static Metadata {
        static METADATA: Metadata = Metadata::new("");
        &METADATA
    }

    #[allow(refining_impl_trait, reason = "the error type is part of what callers see")]
    async fn extract(req: &'ex mut Request, depot: &'ex mut Depot) -> Result<Self, Problem> {
        let context = context::of(depot)?.clone();
        let operator = auth::authenticate_operator(req, &context).await?;
        limits::take_operator(&context, &operator).await?;
        Ok(Self { operator, context })
    }
}

/// A client that names another organisation in `X-Org-ID` than in the path is confused; better to say so.
fn check_org_header(req: &Request, org: OrgId) -> Result<(), Problem> {
    match req.headers().get("x-org-id") {
        Some(named) if named.to_str().ok().and_then(|id| id.parse().ok()) != Some(org) => {
            Err(Problem::bad_parameter("X-Org-ID", "names another organisation than the path: leave the header out"))
        }
        _ => Ok(()),
    }
}

fn check_credentials<P: Policy>(caller: &Caller) -> Result<(), Problem> {
    match (&caller.principal, P::CREDENTIALS) {
        (Principal::User(_), Credentials::Any | Credentials::Person)
        | (Principal::Key(_), Credentials::Any | Credentials::Key) => Ok(()),
        (Principal::Key(_), Credentials::Person) => Err(Problem::forbidden(
            "user_token_required",
            "this needs a person: use a user token instead of an API key",
        )),
        (Principal::User(_), Credentials::Key) => {
            Err(Problem::forbidden("api_key_required", "this is for machines: use an API key instead of a user token"))
        }
    }
}

fn check_scope(caller: &Caller, method: &Method) -> Result<(), Problem> {
    let Principal::Key(key) = &caller.principal else {
        return Ok(());
    };
    let reads = [Method::GET, Method::HEAD, Method::OPTIONS].contains(method);
    if key.scopes.contains(&Scope::Write) || (reads && key.scopes.contains(&Scope::Read)) {
        return Ok(());
    }
    let needed = if reads { Scope::Read } else { Scope::Write };
    Err(Problem::forbidden("insufficient_scope", format!("this needs a key with the scope {needed}")))
}

/// Names of the security schemes in the document.
pub const USER_TOKEN: &str = "user_token";
/// See [`USER_TOKEN`].
pub const API_KEY: &str = "api_key";
/// See [`USER_TOKEN`].
pub const OPERATOR_KEY: &str = "operator_key";

fn schemes(credentials: Credentials) -> &'static [&'static str] {
    match credentials {
        Credentials::Any => &[USER_TOKEN, API_KEY],
        Credentials::Person => &[USER_TOKEN],
        Credentials::Key => &[API_KEY],
    }
}

fn describe(components: &mut Components, operation: &mut Operation, schemes: &[&str], role: Option<Role>) {
    operation.securities =
        Some(schemes.iter().map(|scheme| SecurityRequirement::new(*scheme, Vec::<String>::new())).collect());
    let mut permission = json!({"credentials": schemes});
    if let Some(role) = role {
        permission["role"] = json!(role);
    }
    operation.extensions.insert("x-permission".to_owned(), permission);
    for (status, description) in [
        (StatusCode::UNAUTHORIZED, "The credential is missing, wrong, expired or revoked"),
        (StatusCode::FORBIDDEN, "The credential's kind, scope or role is not enough"),
        (StatusCode::TOO_MANY_REQUESTS, "Too many requests; `Retry-After` says when"),
    ] {
        let response = problem::response(components, description, status);
        operation.responses.insert(status.as_str(), response);
    }
}

impl<P: Policy> EndpointArgRegister for Tenant<P> {
    fn register(components: &mut Components, operation: &mut Operation, _arg: &str) {
        operation.parameters.insert(path::describe("id", "The id of the organisation."));
        describe(components, operation, schemes(P::CREDENTIALS), Some(P::ROLE));
        let response = problem::response(components, "Not there, or not yours", StatusCode::NOT_FOUND);
        operation.responses.insert("404", response);
    }
}

impl<P: Policy> EndpointArgRegister for Signed<P> {
    fn register(components: &mut Components, operation: &mut Operation, _arg: &str) {
        describe(components, operation, schemes(P::CREDENTIALS), None);
    }
}

impl EndpointArgRegister for Operator {
    fn register(components: &mut Components, operation: &mut Operation, _arg: &str) {
        describe(components, operation, &[OPERATOR_KEY], None);
    }
}
