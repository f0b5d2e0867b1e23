//! `plumbline bench latency`.

use super::Worker;
use super::clock::{ms_between, per, summary};
use super::ground::{Begin, Ground};
use super::noop::{Count, Starts};
use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// Time from a job's commit, in one process, to the start of its handler in another.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  plumbline bench latency --rate 200 --seconds 20")]
pub struct Args {
    /// Jobs a second, each in a transaction of its own.
    #[arg(long, default_value_t = 200)]
    rate: u64,
    /// For how long.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    #[command(flatten)]
    worker: Worker,
}

/// How long jobs may take to start after the last was enqueued, before they count as missing.
const PATIENCE: Duration = Duration::from_secs(30);

pub async fn run(args: &Args) -> Result<()> {
    let ground = Ground::open(&args.worker.database, Begin::Empty).await?;
    let measured = measure(&ground, args.rate, args.seconds, args.worker.concurrency).await?;
    let mut line = json!({"metric": "latency", "rate": args.rate, "concurrency": args.worker.concurrency});
    merge(&mut line, measured);
    println!("{line}");
    ground.close().await
}

/// Adds the fields of one object to another.
pub fn merge(line: &mut Value, more: Value) {
    if let (Some(line), Value::Object(more)) = (line.as_object_mut(), more) {
        line.extend(more);
    }
}

/// The latencies at a rate.
pub async fn measure(ground: &Ground, rate: u64, seconds: u64, concurrency: usize) -> Result<Value> {
    let sample = sample(ground, rate, seconds, concurrency).await?;
    let missing = sample.jobs - sample.waits.len();
    let (begin, end) = sample.span;
    let mut fields = summary("", sample.waits.into_iter().map(|wait| wait.ms).collect());
    merge(&mut fields, summary("enqueue_", sample.enqueues));
    let achieved = per(sample.jobs, ms_between(begin, end) / 1e3);
    merge(&mut fields, json!({"jobs": sample.jobs, "missing": missing, "achieved_rate": achieved}));
    Ok(fields)
}

/// How long a job waited.
pub struct Wait {
    /// When it was committed, see [`now_ns`](super::clock::now_ns).
    pub committed_ns: u64,
    /// From then to its start, in milliseconds.
    pub ms: f64,
}

/// What was measured of jobs at a rate.
pub struct Sample {
    /// Jobs enqueued.
    pub jobs: usize,
    /// Those that started.
    pub waits: Vec<Wait>,
    enqueues: Vec<f64>,
    span: (u64, u64),
}

/// Runs jobs at a rate.
pub async fn sample(ground: &Ground, rate: u64, seconds: u64, concurrency: usize) -> Result<Sample> {
    let jobs = usize::try_from(rate * seconds)?;
    let starts = Starts::of(jobs);
    let working = ground.work(Count::new(&starts), concurrency);
    let exe = std::env::current_exe().context("cannot tell where this program is")?;
    let produced = Command::new(exe)
        .args(["bench", "produce", "--rate", &rate.to_string(), "--seconds", &seconds.to_string()])
        .env("DATABASE_URL", ground.url())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output()
        .await?;
    anyhow::ensure!(produced.status.success(), "the producer ended with {}", produced.status);
    let all = async {
        while starts.count() < jobs {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    // Those that have not started by then are missing.
    let _ = tokio::time::timeout(PATIENCE, all).await;
    working.stop().await?;

    let (mut waits, mut enqueues, mut span) = (Vec::new(), Vec::new(), (u64::MAX, 0));
    for line in String::from_utf8(produced.stdout)?.lines() {
        let numbers: Vec<u64> = line.split(' ').map(str::parse).collect::<Result<_, _>>()?;
        let [i, begin, commit] = numbers[..] else { anyhow::bail!("the producer wrote {line:?}") };
        span = (span.0.min(begin), span.1.max(commit));
        enqueues.push(ms_between(begin, commit));
        if let Some(started) = starts.of_job(usize::try_from(i)?) {
            waits.push(Wait { committed_ns: commit, ms: ms_between(commit, started) });
        }
    }
    Ok(Sample { jobs, waits, enqueues, span })
}
