//! `POST /orgs/{id}/api-keys`

use chrono::{DateTime, TimeDelta, Utc};
use jobs::audit::Action;
use jobs::crypto::api_key::{self, KeyKind};
use jobs::db;
use jobs::domain::{Environment, Role, Scope};
use jobs::events::EventType;
use salvo::Writer as _;
use salvo::oapi::{ToSchema, endpoint};
use serde::Deserialize;

use super::{ApiKey, check_role, facts, record, require_room, tell};
use crate::access::{Admin, Tenant};
use crate::answer::Created;
use crate::auth::Principal;
use crate::idempotency::{Claim, Idempotency};
use crate::limits;
use crate::problem::Problem;
use crate::request::Body;

/// A key to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[salvo(schema(
    name = "NewApiKey",
    example = json!({"name": "ci-nightly", "scopes": ["read", "write"], "role": "member", "expires_in": "1m"})
))]
pub(super) struct NewApiKey {
    /// Name that people see, 3 to 128 characters.
    name: String,
    /// Up to 500 characters.
    description: Option<String>,
    /// read (GET) and/or write (every method); read where nothing is said.
    #[salvo(schema(value_type = Option<Vec<String>>))]
    scopes: Option<Vec<Scope>>,
    /// live, or test for development and dry runs; live where nothing is said.
    #[salvo(schema(value_type = Option<String>))]
    environment: Option<Environment>,
    /// admin, member or viewer, at most your own; where nothing is said viewer for read and member for write.
    #[salvo(schema(value_type = Option<String>))]
    role: Option<Role>,
    /// 8h, 24h, 1w or 1m; no time limit where neither this nor `expires_at` is given.
    #[salvo(schema(value_type = Option<String>))]
    expires_in: Option<Lifetime>,
    /// A time limit of your own.
    expires_at: Option<DateTime<Utc>>,
}

/// The contract's time limits.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) enum Lifetime {
    #[serde(rename = "8h")]
    EightHours,
    #[serde(rename = "24h")]
    Day,
    #[serde(rename = "1w")]
    Week,
    #[serde(rename = "1m")]
    Month,
}

impl Lifetime {
    /// A month is 30 days.
    fn length(self) -> TimeDelta {
        match self {
            Self::EightHours => TimeDelta::hours(8),
            Self::Day => TimeDelta::hours(24),
            Self::Week => TimeDelta::days(7),
            Self::Month => TimeDelta::days(30),
        }
    }

    /// The contract's word for how long a key works; `custom` for what is none of its time limits. Between the API's clock and
    /// the database's may lie some seconds.
    pub(super) fn name_of(length: TimeDelta) -> &'static str {
        [("8h", Self::EightHours), ("24h", Self::Day), ("1w", Self::Week), ("1m", Self::Month)]
            .into_iter()
            .find(|(_, limit)| (length - limit.length()).abs() < TimeDelta::minutes(1))
            .map_or("custom", |(name, _)| name)
    }
}

/// What a new key will be, once checked.
struct Checked {
    scopes: Vec<Scope>,
    role: Role,
    expires_at: Option<DateTime<Utc>>,
}

impl NewApiKey {
    fn check(&self, creator: Role, now: DateTime<Utc>) -> Result<Checked, Problem> {
        super::update::check_name(&self.name)?;
        super::update::check_description(self.description.as_deref())?;
        let mut scopes = self.scopes.clone().unwrap_or_else(|| vec![Scope::Read]);
        scopes.sort_unstable();
        scopes.dedup();
        if scopes.is_empty() {
            return Err(Problem::invalid("scopes", "must name at least one of read and write"));
        }
        let usual = if scopes.contains(&Scope::Write) { Role::Member } else { Role::Viewer };
        let role = self.role.unwrap_or(usual);
        check_role(role, creator)?;
        let expires_at = match (self.expires_in, self.expires_at) {
            (Some(_), Some(_)) => {
                return Err(Problem::invalid("expires_at", "give either expires_in or expires_at, not both"));
            }
            (Some(lifetime), None) => Some(now + lifetime.length()),
            (None, Some(at)) if at <= now => {
                return Err(Problem::invalid("expires_at", "must be in the future"));
            }
            (None, at) => at,
        };
        Ok(Checked { scopes, role, expires_at })
    }
}

