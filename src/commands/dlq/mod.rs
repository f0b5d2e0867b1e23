//! `plumbline dlq …`: dead letters, one file a verb. The changes are the API's, made by the same functions.

mod batch;
mod choice;
mod discard;
mod list;
mod replay;
mod replays;
mod show;

use anyhow::Result;
use std::process::ExitCode;

/// See, replay and discard dead letters: jobs that will not run again by themselves.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    List(list::Args),
    Show(show::Args),
    Replay(replay::Args),
    Discard(discard::Args),
    Replays(replays::Args),
}

/// Does it.
pub async fn run(args: Args) -> Result<ExitCode> {
    match args.action {
        Verb::List(args) => list::run(args).await,
        Verb::Show(args) => show::run(args).await,
        Verb::Replay(args) => replay::run(args).await,
        Verb::Discard(args) => discard::run(args).await,
        Verb::Replays(args) => replays::run(args).await,
    }
}
