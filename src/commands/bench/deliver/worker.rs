//! The worker whose deliveries are measured: `plumbline worker` itself, in a process of its own, with production's defaults.

use crate::boot::create_data_dir;
use crate::commands::bench::ground::Ground;
use crate::commands::scratch::Scratch;
use anyhow::{Context as _, Result};
use rustix::process::{Pid, Signal, kill_process};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// Where the receiver is, which an operator must allow.
pub const LOOPBACK: &str = "127.0.0.0/8";

/// How long a worker may take to be ready.
const PATIENCE: Duration = Duration::from_mins(1);

/// How long it may take to end well before what runs is interrupted.
const GRACE: Duration = Duration::from_secs(2);

/// Settings of this process's environment that a measured worker must not have.
const NOT_INHERITED: [&str; 6] = [
    "PLUMBLINE_MASTER_KEY_PREVIOUS",
    "PLUMBLINE_QUEUES",
    "PLUMBLINE_LISTEN_URL",
    "PLUMBLINE_ARTIFACTS",
    "PLUMBLINE_POOLER",
    "PLUMBLINE_DNS_SERVERS",
];

/// A worker; killed when it is dropped.
pub struct Worker(Child);

impl Worker {
    /// Starts it and waits until it is ready.
    pub async fn start(ground: &Ground, scratch: &Scratch, master_key: &str, concurrency: u16) -> Result<Self> {
        let data_dir = scratch.data_dir();
        create_data_dir(&data_dir)?;
        let mut command = Command::new(std::env::current_exe().context("cannot tell where this program is")?);
        for name in NOT_INHERITED {
            command.env_remove(name);
        }
        let mut child = command
            .args(["worker", "--concurrency", &concurrency.to_string()])
            .env("DATABASE_URL", ground.inner_url())
            .env("PLUMBLINE_MASTER_KEY", master_key)
            .env("PLUMBLINE_ALLOW_NETWORKS", LOOPBACK)
            .env("PLUMBLINE_DATA_DIR", data_dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(scratch.log("worker.log")?)
            .kill_on_drop(true)
            .spawn()
            .context("cannot start a worker")?;
        let out = child.stdout.take().context("the worker has no output")?;
        let mut lines = BufReader::new(out).lines();
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.context("the worker is not ready")??;
        anyhow::ensure!(line.as_deref() == Some("ready"), "the worker ended before it was ready");
        Ok(Self(child))
    }

    /// Tells it to stop, and soon after to interrupt what still runs: a request that hangs need not be waited for.
    pub async fn stop(mut self) -> Result<()> {
        self.tell()?;
        if tokio::time::timeout(GRACE, self.0.wait()).await.is_err() {
            self.tell()?;
        }
        let status = self.0.wait().await?;
        anyhow::ensure!(status.success(), "the worker ended with {status}");
        Ok(())
    }

    fn tell(&self) -> Result<()> {
        let pid = self.0.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        Ok(kill_process(pid.context("the worker has ended before it was told to")?, Signal::TERM)?)
    }
}
