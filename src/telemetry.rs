//! Logging. stdout belongs to data, so everything goes to stderr.

use crate::config::{LogFormat, Telemetry};
use anyhow::{Context as _, Result};
use std::io::IsTerminal as _;
use tracing_subscriber::EnvFilter;

/// How much a kind of command has to say when nothing is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Talk {
    /// Long-running roles tell what they do.
    Running,
    /// One-shot commands speak up when something is wrong.
    OneShot,
}

impl Talk {
    /// Its filter; libraries only warn.
    const fn filter(self) -> &'static str {
        match self {
            Self::Running => "info,salvo=warn,sqlx=warn,aws=warn,hyper=warn",
            Self::OneShot => "warn,sqlx=error",
        }
    }
}

/// Starts logging, once a process.
///
/// # Errors
/// A filter that cannot be read.
pub fn start(config: &Telemetry, talk: Talk) -> Result<()> {
    let text = config.filter().unwrap_or_else(|| talk.filter());
    let filter = EnvFilter::try_new(text).with_context(|| format!("PLUMBLINE_LOG is {text:?}"))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match config.log_format {
        LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
    Ok(())
}
