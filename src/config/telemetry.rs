//! What is logged, and how.

use super::given;

/// Logging, for every command; it goes to stderr.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Logging")]
pub struct Telemetry {
    /// What to log: a level, or filters such as `info,workers=debug`.
    #[arg(long, env = "PLUMBLINE_LOG", value_name = "FILTER", hide_env_values = true, global = true)]
    log: Option<String>,

    /// How to write it: `text` for people, `json` for machines.
    #[arg(
        long,
        env = "PLUMBLINE_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "text",
        hide_env_values = true,
        hide_possible_values = true,
        global = true
    )]
    pub log_format: LogFormat,
}

impl Telemetry {
    /// The filter, if one is given.
    #[must_use]
    pub fn filter(&self) -> Option<&str> {
        given(self.log.as_ref())
    }
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// One readable line an event.
    Text,
    /// One JSON object an event.
    Json,
}
