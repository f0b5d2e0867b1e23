//! A role of production that is measured, in a process of its own: `plumbline worker` or `plumbline scheduler`, with production's defaults.

use super::ground::Ground;
use crate::boot::create_data_dir;
use crate::commands::scratch::Scratch;
use crate::postgres::signal;
use anyhow::{Context as _, Result};
use rustix::process::Signal;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// How long one may take to be ready.
const PATIENCE: Duration = Duration::from_mins(1);

/// How long it may take to end well before what runs is interrupted.
const GRACE: Duration = Duration::from_secs(2);

/// Settings of this process's environment that a measured one must not have.
const NOT_INHERITED: [&str; 6] = [
    "PLUMBLINE_MASTER_KEY_PREVIOUS",
    "PLUMBLINE_QUEUES",
    "PLUMBLINE_LISTEN_URL",
    "PLUMBLINE_ARTIFACTS",
    "PLUMBLINE_POOLER",
    "PLUMBLINE_DNS_SERVERS",
];

/// A process; killed when it is dropped.
pub struct Process {
    child: Child,
    pid: i32,
    name: String,
}

impl Process {
    /// Starts it in the benchmark's schema and waits until it is ready; its log is called `name`.
    pub async fn start(
        ground: &Ground,
        scratch: &Scratch,
        (name, args): (&str, &[&str]),
        settings: &[(&str, &str)],
    ) -> Result<Self> {
        let data_dir = scratch.data_dir();
        create_data_dir(&data_dir)?;
        let mut command = Command::new(std::env::current_exe().context("cannot tell where this program is")?);
        for name in NOT_INHERITED {
            command.env_remove(name);
        }
        let mut child = command
            .args(args)
            .env("DATABASE_URL", ground.inner_url())
            .env("PLUMBLINE_DATA_DIR", data_dir)
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(scratch.log(&format!("{name}.log"))?)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start the {name}"))?;
        let pid =
            child.id().and_then(|id| i32::try_from(id).ok()).with_context(|| format!("the {name} ended at once"))?;
        let out = child.stdout.take().with_context(|| format!("the {name} has no output"))?;
        let mut lines = BufReader::new(out).lines();
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await;
        let line = line.with_context(|| format!("the {name} is not ready"))??;
        anyhow::ensure!(line.as_deref() == Some("ready"), "the {name} ended before it was ready");
        Ok(Self { child, pid, name: name.to_owned() })
    }

    /// Tells it to stop, and soon after to interrupt what still runs: a request that hangs need not be waited for.
    pub async fn stop(mut self) -> Result<()> {
        self.signal(Signal::TERM);
        if tokio::time::timeout(GRACE, self.child.wait()).await.is_err() {
            self.signal(Signal::TERM);
        }
        let status = self.child.wait().await?;
        anyhow::ensure!(status.success(), "the {} ended with {status}", self.name);
        Ok(())
    }

    /// Kills it, as the system does when memory runs out.
    pub async fn kill(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Sends it a signal.
    pub fn signal(&self, what: Signal) {
        signal(self.pid, what);
    }
}
