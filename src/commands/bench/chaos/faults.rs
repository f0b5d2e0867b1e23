//! What is done to the workers and to Postgres.

use super::Stage;
use super::kinds::{NOT_BY_STOPS, SLOW_QUEUE};
use super::worker::{LEASE, RESCUE_EVERY};
use crate::postgres::signal;
use anyhow::{Context as _, Result};
use chrono::Utc;
use jobs::db::chaos;
use rand::RngExt as _;
use rustix::process::Signal;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// How long the short faults last.
const SHORT: Duration = Duration::from_secs(1);
/// How long a snapshot is held.
const SNAPSHOT: Duration = Duration::from_secs(3);
/// The share of backends that are ended at once.
const SHARE: f64 = 0.5;
/// After a try to connect that was refused.
const REFUSED: Duration = Duration::from_millis(5);

/// One kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// SIGKILL for a worker; another is started.
    Kill,
    /// SIGTERM for a worker under load; another is started.
    Stop,
    /// SIGSTOP for a worker that runs something, past its lease, then SIGCONT.
    Freeze,
    /// Postgres restarts, letting nobody finish.
    RestartFast,
    /// Postgres restarts as after a crash.
    RestartImmediate,
    /// Half of the backends are ended.
    Terminate,
    /// All connection slots are taken, and some of ours are ended.
    FillSlots,
    /// A transaction keeps its snapshot.
    Snapshot,
    /// The job table is locked.
    Block,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Kill,
        Self::Stop,
        Self::Freeze,
        Self::RestartFast,
        Self::RestartImmediate,
        Self::Terminate,
        Self::FillSlots,
        Self::Snapshot,
        Self::Block,
    ];

    /// Its name in the report.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kill => "kills",
            Self::Stop => "graceful_stops",
            Self::Freeze => "freezes",
            Self::RestartFast => "restarts_fast",
            Self::RestartImmediate => "restarts_immediate",
            Self::Terminate => "backend_terminations",
            Self::FillSlots => "filled_slots",
            Self::Snapshot => "held_snapshots",
            Self::Block => "locked_tables",
        }
    }
}

impl Stage<'_> {
    /// Does it, and returns when it is over.
    pub async fn inflict(&mut self, fault: Fault) -> Result<()> {
        match fault {
            Fault::Kill => {
                let pid = self.any_worker();
                self.fleet.kill(pid, self.scratch).await
            }
            Fault::Stop => self.stop_a_worker().await,
            Fault::Freeze => self.freeze().await,
            Fault::RestartFast => self.server.restart(Signal::INT).await,
            Fault::RestartImmediate => self.server.restart(Signal::QUIT).await,
            Fault::Terminate => self.terminate().await,
            Fault::FillSlots => self.fill_slots().await,
            Fault::Snapshot => {
                let mut conn = self.connect().await?;
                Ok(chaos::hold_snapshot(&mut conn, SNAPSHOT).await?)
            }
            Fault::Block => {
                let mut conn = self.connect().await?;
                Ok(chaos::block_jobs(&mut conn, SHORT).await?)
            }
        }
    }

    fn any_worker(&mut self) -> i32 {
        let pids = self.fleet.pids();
        pids[self.rng.random_range(0..pids.len())]
    }

    async fn stop_a_worker(&mut self) -> Result<()> {
        let pid = self.busy_worker().await?;
        let leases = self.ask(async |db| chaos::leases_of(db, pid).await).await?;
        let since = Utc::now();
        let Some(well) = self.fleet.stop(pid).await? else {
            return self.fleet.add(self.scratch);
        };
        let slowest = (Utc::now() - since).to_std().unwrap_or_default();
        let spent = self.ask(async |db| chaos::spent_by(db, &leases, since, &NOT_BY_STOPS).await).await?;
        self.findings.slowest_stop = self.findings.slowest_stop.max(slowest);
        self.findings.unclean_stops += u64::from(!well);
        self.findings.spent_by_stops += spent;
        self.fleet.add(self.scratch)
    }

    /// Stops a worker that runs slow jobs until the others have rescued them: it comes back in the middle of jobs that are no
    /// longer its own.
    async fn freeze(&mut self) -> Result<()> {
        let pid = self.busy_worker().await?;
        let rest = Duration::from_millis(self.rng.random_range(0..1_500));
        signal(pid, Signal::STOP);
        sleep(LEASE + RESCUE_EVERY * 2 + rest).await;
        signal(pid, Signal::CONT);
        Ok(())
    }

    /// The worker that runs the most slow jobs, as soon as there is one.
    async fn busy_worker(&mut self) -> Result<i32> {
        let start = Instant::now();
        loop {
            let names = self.ask(async |db| chaos::busiest_in(db, SLOW_QUEUE).await).await?;
            let pids = self.fleet.pids();
            let mut busy = names.iter().filter_map(|name| name.rsplit_once(':')?.1.parse().ok());
            if let Some(pid) = busy.find(|pid: &i32| pids.contains(pid)) {
                return Ok(pid);
            }
            anyhow::ensure!(start.elapsed() < super::PATIENCE, "no worker runs a slow job");
            self.pause(Duration::from_millis(50)).await?;
        }
    }

    async fn terminate(&mut self) -> Result<()> {
        let mut conn = self.connect().await?;
        self.findings.terminated += chaos::terminate_backends(&mut conn, SHARE).await?;
        Ok(conn.close().await?)
    }

    /// Takes every slot, ends some of the workers' connections and takes theirs as well.
    async fn fill_slots(&mut self) -> Result<()> {
        let mut conn = self.connect().await?;
        let options = self.options()?;
        let mut taken = Vec::new();
        while let Ok(one) = PgConnection::connect_with(&options).await {
            taken.push(one);
        }
        self.findings.terminated += chaos::terminate_backends(&mut conn, SHARE).await?;
        let start = Instant::now();
        while start.elapsed() < SHORT {
            match PgConnection::connect_with(&options).await {
                Ok(one) => taken.push(one),
                Err(_) => sleep(REFUSED).await,
            }
        }
        Ok(())
    }

    fn options(&self) -> Result<PgConnectOptions> {
        self.server.url().parse().context("the server's URL")
    }

    /// A connection for one fault; other faults may have left few.
    async fn connect(&self) -> Result<PgConnection> {
        let options = self.options()?;
        let start = Instant::now();
        loop {
            match PgConnection::connect_with(&options).await {
                Ok(conn) => return Ok(conn),
                Err(error) if start.elapsed() > super::PATIENCE => return Err(error.into()),
                Err(_) => sleep(REFUSED).await,
            }
        }
    }
}
