//! `plumbline bench chaos`: is a job ever lost, or its effect doubled?
//!
//! Real worker processes on a real Postgres, both this command's own, under load, while one fault after the other is done to
//! them (`faults`). The jobs (`kinds`) keep a ledger in the same database (`jobs::db::chaos`); when all of them have ended, it
//! is added up (`report`). Nothing is left running: workers end with this process, however it ends, and Postgres is stopped
//! unless this process is killed.

mod faults;
mod fleet;
mod kinds;
mod producer;
mod report;
mod server;
mod worker;

pub use worker::{WorkerArgs, work};

use crate::commands::scratch::Scratch;
use crate::output::Json;
use anyhow::{Context as _, Result, bail, ensure};
use chrono::Utc;
use faults::Fault;
use fleet::Fleet;
use jobs::db::{chaos, pool};
use jobs::schema;
use producer::Producer;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use report::{Findings, Report};
use rustix::process::Signal;
use server::Server;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection, PgPool};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};

/// After a fault a job must end within this time, and the last one after the load has ended must not take much longer.
const PATIENCE: Duration = Duration::from_mins(2);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(20);
/// Connections of this command: control, and the producer.
const OWN_CONNECTIONS: u32 = 4;
/// The longest time between two faults, in milliseconds.
const BREATH_MS: u64 = 1_500;

/// Kill workers, restart Postgres and worse, under load, and prove that no job is lost and no effect doubled.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit status 0 if every promise held.\n\nExample:\n  plumbline bench chaos --seconds 60 --workers 4 --json"
)]
pub struct Args {
    /// Time under faults, in seconds; each fault comes at least once, so a short time may be exceeded.
    #[arg(long, value_name = "S", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// Worker processes.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(2..=32))]
    workers: u16,
    /// Jobs of each queue that a worker runs at once.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=100))]
    concurrency: u16,
    /// Jobs enqueued a second.
    #[arg(long, value_name = "R", default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rate: u32,
    /// Draws the same load and the same faults again; at random without it.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    #[command(flatten)]
    json: Json,
}

/// Runs it; whatever happens, nothing is left running.
pub async fn run(args: Args) -> Result<ExitCode> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut scratch = Scratch::new("chaos")?;
    let result = tokio::select! {
        result = play(&args, &scratch) => Some(result),
        _ = interrupt.recv() => None,
        _ = terminate.recv() => None,
    };
    let Some(result) = result else { bail!("interrupted") };
    if !matches!(&result, Ok(report) if report.broken().is_empty()) {
        scratch.keep();
    }
    let report = result?;
    report.print(args.json)?;
    for promise in report.broken() {
        say(&format!("BROKEN: {promise}"));
    }
    Ok(if report.broken().is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Says what happens, on stderr.
fn say(text: &str) {
    eprintln!("chaos: {text}");
}

/// What runs, and what was seen.
struct Stage<'a> {
    scratch: &'a Scratch,
    rng: StdRng,
    // Dropped in this order: workers first, Postgres last.
    fleet: Fleet,
    pool: PgPool,
    server: Server,
    findings: Findings,
}

async fn play(args: &Args, scratch: &Scratch) -> Result<Report> {
    let seed = args.seed.unwrap_or_else(|| rand::rng().random());
    say(&format!("seed {seed}; starting Postgres and {} workers", args.workers));
    let (workers, concurrency) = (u32::from(args.workers), usize::from(args.concurrency));
    // Some for faults, and Postgres keeps three for itself.
    let connections = workers * worker::MOST_CONNECTIONS + OWN_CONNECTIONS + 12;
    let server = prepare(scratch, connections).await?;
    let url = server.url();
    let options = pool::options().max_connections(OWN_CONNECTIONS).acquire_timeout(Duration::from_secs(5));
    let pool = options.connect(&url).await?;
    let fleet = Fleet::start(usize::from(args.workers), concurrency, &url, scratch)?;
    let rng = StdRng::seed_from_u64(seed);
    let mut stage = Stage { scratch, rng, fleet, pool, server, findings: Findings::default() };
    let producer = Producer::start(stage.pool.clone(), args.rate, seed);
    let start = Instant::now();
    stage.recover().await?;
    stage.torment(Duration::from_secs(args.seconds)).await?;
    let elapsed = start.elapsed();
    say("the faults are over; waiting for the last jobs");
    let produced = producer.stop().await?;
    stage.drain().await?;
    let tally = stage.ask(async |db| chaos::tally(db).await).await?;
    let forgotten = stage.ask(async |db| chaos::forgotten(db, &produced.acknowledged).await).await?;
    if tally.lost > 0 {
        for line in stage.ask(async |db| chaos::describe_lost(db).await).await? {
            say(&line);
        }
    }
    let Stage { fleet, pool, server, findings, .. } = stage;
    let findings = Findings {
        deserted: fleet.deserted.clone(),
        aborted: fleet.aborted,
        failed_enqueues: produced.failed,
        forgotten,
        ..findings
    };
    drop(fleet);
    pool.close().await;
    server.stop().await?;
    Ok(Report { seed, elapsed, findings, tally })
}

