//! `plumbline openapi`.

use anyhow::Result;
use std::io::Write as _;
use std::process::ExitCode;

/// Print the API's OpenAPI 3.1 document.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  plumbline openapi > docs/openapi.json")]
pub struct Args {}

/// Prints the document.
pub fn run(_: &Args) -> Result<ExitCode> {
    std::io::stdout().lock().write_all(api::openapi::json()?.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
