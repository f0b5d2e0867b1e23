//! An organisation with an account, a worker that serves it, and short ways to ask for work.

use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use jobs::addresses::Allowed;
use jobs::artifacts::{Key, Store};
use jobs::crypto::Keyring;
use jobs::db::cloud_account::{self, NewCloudAccount};
use jobs::db::drift_snapshot::{self, DriftSnapshot};
use jobs::db::pool;
use jobs::db::scan_run::{self, ScanRun};
use jobs::db::state_source::{self, NewStateSource, StateSource};
use jobs::db::{drift_item, event, page::Page};
use jobs::domain::{CredentialType, Provider, RunStatus, ScanType, StateSourceKind};
use jobs::ids::{CloudAccountId, JobId, OrgId, ScanId, StateSourceId};
use jobs::kinds::Job;
use jobs::kinds::refresh_state_source::RefreshStateSource;
use jobs::kinds::validate_account::SealedCredential;
use jobs::lookup::Resolver;
use jobs::queue::{self, Config, Options, Signals, Waited};
use jobs::scans;
use serde_json::{Value, json};
use sqlx::pool::PoolConnection;
use sqlx::{PgPool, Postgres};
use tempfile::TempDir;
use tokio_util::task::AbortOnDropHandle;
use workers::cloud::aws;
use workers::handlers;
use workers::outbound::webhook::{Limits, WebhookClient};
use workers::runtime::{Runtime, Shutdown};
use workers::services::Services;

use crate::support::process::MASTER_KEY;
use crate::support::{TestDb, eventually};

/// How long a job may take on a machine that compiles at the same time.
const PATIENCE: Duration = Duration::from_mins(2);

/// The account of the recorded fixtures.
pub const ACCOUNT: &str = "123456789012";
/// Credentials that moto takes for that account.
pub const ACCESS_KEY: &str = r#"{"access_key_id":"test","secret_access_key":"test"}"#;

/// A database with an organisation and an account, and what a worker needs.
pub struct World {
    pub pool: PgPool,
    /// The database's URL, for processes.
    pub url: String,
    pub services: Services,
    pub org: OrgId,
    pub account: CloudAccountId,
    /// Where artifacts are.
    pub folder: TempDir,
    worker: Option<(Shutdown, AbortOnDropHandle<()>)>,
    _db: Option<TestDb>,
}

impl World {
    /// An account behind `endpoint`, with a worker that serves all queues.
    pub async fn new(endpoint: &str) -> Self {
        let mut world = Self::idle(endpoint).await;
        world.start_worker();
        world
    }

    /// The same without a worker.
    pub async fn idle(endpoint: &str) -> Self {
        let db = TestDb::new().await;
        let world = Self::on(db.pool.clone(), &db.url, endpoint).await;
        Self { _db: Some(db), ..world }
    }

    /// The same on a migrated database that somebody else looks after.
    pub async fn on(pool: PgPool, url: &str, endpoint: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keyring = Keyring::parse(MASTER_KEY, None).unwrap();
        let artifacts = Store::open(folder.path().to_str().unwrap()).await.unwrap();
        let webhooks = WebhookClient::new(Allowed::default(), Resolver::new(&[]).unwrap(), Limits::default()).unwrap();
        let mut services = Services::new(keyring, artifacts, webhooks).unwrap();
        services.cloud = aws::Options { endpoint_url: Some(endpoint.to_owned()), ..aws::Options::default() };
        let org = OrgId::new();
        sqlx::query("INSERT INTO org (id, slug, display_name, plan) VALUES ($1, 'acme', 'Acme', 'enterprise')")
            .bind(org.uuid())
            .execute(&pool)
            .await
            .unwrap();
        let mut world = Self {
            pool,
            url: url.to_owned(),
            services,
            org,
            account: CloudAccountId::new(),
            folder,
            worker: None,
            _db: None,
        };
        world.account = world.add_account(ACCOUNT, ACCESS_KEY).await;
        world
    }

    /// Another account of the organisation.
    pub async fn add_account(&self, external_id: &str, credential: &str) -> CloudAccountId {
        self.add_account_of(CredentialType::AccessKey, external_id, credential).await
    }

