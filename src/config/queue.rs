//! How a process takes part in the queue.

use super::{Database, Pooler, given};
use jobs::queue::Config;

/// Listening for new work.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Queue")]
pub struct Listen {
    /// Direct Postgres URL for LISTEN, where the database's leads to a pooler in transaction mode.
    #[arg(
        id = "listen_url",
        long = "listen-url",
        env = "PLUMBLINE_LISTEN_URL",
        value_name = "URL",
        hide_env_values = true
    )]
    url: Option<String>,
}

impl Listen {
    /// The URL to listen on, where the database's own is `url`; none where only a pooler is known, through which nothing is
    /// heard.
    #[must_use]
    pub fn url(&self, database: &Database, url: &str) -> Option<String> {
        let own = (database.pooler() == Pooler::None).then_some(url);
        given(self.url.as_ref()).or(own).map(str::to_owned)
    }
}

/// What a worker takes on.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Queue")]
pub struct Work {
    /// Queues to serve, separated by commas; all without it.
    #[arg(long, env = "PLUMBLINE_QUEUES", value_name = "A,B", value_delimiter = ',',
          value_parser = known_queue)]
    queues: Option<Vec<String>>,

    #[command(flatten)]
    concurrency: Concurrency,
}

/// How much runs at once.
#[derive(Debug, Clone, Copy, clap::Args)]
#[command(next_help_heading = "Queue")]
pub struct Concurrency {
    /// Jobs of each queue that this process runs at once.
    #[arg(long, env = "PLUMBLINE_CONCURRENCY", value_name = "N", default_value_t = 8,
          value_parser = clap::value_parser!(u16).range(1..=1_000))]
    concurrency: u16,
}

/// A name of [`workers::handlers::queues`]; empty ones are skipped later.
fn known_queue(name: &str) -> Result<String, String> {
    let known = workers::handlers::queues();
    if name.is_empty() || known.contains(name) {
        return Ok(name.to_owned());
    }
    Err(format!("there is no such queue; there are {}", known.into_iter().collect::<Vec<_>>().join(", ")))
}

impl Work {
    /// All queues, with this concurrency.
    #[must_use]
    pub const fn everything(concurrency: Concurrency) -> Self {
        Self { queues: None, concurrency }
    }

    /// The queue's settings.
    #[must_use]
    pub fn config(&self) -> Config {
        Config { concurrency: self.concurrency.concurrency.into(), ..Config::default() }
    }

    /// The queues to serve; none for all.
    #[must_use]
    pub fn queues(&self) -> Option<Vec<String>> {
        let named = |queues: &Vec<String>| queues.iter().filter(|name| !name.is_empty()).cloned().collect::<Vec<_>>();
        self.queues.as_ref().map(named).filter(|queues| !queues.is_empty())
    }
}
