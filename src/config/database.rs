//! Where the data is: a Postgres of yours, or the embedded one in a data folder.

use super::given;
use std::path::PathBuf;

/// The database and the data folder.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Database")]
pub struct Database {
    /// Postgres to use; without it, the embedded one of the data folder.
    #[arg(
        id = "database_url",
        long = "database-url",
        env = "DATABASE_URL",
        value_name = "URL",
        hide_env_values = true
    )]
    url: Option<String>,

    /// Folder of the embedded Postgres, the master key and the operator's key.
    #[arg(
        long,
        env = "PLUMBLINE_DATA_DIR",
        value_name = "FOLDER",
        default_value = ".plumbline",
        hide_env_values = true
    )]
    pub data_dir: PathBuf,

    /// What `DATABASE_URL` leads to: `none`, Postgres itself (or a pooler that keeps track of prepared statements);
    /// `transaction`, a pooler in transaction mode that does not. Not for `migrate`, which needs Postgres itself.
    #[arg(
        long,
        env = "PLUMBLINE_POOLER",
        value_name = "MODE",
        default_value = "none",
        hide_env_values = true,
        hide_possible_values = true
    )]
    pooler: Pooler,
}

/// What stands between us and Postgres.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Pooler {
    /// Nothing that we would notice.
    None,
    /// A pooler that may run each transaction on another connection.
    Transaction,
}

impl Database {
    /// The database that was named, if one was.
    #[must_use]
    pub fn url(&self) -> Option<&str> {
        given(self.url.as_ref())
    }

    /// What stands between us and the database; nothing before an embedded one.
    #[must_use]
    pub fn pooler(&self) -> Pooler {
        if self.url().is_some() { self.pooler } else { Pooler::None }
    }
}
