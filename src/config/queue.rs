//! How a process takes part in the queue.

use super::given;

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
    /// The URL to listen on, where the database's own is `database`.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        given(self.url.as_ref()).unwrap_or(database).to_owned()
    }
}
