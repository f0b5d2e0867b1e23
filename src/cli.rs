//! The command line: which command is meant, and what becomes of its result.
//!
//! stdout is data, stderr is talk. Exit status: 0 done, 1 failed, 2 wrong usage; a command may have others of its own and
//! says so in its help.

use crate::commands::{
    api, bench, completions, demo, dlq, doctor, drift, events, job, key, limit, migrate, openapi, operator, org, queue,
    scheduler, token, up, worker,
};
use crate::config::Telemetry;
use crate::telemetry::{self, Talk};
use anyhow::{Context as _, Result};
use clap::{CommandFactory as _, Parser, Subcommand};
use std::process::ExitCode;

/// Tells platform teams where their clouds no longer match their Terraform.
#[derive(Debug, Parser)]
#[command(
    name = "plumbline",
    version,
    disable_help_subcommand = true,
    after_help = "Example:\n  plumbline up          # everything, on http://127.0.0.1:8080\n  plumbline demo        # a drifted AWS account before your eyes"
)]
struct Cli {
    #[command(flatten)]
    telemetry: Telemetry,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Up(up::Args),
    Demo(demo::Args),
    Api(api::Args),
    Worker(worker::Args),
    Scheduler(scheduler::Args),
    Migrate(migrate::Args),
    Org(org::Args),
    Key(key::Args),
    Operator(operator::Args),
    Dlq(dlq::Args),
    Token(token::Args),
    Queue(queue::Args),
    Job(job::Args),
    Drift(drift::Args),
    Events(events::Args),
    Limit(limit::Args),
    Bench(bench::Args),
    Openapi(openapi::Args),
    Doctor(doctor::Args),
    Completions(completions::Args),
}

impl Command {
    /// How much the command logs when nothing else is asked for.
    fn talk(&self) -> Talk {
        match self {
            Self::Up(_) | Self::Api(_) | Self::Worker(_) | Self::Scheduler(_) => Talk::Running,
            _ => Talk::OneShot,
        }
    }
}

/// The definition of the command line, for completions and documentation.
#[must_use]
pub fn definition() -> clap::Command {
    Cli::command()
}

/// Runs the command that the process was started with.
#[must_use]
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    match telemetry::start(&cli.telemetry, cli.command.talk()).and_then(|()| dispatch(cli.command)) {
        Ok(code) => code,
        Err(error) => {
            // stderr is all there is to complain to.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(command: Command) -> Result<ExitCode> {
    match command {
        Command::Completions(args) => Ok(completions::run(&args)),
        Command::Drift(args) => drift::run(&args),
        Command::Events(args) => events::run(&args),
        Command::Openapi(args) => openapi::run(&args),
        Command::Up(args) => block_on(up::run(args)),
        Command::Demo(args) => block_on(demo::run(args)),
        Command::Limit(args) => block_on(limit::run(args)),
        Command::Bench(args) => block_on(bench::run(args)),
        Command::Worker(args) => block_on(worker::run(args)),
        Command::Scheduler(args) => block_on(scheduler::run(args)),
        Command::Api(args) => block_on(api::run(args)),
        Command::Org(args) => block_on(org::run(args)),
        Command::Key(args) => block_on(key::run(args)),
        Command::Operator(args) => block_on(operator::run(args)),
        Command::Dlq(args) => block_on(dlq::run(args)),
        Command::Token(args) => block_on(token::run(args)),
        Command::Queue(args) => block_on(queue::run(args)),
        Command::Job(args) => block_on(job::run(args)),
        Command::Migrate(args) => block_on(migrate::run(args)),
        Command::Doctor(args) => block_on(doctor::run(args)),
    }
}

/// Runs a command that waits for I/O.
fn block_on(command: impl Future<Output = Result<ExitCode>>) -> Result<ExitCode> {
    tokio::runtime::Runtime::new().context("cannot start the runtime")?.block_on(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every command of the tree, the root included.
    fn all(command: &clap::Command) -> Vec<&clap::Command> {
        let mut commands = vec![command];
        commands.extend(command.get_subcommands().flat_map(all));
        commands
    }

    #[test]
    fn the_definition_is_sound() {
        definition().debug_assert();
    }

    #[test]
    fn every_command_says_what_it_does_and_shows_an_example() {
        for command in all(&definition()) {
            let is_leaf = command.get_subcommands().next().is_none();
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(!is_leaf || help.contains("Example"), "`{}` shows no example", command.get_name());
            assert!(command.get_about().is_some(), "`{}` does not say what it does", command.get_name());
        }
    }
}
