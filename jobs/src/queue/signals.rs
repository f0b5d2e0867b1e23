//! Waking without polling, where a connection for it can be had.
//!
//! One task a process holds one `LISTEN` connection and passes on what arrives to whoever registered interest: the
//! claim loops of the queues, the requests that wait for a job's outcome, the running jobs that may be cancelled.
//! It connects to a URL of its own, since `LISTEN` does not work through a pooler in transaction mode. A signal is a
//! hint and may be lost; everyone who waits for one also polls, slowly while [`Signals::is_live`], briskly otherwise.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::sync::{Notify, broadcast};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::ids::JobId;
use crate::retry::{Pauses, jittered};

/// Told at commit that a queue has work; the payload is its name.
pub(super) const JOBS_CHANNEL: &str = "plumbline_jobs";
/// Told at commit that there is room in limits that a queue's jobs may have waited for; the payload is its name.
pub(super) const ROOM_CHANNEL: &str = "plumbline_room";
/// Told at commit that an awaited job ended; the payload is its id.
pub(super) const OUTCOMES_CHANNEL: &str = "plumbline_outcomes";
/// Told at commit that a running job shall be cancelled; the payload is its id.
pub(super) const CANCEL_CHANNEL: &str = "plumbline_cancel";

/// How long others leave room to the process that made it, which knows first and looks at once. If all looked at once, each would
/// wait for the counter's lock, all but one of them for nothing, and what ends meanwhile would wait behind them.
const HEAD_START: Duration = Duration::from_millis(10);
/// Cancellations that a slow subscriber may lag behind; what it misses, its poll finds.
const CANCEL_BACKLOG: usize = 1_024;

/// A process's ear to the database; clones share it.
#[derive(Debug, Clone)]
pub struct Signals(Arc<Hub>);

#[derive(Debug)]
struct Hub {
    live: AtomicBool,
    queues: Mutex<HashMap<String, Queue>>,
    outcomes: Mutex<HashMap<Uuid, Weak<Notify>>>,
    cancellations: broadcast::Sender<JobId>,
}

/// What a queue's feeder waits for.
#[derive(Debug, Clone, Default)]
struct Queue {
    bell: Arc<Notify>,
    /// Whether it will ring soon, for room that another process made.
    soon: Arc<AtomicBool>,
}

impl Signals {
    /// Hears nothing: everyone polls. For where there is no connection to spare, or a pooler in the way.
    #[must_use]
    pub fn none() -> Self {
        Self(Arc::new(Hub {
            live: AtomicBool::new(false),
            queues: Mutex::default(),
            outcomes: Mutex::default(),
            cancellations: broadcast::Sender::new(CANCEL_BACKLOG),
        }))
    }

    /// Listens on one connection to `url` until `stop`. A lost connection is made again, for ever, with pauses; what
    /// was missed meanwhile, the polls find.
    #[must_use]
    pub fn listen(url: String, stop: CancellationToken) -> Self {
        let signals = Self::none();
        let hub = Arc::downgrade(&signals.0);
        tokio::spawn(async move {
            let mut pauses = Pauses::default();
            while hub.strong_count() > 0 {
                let pause = tokio::select! {
                    () = stop.cancelled() => return,
                    result = relay(&url, &hub, &mut pauses) => match result {
                        Ok(()) => return,
                        Err(error) => {
                            let pause = pauses.next_pause();
                            tracing::warn!(%error, ?pause, "listening for jobs was interrupted, polling instead");
                            pause
                        }
                    },
                };
                if let Some(hub) = hub.upgrade() {
                    hub.live.store(false, Ordering::Relaxed);
                    hub.wake_all();
                }
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(pause) => {}
                }
            }
        });
        signals
    }

    /// Whether signals are arriving now.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.0.live.load(Ordering::Relaxed)
    }

    /// What rings when `queue` gets work.
    pub(super) fn queue(&self, queue: &str) -> Arc<Notify> {
        let mut queues = self.0.queues.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&queues.entry(queue.to_owned()).or_default().bell)
    }

    /// What rings when the job ends, as long as somebody holds it.
    pub(super) fn outcome(&self, id: JobId) -> Arc<Notify> {
        let mut outcomes = self.0.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bell) = outcomes.get(&id.uuid()).and_then(Weak::upgrade) {
            return bell;
        }
        outcomes.retain(|_, bell| bell.strong_count() > 0);
        let bell = Arc::new(Notify::new());
        outcomes.insert(id.uuid(), Arc::downgrade(&bell));
        bell
    }

    /// Running jobs that somebody wants cancelled, of all workers.
    #[must_use]
    pub fn cancellations(&self) -> broadcast::Receiver<JobId> {
        self.0.cancellations.subscribe()
    }
}

impl Hub {
    fn pass_on(&self, channel: &str, payload: &str) {
        match channel {
            JOBS_CHANNEL => {
                let queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(queue) = queues.get(payload) {
                    queue.bell.notify_one();
                }
            }
            ROOM_CHANNEL => {
                let queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(queue) =
                    queues.get(payload).filter(|queue| !queue.soon.swap(true, Ordering::SeqCst)).cloned()
                {
                    tokio::spawn(async move {
                        tokio::time::sleep(jittered(HEAD_START)).await;
                        queue.soon.store(false, Ordering::SeqCst);
                        queue.bell.notify_one();
                    });
                }
            }
            OUTCOMES_CHANNEL => {
                let outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
                let bell = payload.parse().ok().and_then(|id: Uuid| outcomes.get(&id));
                if let Some(bell) = bell.and_then(Weak::upgrade) {
                    bell.notify_waiters();
                }
            }
            CANCEL_CHANNEL => {
                if let Ok(id) = payload.parse::<JobId>() {
                    // Without a subscriber there is nothing running here to cancel.
                    let _ = self.cancellations.send(id);
                }
            }
            _ => {}
        }
    }

    fn wake_all(&self) {
        for queue in self.queues.lock().unwrap_or_else(PoisonError::into_inner).values() {
            queue.bell.notify_one();
        }
        for bell in self.outcomes.lock().unwrap_or_else(PoisonError::into_inner).values() {
            if let Some(bell) = bell.upgrade() {
                bell.notify_waiters();
            }
        }
    }
}

/// Passes signals on until the connection breaks (the error) or nobody is left to hear them.
async fn relay(url: &str, hub: &Weak<Hub>, pauses: &mut Pauses) -> sqlx::Result<()> {
    let pool = PgPoolOptions::new().max_connections(1).connect(url).await?;
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.listen_all([JOBS_CHANNEL, ROOM_CHANNEL, OUTCOMES_CHANNEL, CANCEL_CHANNEL]).await?;
    pauses.reset();
    match hub.upgrade() {
        // Whatever came before the connection stood.
        Some(hub) => {
            hub.live.store(true, Ordering::Relaxed);
            hub.wake_all();
        }
        None => return Ok(()),
    }
    loop {
        let Some(signal) = listener.try_recv().await? else {
            return Err(sqlx::Error::Protocol("the server closed the listening connection".to_owned()));
        };
        match hub.upgrade() {
            Some(hub) => hub.pass_on(signal.channel(), signal.payload()),
            None => return Ok(()),
        }
    }
}
