//! Logging and metrics. stdout belongs to data, so every log line goes to stderr.

use crate::config::{LogFormat, Telemetry};
use anyhow::{Context as _, Result};
use metrics_exporter_prometheus::PrometheusBuilder;
use std::io::IsTerminal as _;
use std::sync::Arc;
use tracing_subscriber::EnvFilter;

/// Upper bounds of what durations are sorted into, in seconds: from a quick answer to the longest wait for a job.
const SECONDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];

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

/// Starts collecting metrics, once a process; the answer renders them in Prometheus' text format.
///
/// # Errors
/// When they are collected already.
pub fn metrics() -> Result<api::app::RenderMetrics> {
    let recorder = PrometheusBuilder::new().set_buckets(&SECONDS)?.install_recorder()?;
    Ok(Arc::new(move || {
        // Without a thread of its own the recorder is tidied when it is read.
        recorder.run_upkeep();
        recorder.render()
    }))
}
