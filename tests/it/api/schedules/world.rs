//! An organisation with an account, and a key that may manage its schedules.

use jobs::db::cloud_account::{self, NewCloudAccount};
use jobs::domain::{CredentialType, Plan, Provider, Role};
use jobs::ids::{CloudAccountId, OrgId};
use serde_json::{Value, json};

use crate::api::fixture::Fixture;
use crate::support::Api;

pub struct Case {
    pub fixture: Fixture,
    pub org: OrgId,
    pub admin: Api,
    pub account: CloudAccountId,
}

impl Case {
    pub async fn new() -> Self {
        Self::on(Plan::Enterprise).await
    }

    pub async fn on(plan: Plan) -> Self {
        let fixture = Fixture::new().await;
        let org = fixture.org("acme", plan).await;
        let admin = fixture.caller(org, Role::Admin).await;
        let account = account(&fixture, org).await;
        Self { fixture, org, admin, account }
    }

    /// The schedules' path, with something after it.
    pub fn path(&self, tail: &str) -> String {
        format!("/api/v2/orgs/{}/schedules{tail}", self.org)
    }

    /// A schedule's path, with something after it.
    pub fn of(&self, schedule: &Value, tail: &str) -> String {
        self.path(&format!("/{}{tail}", schedule["id"].as_str().unwrap()))
    }

    /// A new schedule, nightly but for these fields.
    pub async fn schedule(&self, more: Value) -> Value {
        let mut body = json!({"name": "every night", "schedule": "30 2 * * *"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.admin.post(&self.path(""), &body).await.expect(201)
    }

    /// Those who must not change schedules, each with the class that they get.
    pub async fn refused(&self) -> Vec<(Api, &'static str)> {
        let elsewhere = self.fixture.org("elsewhere", Plan::Team).await;
        vec![
            (self.fixture.person(self.org, Role::Member).await, "insufficient_role"),
            (self.fixture.caller(elsewhere, Role::Admin).await, "not_found"),
            (self.fixture.api.clone(), "credential_missing"),
        ]
    }

    /// The only number that a query finds.
    pub async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(&self.fixture.db.pool).await.unwrap()
    }

    /// Does something behind the API's back.
    pub async fn sql(&self, statement: &'static str) {
        let changed = sqlx::query(statement).execute(&self.fixture.db.pool).await.unwrap();
        assert!(changed.rows_affected() > 0, "{statement}");
    }
}

/// A registered account.
pub async fn account(fixture: &Fixture, org: OrgId) -> CloudAccountId {
    let id = CloudAccountId::new();
    let digits: String = id.uuid().as_u128().to_string().chars().rev().take(12).collect();
    let new = NewCloudAccount {
        id,
        org_id: org,
        provider: Provider::Aws,
        external_account_id: &digits,
        display_name: "production",
        credential_type: CredentialType::AccessKey,
        credential: b"sealed",
        default_region: "us-east-1",
    };
    let mut conn = fixture.db.pool.acquire().await.unwrap();
    cloud_account::insert(&mut conn, &new).await.unwrap().id
}
