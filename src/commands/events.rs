//! `plumbline events`.

use crate::output::{Json, print};
use crate::render;
use anyhow::Result;
use jobs::events::catalogue;
use std::io::{Write as _, stdout};
use std::process::ExitCode;

/// List the types of events that webhooks tell of.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  plumbline events\n  plumbline events --json | jq '.[] | select(.type == \"drift.detected\").schema'"
)]
pub struct Args {
    /// Print the catalogue as the API gives it: one JSON array, with schemas and examples.
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Print the catalogue as the documentation holds it.
    #[arg(long)]
    markdown: bool,
}

/// Prints the catalogue.
pub fn run(args: &Args) -> Result<ExitCode> {
    let entries = catalogue::all()?;
    let mut out = stdout().lock();
    if args.json {
        serde_json::to_writer_pretty(&mut out, &entries)?;
        writeln!(out)?;
    } else if args.markdown {
        out.write_all(render::events::markdown(&entries)?.as_bytes())?;
    } else {
        print(&mut out, &entries, &["type", "description"], Json { json: false })?;
    }
    Ok(ExitCode::SUCCESS)
}