    /// Another account of the organisation, with this type of credential.
    pub async fn add_account_of(
        &self,
        credential_type: CredentialType,
        external_id: &str,
        credential: &str,
    ) -> CloudAccountId {
        let id = CloudAccountId::new();
        let sealed = SealedCredential::seal(&self.services.keyring, self.org, id, credential).unwrap();
        let new = NewCloudAccount {
            id,
            org_id: self.org,
            provider: Provider::Aws,
            external_account_id: external_id,
            display_name: "production",
            credential_type,
            credential: sealed.as_bytes(),
            default_region: "us-east-1",
        };
        cloud_account::insert(&mut *self.conn().await, &new).await.unwrap().id
    }

    /// Starts a worker in this process.
    pub fn start_worker(&mut self) {
        // Two for each queue, and some for the handlers.
        let pool = pool::options().max_connections(12).connect_lazy(&self.url).expect("a pool");
        let shutdown = Shutdown::default();
        let config = Config {
            concurrency: 4,
            poll_every: Duration::from_millis(50),
            grace: Duration::from_millis(100),
            cancel_grace: Duration::from_secs(2),
            ..Config::default()
        };
        let runtime = Runtime::builder(pool, Signals::none(), config);
        let runtime = handlers::register(runtime, &self.services);
        let stop = shutdown.clone();
        let task = tokio::spawn(async move {
            runtime.run(stop).await.expect("a worker that runs");
        });
        self.worker = Some((shutdown, AbortOnDropHandle::new(task)));
    }

    /// Stops the worker as SIGTERM does, and waits for its end.
    pub async fn stop_worker(&mut self) {
        if let Some((shutdown, task)) = self.worker.take() {
            shutdown.soft.cancel();
            task.await.expect("a worker that stops");
        }
    }

    pub async fn conn(&self) -> PoolConnection<Postgres> {
        // Some of these tests crash the database, and the first connections to a new one may still be refused.
        eventually("a connection", async || self.pool.acquire().await.ok()).await
    }

    /// Enqueues a job and keeps its outcome for [`World::outcome`]. One with the same unique key may have done its work and not
    /// have been settled yet: that one ends first.
    pub async fn enqueue<J: Job>(&self, job: &J) -> JobId {
        let options = Options { outcome_ttl: Some(Duration::from_mins(10)), ..Options::default() };
        eventually("the end of the same job before", async || {
            let enqueued = queue::enqueue_with(&mut *self.conn().await, job, &options).await.expect("a job enqueued");
            (!enqueued.existing).then_some(enqueued.id)
        })
        .await
    }

    /// Waits for a job's end.
    pub async fn outcome(&self, id: JobId) -> Waited {
        let waited = queue::wait(&self.pool, &Signals::none(), id, PATIENCE).await.expect("an outcome");
        assert_ne!(waited, Waited::Pending, "job {id} did not end within {PATIENCE:?}");
        waited
    }

    /// Runs a job to its end.
    pub async fn run<J: Job>(&self, job: &J) -> Waited {
        self.outcome(self.enqueue(job).await).await
    }

    /// Asks for a scan of the account.
    pub async fn request_scan(&self, regions: &[&str]) -> ScanRun {
        self.request_scan_of(self.account, regions).await
    }

    /// Asks for a scan of an account.
    pub async fn request_scan_of(&self, account: CloudAccountId, regions: &[&str]) -> ScanRun {
        let regions: Vec<String> = regions.iter().map(ToString::to_string).collect();
        let request = scans::Request {
            org_id: self.org,
            cloud_account_id: account,
            scan_type: ScanType::Manual,
            filter_regions: &regions,
            ci: None,
        };
        let options = Options { outcome_ttl: Some(Duration::from_mins(10)), ..Options::default() };
        let mut tx = self.pool.begin().await.unwrap();
        let run = scans::request(&mut tx, &request, &options).await.unwrap().expect("an account");
        tx.commit().await.unwrap();
        run
    }

    /// Scans and computes drift, to the end of both, whatever it is.
    pub async fn scan(&self, regions: &[&str]) -> ScanRun {
        let run = self.request_scan(regions).await;
        self.ended(run.id).await
    }

