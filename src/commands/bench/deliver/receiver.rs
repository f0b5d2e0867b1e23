//! The receiver's process, from outside: `receive.rs` is what runs in it.

use super::endpoints::Endpoint;
use super::receive::Counts;
use super::received::Received;
use crate::commands::scratch::Scratch;
use anyhow::{Context as _, Result};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::Instant;

/// How long an answer may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Between two looks at the counts.
const LOOK: Duration = Duration::from_millis(50);

/// A receiver; killed when it is dropped.
pub struct Receiver {
    child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    notes: PathBuf,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Receiver {
    /// Starts one and waits until it is ready.
    pub async fn start(scratch: &Scratch) -> Result<Self> {
        let notes = scratch.path().join("received");
        let mut child = Command::new(std::env::current_exe().context("cannot tell where this program is")?)
            .args(["bench", "receive", "--notes"])
            .arg(&notes)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start the receiver")?;
        let stdin = child.stdin.take().context("the receiver has no input")?;
        let mut lines = BufReader::new(child.stdout.take().context("the receiver has no output")?).lines();
        let line = next(&mut lines).await?;
        let address = line.strip_prefix("ready ").with_context(|| format!("the receiver said {line:?}"))?.parse()?;
        Ok(Self { child, stdin, lines, notes, address })
    }

    /// Tells it the secrets of endpoints, and waits until it knows them.
    pub async fn tell(&mut self, endpoints: &[Endpoint]) -> Result<()> {
        for Endpoint { place, secret, .. } in endpoints {
            let line = format!("secret {} {}\n", place.number, secret.reveal());
            self.stdin.write_all(line.as_bytes()).await?;
        }
        self.counts().await?;
        Ok(())
    }

    /// What it has counted so far.
    pub async fn counts(&mut self) -> Result<Counts> {
        self.stdin.write_all(b"count\n").await?;
        self.stdin.flush().await?;
        Ok(serde_json::from_str(&next(&mut self.lines).await?)?)
    }

    /// Waits until so many messages have arrived, or none has for long: the rest is missing then.
    pub async fn wait_for(&mut self, messages: usize) -> Result<()> {
        let (mut seen, mut since) = (0, Instant::now());
        loop {
            let verified = self.counts().await?.verified;
            if verified >= messages || since.elapsed() > PATIENCE {
                return Ok(());
            }
            if verified > seen {
                (seen, since) = (verified, Instant::now());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Ends it; what it got, and what else it counted.
    pub async fn finish(mut self) -> Result<(Received, Counts)> {
        drop(self.stdin);
        let counts = serde_json::from_str(&next(&mut self.lines).await?)?;
        let status = self.child.wait().await?;
        anyhow::ensure!(status.success(), "the receiver ended with {status}");
        let notes = tokio::fs::read_to_string(&self.notes).await.context("the receiver's notes cannot be read")?;
        Ok((Received::parse(&notes)?, counts))
    }
}

async fn next(lines: &mut Lines<BufReader<ChildStdout>>) -> Result<String> {
    let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.context("the receiver does not answer")??;
    line.context("the receiver has ended")
}
