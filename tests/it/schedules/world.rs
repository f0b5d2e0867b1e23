//! An organisation with accounts and schedules. What a worker would do to their scans, the tests do.

use chrono::{DateTime, TimeDelta, Utc};
use jobs::audit::{Actor, By, Origin};
use jobs::db::cloud_account::{self, NewCloudAccount};
use jobs::db::scan_run::{Failure, ScanRun};
use jobs::db::schedule::{self, Firing, Schedule, Settings};
use jobs::db::{Page, org, scan_run};
use jobs::domain::{CredentialType, Plan, Provider};
use jobs::ids::{CloudAccountId, OrgId, ScanId, ScheduleId, WebhookEndpointId};
use jobs::schedules::{self, Fired, Run, timing};
use jobs::{events, scans};
use sqlx::{PgConnection, pool::PoolConnection};

use crate::support::TestDb;

pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// A database with one organisation.
pub struct World {
    pub db: TestDb,
    pub org: OrgId,
}

impl World {
    pub async fn new(plan: Plan) -> Self {
        let db = TestDb::new().await;
        let mut conn = db.pool.acquire().await.unwrap();
        let new = org::NewOrg { slug: "acme", display_name: "Acme", plan };
        let org = org::insert(&mut conn, &new).await.unwrap().id;
        Self { db, org }
    }

    pub async fn conn(&self) -> PoolConnection<sqlx::Postgres> {
        self.db.pool.acquire().await.unwrap()
    }

    pub async fn account(&self) -> CloudAccountId {
        let id = CloudAccountId::new();
        let digits: String = id.uuid().as_u128().to_string().chars().rev().take(12).collect();
        let new = NewCloudAccount {
            id,
            org_id: self.org,
            provider: Provider::Aws,
            external_account_id: &digits,
            display_name: "production",
            credential_type: CredentialType::AccessKey,
            credential: b"sealed",
            default_region: "us-east-1",
        };
        cloud_account::insert(&mut *self.conn().await, &new).await.unwrap().id
    }

    /// A schedule of all accounts, or of one.
    pub async fn schedule(&self, line: &str, account: Option<CloudAccountId>) -> Schedule {
        self.schedule_telling(line, account, &[]).await
    }

    /// One that tells these endpoints of its scans.
    pub async fn schedule_telling(
        &self,
        line: &str,
        account: Option<CloudAccountId>,
        told: &[WebhookEndpointId],
    ) -> Schedule {
        let settings = Settings {
            cloud_account_id: account,
            name: "every now and then",
            schedule: line,
            timezone: "UTC",
            filter_regions: &["eu-west-1".to_owned()],
            notify_webhook_config_ids: told,
            notify_slack_channel: None,
            enabled: true,
        };
        let timetable = timing::read(line, "UTC").unwrap();
        let (actor, origin) = (Actor::platform(), Origin::default());
        let by = By { actor: &actor, origin: &origin };
        let mut conn = self.conn().await;
        schedules::create(&mut conn, by, self.org, (settings, &timetable)).await.unwrap()
    }

    /// As if it had been planned for this time of its line.
    pub async fn plan(&self, schedule: &Schedule, time: DateTime<Utc>) {
        sqlx::query("UPDATE schedule SET next_run_at = $2 WHERE id = $1")
            .bind(schedule.id.uuid())
            .bind(time + timing::spread(schedule.id))
            .execute(&self.db.pool)
            .await
            .unwrap();
    }

    /// Makes it due at once, for the newest time of its line.
    pub async fn make_due(&self, schedule: &Schedule) -> DateTime<Utc> {
        let timetable = timing::timetable(schedule).unwrap();
        let now = schedule::now(&mut *self.conn().await).await.unwrap();
        let come = now - timing::spread(schedule.id);
        let since = come - TimeDelta::from_std(timetable.shortest_interval()).unwrap();
        let newest = timetable.upcoming(since).take_while(|time| *time <= come).last().unwrap();
        self.plan(schedule, newest).await;
        newest
    }

    pub async fn fire(&self) -> Fired {
        schedules::fire_due(&mut *self.conn().await, 100).await.unwrap()
    }

    pub async fn find(&self, id: ScheduleId) -> Schedule {
        schedule::find(&mut *self.conn().await, self.org, id).await.unwrap().expect("it is there")
    }

    /// The newest first.
    pub async fn firings(&self, id: ScheduleId) -> Vec<Firing> {
        let page = Page { limit: 100, offset: 0 };
        schedule::list_firings(&mut *self.conn().await, (self.org, id), page).await.unwrap().0
    }

    /// Runs it now, and commits whatever came of it if that was scans.
    pub async fn run_now(&self, id: ScheduleId) -> Run {
        let (actor, origin) = (Actor::platform(), Origin::default());
        let mut tx = self.db.pool.begin().await.unwrap();
        let schedule = schedule::lock(&mut tx, self.org, id).await.unwrap().unwrap();
        let run = schedules::run_now(&mut tx, By { actor: &actor, origin: &origin }, &schedule).await.unwrap();
        if matches!(run, Run::Started(_)) {
            tx.commit().await.unwrap();
        }
        run
    }

    /// The scans that have not ended, oldest first.
    pub async fn open_scans(&self) -> Vec<ScanRun> {
        let ids: Vec<uuid::Uuid> =
            sqlx::query_scalar("SELECT id FROM scan_run WHERE status IN ('pending', 'running') ORDER BY id")
                .fetch_all(&self.db.pool)
                .await
                .unwrap();
        let mut runs = Vec::new();
        for id in ids {
            runs.extend(scan_run::get(&mut *self.conn().await, self.org, ScanId(id)).await.unwrap());
        }
        runs
    }

    /// Ends a scan in error.
    pub async fn fail(&self, run: &ScanRun, error: &str) {
        fail(&mut *self.conn().await, run, error).await;
    }

    /// Ends all that are open, in error or well.
    pub async fn end_all(&self, error: Option<&str>) {
        for run in self.open_scans().await {
            match error {
                Some(error) => self.fail(&run, error).await,
                None => self.finish(&run).await,
            }
        }
    }

    /// Ends a scan as done, with nothing found.
    pub async fn finish(&self, run: &ScanRun) {
        let mut tx = self.db.pool.begin().await.unwrap();
        scan_run::start(&mut tx, run.org_id, run.id, run.job_id.unwrap()).await.unwrap();
        let unseen = jobs::db::live_resource::Unseen::default();
        let outcome = scans::Outcome {
            org_id: run.org_id,
            scan_id: run.id,
            cloud_account_id: run.cloud_account_id,
            scan_errors: &[],
            unseen: &unseen,
            regions: &[],
            seconds: 0.1,
        };
        assert!(scans::finish(&mut tx, &outcome).await.unwrap());
        // Its drift is somebody else's business.
        sqlx::query("UPDATE scan_run SET drift_status = 'done' WHERE status = 'done'").execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// The only number that a query finds.
    pub async fn number(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(&self.db.pool).await.unwrap()
    }

    /// Types of the events so far, oldest first.
    pub async fn events(&self) -> Vec<String> {
        sqlx::query_scalar("SELECT event_type FROM event ORDER BY id").fetch_all(&self.db.pool).await.unwrap()
    }
}

/// Ends a scan in error.
pub async fn fail(conn: &mut PgConnection, run: &ScanRun, error: &str) {
    let failure = Failure { error_class: "credential_invalid", error };
    assert!(scans::fail(conn, run.org_id, run.id, failure, &[]).await.unwrap());
}

/// The name of the event that a schedule's end is told by.
pub const DISABLED: &str = events::EventType::ScheduleDisabled.as_str();
