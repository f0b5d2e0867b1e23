//! The operations on API keys.

mod activate;
mod create;
mod get;
mod list;
mod purge;
mod regenerate;
mod revoke;
mod rotate;
mod update;

use jobs::domain::{Plan, Role, Scope};
use jobs::ids::OrgId;

use super::fixture::{Fixture, IssuedKey};
use crate::support::Api;

/// An organisation with a person who owns it and a key to work on.
struct Case {
    fixture: Fixture,
    org: OrgId,
    owner: Api,
    key: IssuedKey,
}

impl Case {
    async fn new() -> Self {
        let fixture = Fixture::new().await;
        let org = fixture.org("acme", Plan::Team).await;
        let owner = fixture.person(org, Role::Owner).await;
        let key = fixture.key(org, Role::Member, &[Scope::Read, Scope::Write]).await;
        Self { fixture, org, owner, key }
    }

    /// The key's path, with something after it.
    fn path(&self, tail: &str) -> String {
        format!("/api/v2/orgs/{}/api-keys/{}{tail}", self.org, self.key.id)
    }

    /// Whether the key opens anything: 200, or the class of the refusal.
    async fn works(&self) -> String {
        let answer = self.fixture.api.with_key(&self.key.raw).get("/api/v2/me").await;
        answer.body["error_class"].as_str().map_or_else(|| answer.status.as_u16().to_string(), ToOwned::to_owned)
    }

    /// Those who must not manage keys, each with the class that they get: a key, a member, somebody from elsewhere.
    async fn refused(&self) -> Vec<(Api, &'static str)> {
        let elsewhere = self.fixture.org("elsewhere", Plan::Team).await;
        vec![
            (self.fixture.caller(self.org, Role::Admin).await, "user_token_required"),
            (self.fixture.person(self.org, Role::Member).await, "insufficient_role"),
            (self.fixture.caller(elsewhere, Role::Admin).await, "not_found"),
            (self.fixture.api.clone(), "credential_missing"),
        ]
    }
}
