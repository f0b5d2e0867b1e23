//! Stopping in two stages.
//!
//! The first SIGTERM or Ctrl-C cancels the *soft* token: nothing new is accepted or claimed, and what runs has its grace. The
//! second cancels the *hard* token: what runs is interrupted and handed back, and the process ends within seconds. A third
//! ends it where it stands; an embedded Postgres then goes on running until the next command on its folder adopts it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The parts know their own graces (a request 30 s, a job 20 s and 3 s to heed its token); this is for a part that hangs.
const GRACE: Duration = Duration::from_secs(40);

/// How long parts have after the second signal.
const LET_GO: Duration = Duration::from_secs(3);

/// The exit status of a process that was told three times: 128 and SIGTERM's number, as shells count.
const ENDED_AT_ONCE: i32 = 143;

/// The two tokens, and the tasks that heed them.
#[derive(Debug, Clone)]
pub struct Shutdown {
    soft: CancellationToken,
    hard: CancellationToken,
    tasks: TaskTracker,
    unclean: Arc<AtomicBool>,
}

impl Shutdown {
    /// Listens for the signals from now on.
    ///
    /// # Errors
    /// When the process may not install signal handlers.
    pub fn listen() -> std::io::Result<Self> {
        let hard = CancellationToken::new();
        let this = Self { soft: hard.child_token(), hard, tasks: TaskTracker::new(), unclean: Arc::default() };
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
        tracing::info!("stopping; a second signal interrupts what runs");
        self.soft.cancel();
        next().await;
        tracing::warn!("interrupting what runs");
        self.hard.cancel();
        next().await;
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
    pub fn spawn<F>(&self, name: &'static str, part: F)
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let this = self.clone();
        let stop_the_others = self.soft().drop_guard();
        self.tasks.spawn(async move {
            let _stop_the_others = stop_the_others;
            let late = async {
                this.hard.cancelled().await;
                tokio::time::sleep(LET_GO).await;
            };
            let result = tokio::select! {
                result = part => result,
                () = late => Err(anyhow::anyhow!("left behind: it did not let go of its work in {LET_GO:?}")),
            };
            match result {
                Err(error) => tracing::error!(part = name, error = format!("{error:#}"), "failed"),
                Ok(()) if !this.soft.is_cancelled() => tracing::error!(part = name, "ended unasked"),
                Ok(()) => return tracing::debug!(part = name, "stopped"),
            }
            this.unclean.store(true, Ordering::Relaxed);
        });
    }

    /// Waits until the process is told to stop, or a part of it has ended, and then until all parts have; whether each ended
    /// well and when it was told to.
    pub async fn finished(&self) -> bool {
        self.soft.cancelled().await;
        self.tasks.close();
        if tokio::time::timeout(GRACE, self.tasks.wait()).await.is_err() {
            tracing::warn!("grace is over");
            self.hard.cancel();
            self.tasks.wait().await;
        }
        !self.unclean.load(Ordering::Relaxed)
    }
}
