//! The queue's times and sizes, in one place. The defaults are the product's; tests make them short.

use std::time::Duration;

/// How a worker process treats the queue.
#[derive(Debug, Clone)]
pub struct Config {
    /// Jobs of one queue that run at once in this process.
    pub concurrency: usize,
    /// The most jobs claimed ahead of free slots. How many really are follows the rate at which jobs finish
    /// (`AHEAD`), so that slow jobs are left to whoever is free.
    pub max_ahead: usize,
    /// Between two heartbeats.
    pub beat_every: Duration,
    /// Silence after which a worker's jobs are rescued by others. The same for all processes of an installation.
    pub lease: Duration,
    /// Between two looks for jobs while no signal says there are any; jittered.
    pub poll_every: Duration,
    /// Between two rescues.
    pub rescue_every: Duration,
    /// At a stop: how long running jobs may go on undisturbed.
    pub grace: Duration,
    /// At a stop: how long a handler may take to heed its cancelled token before it is dropped.
    pub cancel_grace: Duration,
    /// At a stop: how long to try to write what finished, when the database is away. Then rescue finds it.
    pub flush_grace: Duration,
}

/// Jobs are claimed ahead for so much time of work at the present rate.
pub(super) const AHEAD: Duration = Duration::from_millis(40);

impl Default for Config {
    fn default() -> Self {
        Self {
            concurrency: 32,
            max_ahead: 1_000,
            beat_every: Duration::from_secs(5),
            lease: Duration::from_secs(30),
            poll_every: Duration::from_secs(1),
            rescue_every: Duration::from_secs(5),
            grace: Duration::from_secs(20),
            cancel_grace: Duration::from_secs(3),
            flush_grace: Duration::from_secs(5),
        }
    }
}
