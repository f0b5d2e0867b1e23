//! `GET /me`

use jobs::db;
use salvo::Writer as _;
use salvo::oapi::{ToSchema, endpoint};
use salvo::prelude::{Json, Router};
use serde::Serialize;
use uuid::Uuid;

use crate::access::{Signed, Viewer};
use crate::auth::Principal;
use crate::problem::Problem;

/// Who the credential belongs to.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(
    name = "Me",
    example = json!({
        "kind": "api_key",
        "user": null,
        "api_key": {
            "id": "01890a5d-ac96-774b-bcce-b302099a8057",
            "name": "ci-nightly",
            "environment": "live",
            "role": "member",
            "scopes": ["read", "write"]
        },
        "org_id": "01890a5d-ac96-774b-bcce-b302099a8056",
        "memberships": []
    })
))]
struct Me {
    /// user or `api_key`.
    kind: &'static str,
    /// The person, if it is one.
    user: Option<MyUser>,
    /// The key, if it is one; never its secret.
    api_key: Option<MyKey>,
    /// The key's organisation.
    org_id: Option<Uuid>,
    /// The person's organisations.
    memberships: Vec<MyMembership>,
}

/// A person.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "MyUser"))]
struct MyUser {
    /// The person's id.
    id: Uuid,
    /// Verified by the identity provider.
    email: String,
    /// Name, if there is one.
    name: Option<String>,
}

/// A key.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "MyKey"))]
struct MyKey {
    /// The key's id.
    id: Uuid,
    /// Its name.
    name: String,
    /// live or test.
    environment: &'static str,
    /// The most it may do.
    role: &'static str,
    /// read and/or write.
    scopes: Vec<&'static str>,
}

/// A person's place in an organisation.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "MyMembership"))]
struct MyMembership {
    /// The membership's id.
    id: Uuid,
    /// The organisation.
    org_id: Uuid,
    /// Its short name.
    org_slug: String,
    /// Its name.
    org_display_name: String,
    /// The role in it.
    role: &'static str,
}

pub(super) fn router() -> Router {
    Router::with_path("me").get(get)
}

/// Who the credential belongs to
#[endpoint(operation_id = "get_me", tags("service"))]
async fn get(signed: Signed<Viewer>) -> Result<Json<Me>, Problem> {
    let me = match &signed.caller.principal {
        Principal::Key(key) => Me {
            kind: "api_key",
            user: None,
            api_key: Some(MyKey {
                id: key.id.uuid(),
                name: key.name.clone(),
                environment: key.environment.as_str(),
                role: key.role.as_str(),
                scopes: key.scopes.iter().map(|scope| scope.as_str()).collect(),
            }),
            org_id: Some(key.org.uuid()),
            memberships: Vec::new(),
        },
        Principal::User(user) => {
            let mut conn = signed.app.pool().acquire().await?;
            let memberships = db::membership::list_of_user(&mut conn, user.id).await?;
            Me {
                kind: "user",
                user: Some(MyUser { id: user.id.uuid(), email: user.email.clone(), name: user.display_name.clone() }),
                api_key: None,
                org_id: None,
                memberships: memberships.into_iter().map(MyMembership::from).collect(),
            }
        }
    };
    Ok(Json(me))
}

impl From<db::membership::Membership> for MyMembership {
    fn from(membership: db::membership::Membership) -> Self {
        Self {
            id: membership.id.uuid(),
            org_id: membership.org_id.uuid(),
            org_slug: membership.org_slug,
            org_display_name: membership.org_display_name,
            role: membership.role.as_str(),
        }
    }
}
