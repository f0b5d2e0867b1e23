//! Stopping in two stages.
//!
//! The first SIGTERM or Ctrl-C cancels the *soft* token: nothing new is accepted or claimed. What runs has a grace period;
//! after it the *hard* token is cancelled, and running work is interrupted and handed back. A second signal ends the process
//! at once; an embedded Postgres then goes on running until the next command on its folder adopts it.

use std::future::Future;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long running requests and jobs have after the first signal.
pub const GRACE: Duration = Duration::from_secs(20);

/// The exit status of a process that was told twice: 128 and SIGTERM's number, as shells count.
const ENDED_AT_ONCE: i32 = 143;

/// The two tokens, and the tasks that heed them.
#[derive(Debug, Clone)]
pub struct Shutdown {
    soft: CancellationToken,
    hard: CancellationToken,
    tasks: TaskTracker,
}

impl Shutdown {
    /// Listens for the signals from now on.
    ///
    /// # Errors
    /// When the process may not install signal handlers.
    pub fn listen() -> std::io::Result<Self> {
        let hard = CancellationToken::new();
        let this = Self { soft: hard.child_token(), hard, tasks: TaskTracker::new() };
        let (interrupt, terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        tokio::spawn(this.clone().watch(interrupt, terminate));
        Ok(this)
    }

    async fn watch(self, mut interrupt: Signal, mut terminate: Signal) {
        let mut next = async || {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        };
        next().await;
        tracing::info!(grace_s = GRACE.as_secs(), "stopping; a second signal ends at once");
        self.soft.cancel();
        next().await;
        tracing::warn!("ended at once");
        std::process::exit(ENDED_AT_ONCE);
    }

    /// Cancelled when nothing new shall begin.
    #[must_use]
    pub fn soft(&self) -> CancellationToken {
        self.soft.clone()
    }

    /// Cancelled when what runs shall end, too.
    #[must_use]
    pub fn hard(&self) -> CancellationToken {
        self.hard.clone()
    }

    /// Runs one part of the process as a task of its own. A part that ends by itself, well or badly, stops the others: half a
    /// process is harder to notice than none.
    pub fn spawn<F>(&self, name: &'static str, part: F) -> tokio::task::JoinHandle<anyhow::Result<()>>
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let soft = self.soft.clone();
        self.tasks.spawn(async move {
            let _stop_the_others = soft.clone().drop_guard();
            let result = part.await;
            match &result {
                Err(error) => tracing::error!(part = name, error = format!("{error:#}"), "failed"),
                Ok(()) if !soft.is_cancelled() => tracing::warn!(part = name, "ended unasked"),
                Ok(()) => tracing::debug!(part = name, "stopped"),
            }
            result
        })
    }

    /// Waits until the process is told to stop, or a part of it has ended, and then until all parts have, with their grace.
    pub async fn finished(&self) {
        self.soft.cancelled().await;
        self.tasks.close();
        if tokio::time::timeout(GRACE, self.tasks.wait()).await.is_err() {
            tracing::warn!("grace is over; interrupting what runs");
            self.hard.cancel();
            self.tasks.wait().await;
        }
    }
}
