//! A worker process of a benchmark, and a number of them.

use super::Worker;
use super::clock::now_ns;
use super::ground::{Begin, Ground};
use super::noop::Noop;
use crate::shutdown::Shutdown;
use anyhow::{Context as _, Result};
use jobs::queue::JobError;
use serde_json::Value;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use workers::runtime::{Handler, JobContext};

/// Run a benchmark's jobs until told to stop.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: none; other benchmarks start it.")]
pub struct Args {
    /// How long each job takes, in milliseconds.
    #[arg(long, default_value_t = 0)]
    hold_ms: u64,
    /// File for the times of each job: begin and end, in nanoseconds of the monotonic clock.
    #[arg(long)]
    times: Option<PathBuf>,
    #[command(flatten)]
    worker: Worker,
}

/// Notes when each job ran.
struct Timed {
    hold: Duration,
    times: Option<Arc<Mutex<String>>>,
}

impl Handler for Timed {
    type Job = Noop;

    async fn run(&self, _: &JobContext, _: Noop) -> Result<Value, JobError> {
        let begin = now_ns();
        if !self.hold.is_zero() {
            tokio::time::sleep(self.hold).await;
        }
        if let Some(times) = &self.times {
            let mut times = times.lock().unwrap_or_else(PoisonError::into_inner);
            // Writing to a string does not fail.
            let _ = writeln!(times, "{begin} {}", now_ns());
        }
        Ok(Value::Null)
    }
}

pub async fn run(args: &Args) -> Result<()> {
    let shutdown = Shutdown::listen()?;
    let ground = Ground::open(&args.worker.database, Begin::AsItIs).await?;
    let times = args.times.as_ref().map(|_| Arc::default());
    let handler = Timed { hold: Duration::from_millis(args.hold_ms), times: times.clone() };
    let working = ground.work(handler, args.worker.concurrency);
    println!("ready");
    shutdown.soft().cancelled().await;
    working.stop().await?;
    if let (Some(file), Some(times)) = (&args.times, times) {
        let times = std::mem::take(&mut *times.lock().unwrap_or_else(PoisonError::into_inner));
        tokio::fs::write(file, times).await.with_context(|| format!("cannot write {}", file.display()))?;
    }
    ground.leave().await
}

/// Worker processes; those that are left when it is dropped are killed.
pub struct Fleet(Vec<Child>);

impl Fleet {
    /// Starts them and waits until all are ready. `options` is for each: its number stands for `{}`.
    pub async fn start(url: &str, processes: usize, concurrency: usize, options: &[String]) -> Result<Self> {
        let exe = std::env::current_exe().context("cannot tell where this program is")?;
        let mut fleet = Self(Vec::new());
        for number in 0..processes {
            let options = options.iter().map(|option| option.replace("{}", &number.to_string()));
            let child = Command::new(&exe)
                .args(["bench", "work", "--concurrency", &concurrency.to_string()])
                .args(options)
                .env("DATABASE_URL", url)
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .kill_on_drop(true)
                .spawn()
                .context("cannot start a worker process")?;
            fleet.0.push(child);
        }
        for child in &mut fleet.0 {
            let out = child.stdout.take().context("a worker process has no output")?;
            let mut lines = BufReader::new(out).lines();
            let line = tokio::time::timeout(Duration::from_mins(1), lines.next_line());
            let line = line.await.context("a worker is not ready")??;
            anyhow::ensure!(line.as_deref() == Some("ready"), "a worker process ended before it was ready");
        }
        Ok(fleet)
    }

    /// Stops them well.
    pub async fn stop(mut self) -> Result<()> {
        for child in &self.0 {
            let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
            let pid = pid.context("a worker process has ended before it was told to")?;
            rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        }
        for child in &mut self.0 {
            let status = child.wait().await?;
            anyhow::ensure!(status.success(), "a worker process ended with {status}");
        }
        Ok(())
    }
}
