//! `plumbline bench deliver`: webhooks, from an event's commit to a receiver that verifies each.
//!
//! Three processes. This one records events, each in a transaction of its own, as production does (`events`); `plumbline worker`
//! itself delivers them; a third receives them on loopback and verifies every signature with the library that
//! subscribers use (`receive`, and `receiver` from outside). Only what it verified counts, and every message must have arrived
//! at its endpoint exactly once, with one attempt written down (`stage`); otherwise the command fails.

mod endpoints;
mod events;
mod measures;
mod receive;
mod received;
mod receiver;
mod stage;

pub use receive::{Args as ReceiveArgs, run as receive};

use crate::commands::scratch::Scratch;
use crate::config::Database;
use anyhow::Result;

/// Deliver webhooks to a receiver on this machine that verifies every signature.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  plumbline bench deliver sustained --deliveries 60000\n  plumbline bench deliver rate --rate 500 --seconds 20\n  plumbline bench deliver rate --orgs 1 --endpoints 1 --rate 50\n  plumbline bench deliver hanging --hanging 40"
)]
pub struct Args {
    #[arg(value_enum)]
    what: What,
    /// How many, recorded ahead (`sustained`); rounded up to whole events, each of which goes to all endpoints of its organisation.
    #[arg(long, default_value_t = 60_000)]
    deliveries: usize,
    /// Events a second, each to one endpoint that answers (`rate`, `hanging`).
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    rate: u64,
    /// For how long (`rate`, `hanging`: each time).
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// Endpoints that never answer, in addition to the others and among them; they are sent as much as those (`hanging`).
    #[arg(long, default_value_t = 40)]
    hanging: usize,
    #[command(flatten)]
    fixed: Fixed,
    #[command(flatten)]
    database: Database,
}

/// What is measured.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum What {
    /// Deliveries a second of a worker that has enough to do.
    Sustained,
    /// Time from commit to arrival.
    Rate,
    /// The same, without and with endpoints that never answer.
    Hanging,
}

/// What is the same for all measures.
#[derive(Debug, Clone, Copy, clap::Args)]
struct Fixed {
    /// Organisations; more where endpoints that hang need room.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    orgs: u16,
    /// Endpoints of each.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u8).range(1..=20))]
    endpoints: u8,
    /// Deliveries at once of each endpoint.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u8).range(1..=100))]
    max_in_flight: u8,
    /// The worker's concurrency; of deliveries, it runs a multiple at once.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    concurrency: u16,
    /// Connections that record events.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=50))]
    connections: u8,
}

impl Fixed {
    /// Endpoints that answer.
    fn answering(self) -> usize {
        usize::from(self.orgs) * usize::from(self.endpoints)
    }
}

pub async fn run(args: &Args) -> Result<()> {
    let mut scratch = Scratch::new("bench")?;
    let measured = match args.what {
        What::Sustained => measures::sustained(args, &scratch).await,
        What::Rate => measures::rate(args, &scratch).await,
        What::Hanging => measures::hanging(args, &scratch).await,
    };
    if measured.is_err() {
        scratch.keep();
    }
    measured
}
