//! What can be set, by flag or by environment variable: one file a section, and one section where it is read.
//!
//! An empty variable counts as unset, so that a compose file may pass on what it does not have. The table in
//! `docs/settings.md` is made from these definitions by [`table`], and a test keeps it so.

mod database;
mod http;
mod maintenance;
mod oidc;
mod outbound;
mod queue;
mod secrets;
mod storage;
mod telemetry;

pub use database::{Database, Pooler};
pub use http::Http;
pub use maintenance::Maintenance;
pub use oidc::Oidc;
pub use outbound::Outbound;
pub use queue::{Concurrency, Listen, Work};
pub use secrets::{MissingKey, Secrets};
pub use storage::Storage;
pub use telemetry::{LogFormat, Telemetry};

use clap::builder::StyledStr;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The Markdown table of every setting that has an environment variable, over all commands.
#[must_use]
pub fn table(cli: &clap::Command) -> String {
    let mut rows: BTreeMap<String, (String, Vec<String>)> = BTreeMap::new();
    collect(cli, "", &mut rows);
    let mut text = String::from("| Variable | Flag | Default | What it sets | Read by |\n|---|---|---|---|---|\n");
    for (name, (middle, commands)) in rows {
        // Writing to a String does not fail.
        let _ = writeln!(text, "| `{name}` | {middle} | {} |", commands.join(", "));
    }
    text
}

/// Adds the settings of `command`, called `path`, and of the commands below it.
fn collect(command: &clap::Command, path: &str, rows: &mut BTreeMap<String, (String, Vec<String>)>) {
    for argument in command.get_arguments() {
        let Some(variable) = argument.get_env() else { continue };
        let flag = argument.get_long().unwrap_or_default();
        let default =
            argument.get_default_values().first().map_or_else(String::new, |v| format!("`{}`", v.to_string_lossy()));
        let help = argument.get_help().map(StyledStr::to_string).unwrap_or_default();
        let row = rows
            .entry(variable.to_string_lossy().into_owned())
            .or_insert_with(|| (format!("`--{flag}` | {default} | {help}"), Vec::new()));
        row.1.push(if path.is_empty() { "all".to_owned() } else { format!("`{path}`") });
    }
    for child in command.get_subcommands().filter(|child| child.get_name() != "help" && !child.is_hide_set()) {
        let path = format!("{path} {}", child.get_name());
        collect(child, path.trim(), rows);
    }
}

/// A text that was given and is not empty.
fn given(value: Option<&String>) -> Option<&str> {
    value.map(String::as_str).filter(|text| !text.is_empty())
}