/// Starts Postgres with so many connection slots that they can be filled, with the product's schema and the ledger.
async fn prepare(scratch: &Scratch, connections: u32) -> Result<Server> {
    let mut server = Server::start(scratch).await?;
    let options: PgConnectOptions = server.url().parse()?;
    schema::migrate(&options).await?;
    let mut conn = PgConnection::connect_with(&options).await?;
    chaos::create(&mut conn).await?;
    chaos::limit_connections(&mut conn, connections).await?;
    conn.close().await?;
    server.restart(Signal::INT).await?;
    Ok(server)
}

impl Stage<'_> {
    /// One fault after the other, in rounds that hold each of them once.
    async fn torment(&mut self, time: Duration) -> Result<()> {
        let start = Instant::now();
        let mut round = Vec::new();
        let mut is_first = true;
        while start.elapsed() < time || (is_first && !round.is_empty()) {
            let Some(fault) = round.pop() else {
                is_first = self.findings.faults.is_empty();
                round = Fault::ALL.to_vec();
                round.shuffle(&mut self.rng);
                continue;
            };
            self.inflict(fault).await.with_context(|| format!("while inflicting {fault:?}"))?;
            let recovery = self.recover().await.with_context(|| format!("after {fault:?}"))?;
            say(&format!("{:>4} s  {fault:?}, jobs end again after {recovery:?}", start.elapsed().as_secs()));
            let (count, longest) = self.findings.faults.entry(fault).or_default();
            *count += 1;
            *longest = recovery.max(*longest);
            let breath = Duration::from_millis(self.rng.random_range(0..BREATH_MS));
            self.pause(breath).await?;
        }
        Ok(())
    }

    /// Waits until a job ends; how long that takes from now.
    async fn recover(&mut self) -> Result<Duration> {
        let since = Utc::now();
        let start = Instant::now();
        loop {
            if let Some(at) = self.ask(async |db| chaos::first_effect_after(db, since).await).await? {
                return Ok((at - since).to_std().unwrap_or_default());
            }
            if start.elapsed() > PATIENCE {
                self.describe_open_jobs().await?;
                bail!("no job ended for {PATIENCE:?}");
            }
            self.pause(LOOK).await?;
        }
    }

    /// Waits until no job is left, and lets the workers go.
    async fn drain(&mut self) -> Result<()> {
        let start = Instant::now();
        while self.ask(async |db| chaos::open_jobs(db).await).await? > 0 {
            if start.elapsed() > PATIENCE {
                self.describe_open_jobs().await?;
                bail!("not all jobs ended within {PATIENCE:?}");
            }
            self.pause(LOOK * 5).await?;
        }
        for pid in self.fleet.pids() {
            self.findings.unclean_stops += u64::from(self.fleet.stop(pid).await? == Some(false));
        }
        Ok(())
    }

    async fn describe_open_jobs(&self) -> Result<()> {
        for line in self.ask(async |db| chaos::describe_open_jobs(db).await).await? {
            say(&line);
        }
        Ok(())
    }

    /// Lets time pass, and looks after the workers meanwhile: poison jobs strike whenever they like.
    async fn pause(&mut self, time: Duration) -> Result<()> {
        let end = Instant::now() + time;
        loop {
            self.fleet.tend(self.scratch)?;
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            tokio::time::sleep(left.min(LOOK * 5)).await;
        }
    }

    /// Asks the database, again until it answers: it may just have been away.
    async fn ask<T>(&self, mut question: impl AsyncFnMut(&PgPool) -> sqlx::Result<T>) -> Result<T> {
        let start = Instant::now();
        loop {
            match question(&self.pool).await {
                Ok(answer) => return Ok(answer),
                Err(error) => {
                    ensure!(start.elapsed() < PATIENCE, "the database does not answer: {error}");
                    tokio::time::sleep(LOOK).await;
                }
            }
        }
    }
}
