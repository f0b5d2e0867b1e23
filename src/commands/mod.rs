//! One file a command: its arguments, and what it does.

pub mod api;
pub mod bench;
pub mod completions;
pub mod demo;
pub mod dlq;
pub mod doctor;
pub mod drift;
pub mod events;
pub mod job;
pub mod key;
pub mod limit;
pub mod migrate;
pub mod openapi;
pub mod operator;
pub mod org;
pub mod queue;
pub mod scheduler;
mod scratch;
pub mod token;
pub mod up;
pub mod worker;

use jobs::audit::{Actor, ActorKind};

/// Whoever runs a command that changes something: the audit chain names the system's user.
fn by_command_line() -> Actor {
    let user = std::env::var("USER").ok().filter(|name| !name.is_empty());
    Actor {
        kind: ActorKind::Operator,
        id: "command-line".into(),
        display: user.map_or_else(|| "command line".into(), |name| format!("{name} at the command line")),
    }
}
