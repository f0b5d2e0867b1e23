//! `POST /orgs`

use jobs::audit::{self, Action, Entry, Target};
use jobs::db;
use jobs::domain::{Plan, Role};
use salvo::Writer as _;
use salvo::oapi::{ToSchema, endpoint};
use salvo::prelude::Request;
use serde::Deserialize;
use serde_json::json;

use super::Org;
use crate::access::{Person, Signed, Viewer};
use crate::answer::Created;
use crate::idempotency::{Claim, Idempotency};
use crate::problem::{FieldError, Problem};
use crate::request::Body;

/// An organisation to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[salvo(schema(name = "NewOrg", example = json!({"slug": "acme", "display_name": "Acme"})))]
pub(super) struct NewOrg {
    /// Short unique name: 1 to 63 lower-case letters, digits and hyphens, no hyphen at either end.
    slug: String,
    /// Name that people see, 1 to 128 characters.
    display_name: String,
}

impl NewOrg {
    fn check(&self) -> Result<(), Problem> {
        let mut errors = Vec::new();
        if !db::org::is_slug(&self.slug) {
            errors.push(FieldError {
                field: "slug".to_owned(),
                message: "must be 1 to 63 lower-case letters, digits and hyphens, with no hyphen at either end"
                    .to_owned(),
            });
        }
        if !(1..=128).contains(&self.display_name.chars().count()) {
            errors.push(FieldError {
                field: "display_name".to_owned(),
                message: "must be 1 to 128 characters".to_owned(),
            });
        }
        if errors.is_empty() { Ok(()) } else { Err(Problem::invalid_fields(errors)) }
    }
}

/// Create an organisation and become its owner
///
/// New organisations are on the plan free. `X-Org-ID` must not be sent: it would name an organisation that exists.
#[endpoint(operation_id = "create_org", tags("orgs"))]
pub(super) async fn create(
    req: &mut Request,
    signed: Signed<Person<Viewer>>,
    idempotency: Idempotency,
    body: Body<NewOrg>,
) -> Result<Created<Org>, Problem> {
    if req.headers().contains_key("x-org-id") {
        return Err(Problem::bad_parameter("X-Org-ID", "must not be sent when an organisation is created"));
    }
    let Body(new) = body;
    new.check()?;
    let user = signed.caller.user().ok_or(Problem::not_found("user"))?;
    let attempt = match idempotency.claim(&signed).await? {
        Claim::Repeated(answer) => return Ok(answer),
        Claim::First(attempt) => attempt,
    };
    let mut tx = signed.app.begin().await?;
    let new = db::org::NewOrg { slug: &new.slug, display_name: &new.display_name, plan: Plan::Free };
    let org = db::org::insert(&mut tx, &new).await?;
    db::membership::set_role(&mut tx, org.id, user.id, Role::Owner).await?;
    let entry = Entry {
        org: Some(org.id),
        actor: &signed.caller.actor(),
        origin: &signed.origin(),
        action: Action::OrgCreated,
        target: Target { kind: "org", id: org.id.to_string() },
        details: json!({"slug": org.slug, "display_name": org.display_name, "plan": org.plan, "owner": user.id}),
    };
    audit::append(&mut tx, &entry).await?;
    let place = format!("/api/v2/orgs/{}", org.id);
    attempt.commit(tx, Created::new(&org.into())?.location(&place)).await
}
