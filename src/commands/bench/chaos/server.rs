//! The Postgres that chaos is let loose on: a cluster of its own, restarted by signals, never left running.

use crate::boot::create_data_dir;
use crate::commands::scratch::Scratch;
use crate::postgres::{Durability, Embedded, Options, signal};
use anyhow::{Context as _, Result, bail};
use rustix::process::Signal;
use std::time::{Duration, Instant};

/// How long a restart may take; it includes the recovery after an immediate one.
const PATIENCE: Duration = Duration::from_mins(2);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// The server.
#[derive(Debug)]
pub struct Server(Option<Embedded>);

impl Server {
    /// Starts it in the scratch folder. Commits are flushed: without that a restart would lose some, and rightly.
    pub async fn start(scratch: &Scratch) -> Result<Self> {
        let data_dir = scratch.data_dir();
        create_data_dir(&data_dir)?;
        Ok(Self(Some(Embedded::start(&Options { data_dir, durability: Durability::Durable }).await?)))
    }

    /// Where it is.
    pub fn url(&self) -> String {
        self.0.as_ref().map(Embedded::url).unwrap_or_default()
    }

    /// Stops it by a signal of its own (INT: fast, QUIT: immediate) and starts it again, on the same port.
    pub async fn restart(&mut self, how: Signal) -> Result<()> {
        let embedded = self.0.as_mut().context("the server was stopped")?;
        let url = embedded.url();
        signal(embedded.pid().context("Postgres is not running")?, how);
        let start = Instant::now();
        while !embedded.revive().await? {
            if start.elapsed() > PATIENCE {
                bail!("Postgres did not stop within {PATIENCE:?}");
            }
            tokio::time::sleep(LOOK).await;
        }
        if embedded.url() != url {
            bail!("Postgres came back on another port");
        }
        Ok(())
    }

    /// Stops it for good.
    pub async fn stop(mut self) -> Result<()> {
        match self.0.take() {
            Some(embedded) => Ok(embedded.stop().await?),
            None => Ok(()),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // After a panic there is nobody to wait for it; the folder is a throw-away.
        if let Some(pid) = self.0.as_ref().and_then(Embedded::pid) {
            signal(pid, Signal::QUIT);
        }
    }
}