/// A key cannot make one that can do more than itself.
fn check_scopes(scopes: &[Scope], creator: &Principal) -> Result<(), Problem> {
    match creator {
        Principal::Key(key)
            if !scopes.iter().all(|scope| key.scopes.contains(scope) || key.scopes.contains(&Scope::Write)) =>
        {
            Err(Problem::forbidden("insufficient_scope", "a key cannot create one with more scopes than it has"))
        }
        _ => Ok(()),
    }
}

/// Create a key and show its secret once
///
/// `raw_key` is in this answer and never again; a repeated Idempotency-Key repeats it for 24 hours.
#[endpoint(
    operation_id = "create_api_key",
    tags("api-keys"),
    responses((status_code = 402, description = "The plan's number of API keys is reached"))
)]
pub(super) async fn create(
    tenant: Tenant<Admin>,
    idempotency: Idempotency,
    body: Body<NewApiKey>,
) -> Result<Created<ApiKey>, Problem> {
    let Body(new) = body;
    let checked = new.check(tenant.role, Utc::now())?;
    check_scopes(&checked.scopes, &tenant.caller.principal)?;
    let attempt = match idempotency.claim(&tenant).await? {
        Claim::Repeated(answer) => return Ok(answer),
        Claim::First(attempt) => attempt,
    };
    let bucket = format!("new_keys:{}", tenant.caller.name());
    limits::take_operation(&tenant, &bucket, limits::NEW_KEYS, "new API keys").await?;
    let environment = new.environment.unwrap_or(Environment::Live);
    let raw_key = api_key::generate(KeyKind::Org(environment));
    let mut tx = tenant.app.begin().await?;
    require_room(&mut tx, tenant.org).await?;
    let new = db::api_key::NewApiKey {
        org_id: tenant.org,
        name: &new.name,
        description: new.description.as_deref(),
        environment,
        role: checked.role,
        scopes: &checked.scopes,
        raw_key: &raw_key,
        created_by: tenant.caller.user().map(|user| user.id),
        rotated_from: None,
        expires_at: checked.expires_at,
    };
    let key = db::api_key::insert(&mut tx, &new).await?;
    tell(&mut tx, &tenant, (EventType::ApiKeyCreated, &key)).await?;
    record(&mut tx, &tenant, (Action::ApiKeyCreated, &key), facts(&key)).await?;
    let place = format!("/api/v2/orgs/{}/api-keys/{}", tenant.org, key.id);
    attempt.commit(tx, Created::new(&ApiKey::showing(key, raw_key))?.location(&place)).await
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(body: serde_json::Value, creator: Role) -> Result<Checked, Problem> {
        serde_json::from_value::<NewApiKey>(body).unwrap().check(creator, Utc::now())
    }

    #[test]
    fn the_role_follows_the_scopes_where_none_is_given() {
        assert_eq!(check(json!({"name": "abc"}), Role::Admin).unwrap().role, Role::Viewer);
        let writes = check(json!({"name": "abc", "scopes": ["write", "read", "write"]}), Role::Admin).unwrap();
        assert_eq!((writes.role, writes.scopes), (Role::Member, vec![Scope::Read, Scope::Write]));
    }

    #[test]
    fn what_is_not_valid_names_its_field() {
        for (body, field) in [
            (json!({"name": "ab"}), "name"),
            (json!({"name": "abc", "description": "x".repeat(501)}), "description"),
            (json!({"name": "abc", "scopes": []}), "scopes"),
            (json!({"name": "abc", "role": "owner"}), "role"),
            (json!({"name": "abc", "expires_at": "2020-01-01T00:00:00Z"}), "expires_at"),
            (json!({"name": "abc", "expires_in": "8h", "expires_at": "2999-01-01T00:00:00Z"}), "expires_at"),
        ] {
            match check(body.clone(), Role::Owner) {
                Err(Problem::Unprocessable { fields, .. }) => assert_eq!(fields[0].field, field, "{body}"),
                other => panic!("{body}: {:?}", other.err()),
            }
        }
    }

    #[test]
    fn a_time_limit_keeps_its_name() {
        let week = Lifetime::Week.length();
        assert_eq!(Lifetime::name_of(week - TimeDelta::milliseconds(7)), "1w");
        assert_eq!(Lifetime::name_of(week - TimeDelta::hours(1)), "custom");
    }

    #[test]
    fn nobody_makes_a_key_that_can_do_more_than_they_can() {
        let refused = check(json!({"name": "abc", "role": "admin"}), Role::Member).err().unwrap();
        assert_eq!(refused.class(), "insufficient_role");
    }
}