    /// Waits for the end of a scan and of its drift.
    pub async fn ended(&self, id: ScanId) -> ScanRun {
        let is_over = |status: RunStatus| matches!(status, RunStatus::Done | RunStatus::Error);
        eventually("the scan and its drift end", async || {
            let run = self.run_of(id).await;
            let drift_over = run.status == RunStatus::Error || run.drift_status.is_some_and(is_over);
            (is_over(run.status) && drift_over).then_some(run)
        })
        .await
    }

    /// A scan as it stands.
    pub async fn run_of(&self, id: ScanId) -> ScanRun {
        scan_run::get(&mut *self.conn().await, self.org, id).await.unwrap().expect("a scan")
    }

    /// Registers a state source.
    pub async fn add_source(
        &self,
        kind: StateSourceKind,
        account: Option<CloudAccountId>,
        config: &Value,
    ) -> StateSourceId {
        let new = NewStateSource {
            id: StateSourceId::new(),
            org_id: self.org,
            cloud_account_id: account,
            kind,
            display_name: "network",
            config,
            secret_config: None,
        };
        state_source::insert(&mut *self.conn().await, &new).await.unwrap().id
    }

    /// Puts bytes where the API would, and asks for their ingestion.
    pub async fn upload(&self, source: StateSourceId, bytes: Vec<u8>) -> Waited {
        let key = Key::for_upload(self.org, source);
        let body = stream::iter([Ok(Bytes::from(bytes))]);
        self.services.artifacts.put_sealed(&self.services.keyring, self.org, &key, body).await.unwrap();
        let job =
            RefreshStateSource { org_id: self.org, state_source_id: source, artifact: Some(key.as_str().to_owned()) };
        self.run(&job).await
    }

    /// A source of kind upload that holds a fixture's state.
    pub async fn uploaded(&self, fixture: &str) -> StateSourceId {
        let source = self.add_source(StateSourceKind::Upload, Some(self.account), &json!({})).await;
        let waited = self.upload(source, state_of(fixture)).await;
        assert!(matches!(waited, Waited::Done(_)), "{waited:?}");
        source
    }

    /// A source as it stands.
    pub async fn source(&self, id: StateSourceId) -> StateSource {
        state_source::get(&mut *self.conn().await, self.org, id).await.unwrap().expect("a source")
    }

    /// The drift of a scan.
    pub async fn drift(&self, id: ScanId) -> DriftSnapshot {
        drift_snapshot::of_scan(&mut *self.conn().await, self.org, id).await.unwrap().expect("a drift snapshot")
    }

    /// The items of a scan's drift.
    pub async fn items(&self, id: ScanId) -> Vec<Value> {
        let snapshot = self.drift(id).await.id;
        let page = Page { limit: 10_000, offset: 0 };
        let items = drift_item::list(&mut *self.conn().await, self.org, snapshot, page).await.unwrap();
        items.iter().map(|item| serde_json::from_str(item.get()).unwrap()).collect()
    }

    /// The types of all events, oldest first.
    pub async fn events(&self) -> Vec<String> {
        let mut events = event::newest(&mut *self.conn().await, self.org, 1_000).await.unwrap();
        events.reverse();
        events.into_iter().map(|event| event.event_type).collect()
    }

    /// A number that SQL gives.
    pub async fn number(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.pool).await.unwrap()
    }
}

/// A fixture's state.
pub fn state_of(fixture: &str) -> Vec<u8> {
    std::fs::read(crate::support::moto::fixtures().join(fixture).join("terraform.tfstate")).unwrap()
}

/// The failure of a job that must have failed.
#[track_caller]
pub fn failure(waited: Waited) -> (String, String, Option<Value>) {
    match waited {
        Waited::Failed { error_class, error, details } => (error_class, error, details),
        other => panic!("{other:?} instead of a failure"),
    }
}

/// What a job answered that must have succeeded.
#[track_caller]
pub fn done(waited: Waited) -> Value {
    match waited {
        Waited::Done(value) => value,
        other => panic!("{other:?} instead of success"),
    }
}
