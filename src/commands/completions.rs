//! `plumbline completions SHELL`.

use std::process::ExitCode;

/// Print completions for a shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  plumbline completions bash > /etc/bash_completion.d/plumbline")]
pub struct Args {
    /// The shell.
    shell: clap_complete::Shell,
}

/// Prints the completions.
pub fn run(args: &Args) -> ExitCode {
    clap_complete::generate(args.shell, &mut crate::cli::definition(), "plumbline", &mut std::io::stdout());
    ExitCode::SUCCESS
}
