//! `plumbline bench maintenance`.

use super::Worker;
use super::clock::{now_ns, per, quantile, summary};
use super::ground::{Begin, Ground};
use super::latency::{Wait, merge, sample};
use anyhow::{Context as _, Result};
use jobs::db::measure::expired;
use metrics::{
    Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit, set_global_recorder,
};
use scheduler::maintenance::dead_letters::{self, DeadLetters};
use scheduler::maintenance::events::{self, Events};
use scheduler::maintenance::idempotency_keys::{self, IdempotencyKeys};
use scheduler::maintenance::rescuer::{self, Rescuer};
use scheduler::maintenance::scans::{self, Scans};
use scheduler::maintenance::{Batches, Counts as _, Ground as Base, Service};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Tables full of what is past its time, deleted by the scheduler's services, all at once, while the queue's latency is measured beside.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  plumbline bench maintenance --rows 1000000 --seconds 20")]
pub struct Args {
    /// Rows of each of: events, deliveries, attempts, dead jobs, idempotency keys, outcomes, scans.
    #[arg(long, default_value_t = 1_000_000)]
    rows: u32,
    /// Rows of one statement.
    #[arg(long, default_value_t = 1_000)]
    batch: u32,
    /// For how long the latency is measured alone; beside the services in windows of the same length, until they are done.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Jobs a second of the latency.
    #[arg(long, default_value_t = 200)]
    rate: u64,
    #[command(flatten)]
    worker: Worker,
}

pub async fn run(args: &Args) -> Result<()> {
    let ground = Ground::open(&args.worker.database, Begin::Empty).await?;
    let batches = Collector::install()?;
    let mut conn = ground.connect().await?;
    expired::fill(&mut conn, args.rows.into()).await?;
    expired::settle(&mut conn).await?;
    let window = || sample(&ground, args.rate, args.seconds, args.worker.concurrency);
    let alone = window().await?;
    // Not before: the worker that is measured would have begun with them.
    expired::fill_outcomes(&mut conn, args.rows.into()).await?;
    expired::settle(&mut conn).await?;
    drop(conn);
    let (mut jobs, mut waits) = (0, Vec::new());

    let begun = now_ns();
    let mut services = tokio::spawn(all(ground.pool.clone(), args.batch));
    let lines = loop {
        let beside = window().await?;
        jobs += beside.jobs;
        waits.extend(beside.waits);
        if services.is_finished() {
            break (&mut services).await??;
        }
    };
    let missing = jobs - waits.len();
    for (mut line, seconds) in lines.parts {
        let service = line["service"].as_str().unwrap_or_default().to_owned();
        let mut took = batches.of(&service);
        let count = took.len();
        merge(&mut line, json!({"batches": count, "seconds": seconds, "batch": args.batch}));
        merge(&mut line, summary("batch_", std::mem::take(&mut took)));
        println!("{line}");
    }
    // What was committed before the services began, or after they ended, is not beside them.
    waits.retain(|wait: &Wait| (begun..=lines.ended_ns).contains(&wait.committed_ns));
    let beside = waits.len();
    let (alone_ms, beside_ms) = (milliseconds(alone.waits), milliseconds(waits));
    let ratio = |q| Some(quantile(&mut beside_ms.clone(), q)? / quantile(&mut alone_ms.clone(), q)?);
    let mut line = json!({
        "metric": "maintenance_latency", "rate": args.rate, "concurrency": args.worker.concurrency, "rows": args.rows,
        "alone_jobs": alone_ms.len(), "alone_missing": alone.jobs - alone_ms.len(), "jobs": beside, "missing": missing,
        "p50_ratio": ratio(0.5).map(hundredths), "p99_ratio": ratio(0.99).map(hundredths),
    });
    merge(&mut line, summary("alone_", alone_ms.clone()));
    merge(&mut line, summary("", beside_ms.clone()));
    println!("{line}");
    ground.close().await
}

fn milliseconds(waits: Vec<Wait>) -> Vec<f64> {
    waits.into_iter().map(|wait| wait.ms).collect()
}

fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// What the services did.
struct Done {
    /// A line for each, and its seconds.
    parts: Vec<(Value, f64)>,
    ended_ns: u64,
}

/// Runs them as a scheduler does, each until there is nothing left.
async fn all(pool: sqlx::PgPool, rows: u32) -> Result<Done> {
    let base = &Base::new(pool);
    let batches = Batches { rows, ..Batches::default() };
    let few = Batches { rows, ..rescuer::Config::default().batches };
    let events = Events::new(base, events::Config { batches, ..events::Config::default() })?;
    let dead = DeadLetters::new(base, dead_letters::Config { batches, ..dead_letters::Config::default() })?;
    let keys = IdempotencyKeys::new(base, idempotency_keys::Config { batches, ..idempotency_keys::Config::default() })?;
    let scans = Scans::new(base, scans::Config { batches, ..scans::Config::default() })?;
    let rescuer = Rescuer::new(base, rescuer::Config { batches: few, ..rescuer::Config::default() })?;
    let (events, dead, keys, scans, rescuer) =
        tokio::try_join!(drained(&events), drained(&dead), drained(&keys), drained(&scans), drained(&rescuer))?;
    Ok(Done { parts: vec![events, dead, keys, scans, rescuer], ended_ns: now_ns() })
}

/// Runs a service until it does nothing more.
async fn drained<S: Service>(service: &S) -> Result<(Value, f64)> {
    let begun = Instant::now();
    let mut all: HashMap<&'static str, u64> = HashMap::new();
    loop {
        let counts = service.run_once().await.with_context(|| format!("{} failed", S::NAME))?;
        for (what, rows) in counts.rows() {
            *all.entry(what).or_default() += rows;
        }
        if !counts.has_more() {
            break;
        }
    }
    let (seconds, rows) = (begun.elapsed().as_secs_f64(), all.values().sum::<u64>());
    let line = json!({
        "metric": "maintenance", "service": S::NAME, "rows": rows, "of": all,
        "rows_per_s": per(usize::try_from(rows)?, seconds),
    });
    Ok((line, hundredths(seconds)))
}

/// How long batches took, as the services tell it their metrics.
#[derive(Debug, Clone, Default)]
struct Collector(Arc<Mutex<HashMap<String, Arc<Taken>>>>);

/// The batches of a service, in milliseconds.
#[derive(Debug, Default)]
struct Taken(Mutex<Vec<f64>>);

impl HistogramFn for Taken {
    fn record(&self, seconds: f64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(seconds * 1e3);
    }
}

impl Collector {
    fn install() -> Result<Self> {
        let collector = Self::default();
        set_global_recorder(collector.clone()).context("metrics are collected already")?;
        Ok(collector)
    }

    fn service(&self, name: &str) -> Arc<Taken> {
        let mut services = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(services.entry(name.to_owned()).or_default())
    }

    fn of(&self, service: &str) -> Vec<f64> {
        std::mem::take(&mut *self.service(service).0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Recorder for Collector {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        Counter::noop()
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        let service = key.labels().find(|label| label.key() == "service").map(metrics::Label::value);
        match service.filter(|_| key.name() == "plumbline_maintenance_batch_seconds") {
            Some(service) => Histogram::from_arc(self.service(service)),
            None => Histogram::noop(),
        }
    }
}
