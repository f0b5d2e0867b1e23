//! An API on a database of its own, with an organisation and credentials for it.

use api::auth::builtin;
use jobs::audit::{Actor, ActorKind};
use jobs::crypto::Keyring;
use jobs::crypto::api_key::{self, KeyKind};
use jobs::db;
use jobs::domain::{Environment, Plan, Role, Scope};
use jobs::ids::{ApiKeyId, OrgId};
use tempfile::TempDir;

use crate::support::process::{MASTER_KEY, Running};
use crate::support::{Api, Plumbline, TestDb};

/// The fixture as the audit chain names it.
const OURSELVES: &str = "fixture";

/// A running API.
pub struct Fixture {
    /// A caller without a credential.
    pub api: Api,
    /// Where it listens, as `host:port`.
    pub address: String,
    // Stopped before its database is dropped and its artifacts are deleted.
    _running: Running,
    /// Where its artifacts are.
    pub artifacts: TempDir,
    /// Its database.
    pub db: TestDb,
    keyring: Keyring,
}

/// An organisation's key and its id.
pub struct IssuedKey {
    /// Its id.
    pub id: ApiKeyId,
    /// The key itself.
    pub raw: String,
}

impl Fixture {
    /// With the built-in issuer.
    pub async fn new() -> Self {
        Self::with(|command| command).await
    }

    /// With this OIDC issuer.
    pub async fn with_issuer(url: &str) -> Self {
        Self::with_issuer_and(url, &[]).await
    }

    /// With this OIDC issuer and these settings.
    pub async fn with_issuer_and(url: &str, settings: &[(&str, &str)]) -> Self {
        Self::with(|command| {
            let command = command.env("PLUMBLINE_OIDC_ISSUER", url);
            settings.iter().fold(command, |command, (name, value)| command.env(name, value))
        })
        .await
    }

    /// With changes to the command that starts it.
    pub async fn with(settings: impl FnOnce(Plumbline) -> Plumbline) -> Self {
        let db = TestDb::new().await;
        let artifacts = tempfile::tempdir().unwrap();
        let place = artifacts.path().to_str().unwrap();
        let command =
            Plumbline::new(&["api", "--listen", "127.0.0.1:0"]).database(&db).env("PLUMBLINE_ARTIFACTS", place);
        let running = settings(command).start();
        let api = Api::new(&running.url);
        let address = running.url.trim_start_matches("http://").to_owned();
        let keyring = Keyring::parse(MASTER_KEY, None).unwrap();
        Self { api, address, _running: running, artifacts, db, keyring }
    }

    /// A new organisation.
    pub async fn org(&self, slug: &str, plan: Plan) -> OrgId {
        let mut conn = self.db.pool.acquire().await.unwrap();
        let new = db::org::NewOrg { slug, display_name: slug, plan };
        db::org::insert(&mut conn, &new).await.unwrap().id
    }

    /// A token of the built-in issuer for a person with this role.
    pub async fn token(&self, org: OrgId, email: &str, role: Role) -> String {
        let mut conn = self.db.pool.acquire().await.unwrap();
        let by = Actor { kind: ActorKind::System, id: OURSELVES.to_owned(), display: OURSELVES.to_owned() };
        builtin::mint(&mut conn, &self.keyring, builtin::Request { org, email, role, by: &by }).await.unwrap()
    }

    /// A key, stored past the API, so that no plan limits it.
    pub async fn key(&self, org: OrgId, role: Role, scopes: &[Scope]) -> IssuedKey {
        let raw = api_key::generate(KeyKind::Org(Environment::Live));
        let mut conn = self.db.pool.acquire().await.unwrap();
        let new = db::api_key::NewApiKey {
            org_id: org,
            name: "fixture",
            description: None,
            environment: Environment::Live,
            role,
            scopes,
            raw_key: &raw,
            created_by: None,
            rotated_from: None,
            expires_at: None,
        };
        let key = db::api_key::insert(&mut conn, &new).await.unwrap();
        IssuedKey { id: key.id, raw }
    }

    /// A caller with a key of this role that may read and write.
    pub async fn caller(&self, org: OrgId, role: Role) -> Api {
        let key = self.key(org, role, &[Scope::Read, Scope::Write]).await;
        self.api.with_key(&key.raw)
    }

    /// A caller with a person's token.
    pub async fn person(&self, org: OrgId, role: Role) -> Api {
        let token = self.token(org, &format!("{role}@example.com"), role).await;
        self.api.with_token(&token)
    }

    /// A new operator's key, and a caller with it.
    pub async fn operator_key(&self) -> (String, Api) {
        let raw = api_key::generate(KeyKind::Operator);
        let mut conn = self.db.pool.acquire().await.unwrap();
        db::operator_key::insert(&mut conn, "on-call", &raw).await.unwrap();
        let caller = self.api.with_token(&raw);
        (raw, caller)
    }

    /// A platform operator.
    pub async fn operator(&self) -> Api {
        self.operator_key().await.1
    }

    /// The dotted actions of an organisation's audit chain, oldest first, but for what the fixture itself has done.
    pub async fn audited(&self, org: OrgId) -> Vec<String> {
        sqlx::query_scalar("SELECT action FROM audit_event WHERE chain_id = $1 AND actor_id <> $2 ORDER BY seq")
            .bind(org.uuid())
            .bind(OURSELVES)
            .fetch_all(&self.db.pool)
            .await
            .unwrap()
    }

    /// Changes rows behind the API's back, such as times that a test cannot wait for.
    pub async fn sql(&self, statement: &'static str, key: ApiKeyId) {
        let changed = sqlx::query(statement).bind(key.uuid()).execute(&self.db.pool).await.unwrap();
        assert_eq!(changed.rows_affected(), 1, "{statement}");
    }
}
