//! Prints random signed messages, one JSON object a line: `cargo run -p jobs --example sign -- 1000`.
//! `scripts/verify-webhooks-js.sh` gives them to the JavaScript library of Standard Webhooks.

use std::io::Write as _;

#[path = "../../tests/webhooks/messages.rs"]
mod messages;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let count = std::env::args().nth(1).ok_or("say how many messages")?.parse()?;
    std::io::stdout().lock().write_all(messages::lines(count).as_bytes())?;
    Ok(())
}
