//! The three measures.

use super::Args;
use super::endpoints::{Interest, Manner, places};
use super::events::{Load, Pace, Sent, send, topics};
use super::stage::Stage;
use crate::commands::bench::clock::{quantile, rounded, summary};
use crate::commands::bench::latency::merge;
use crate::commands::scratch::Scratch;
use anyhow::Result;
use jobs::db::measure;
use serde_json::{Value, json};
use std::time::Duration;

/// Between two looks at the requests that hang.
const LOOK: Duration = Duration::from_millis(250);

/// A line's beginning.
fn line(args: &Args, metric: &str) -> Value {
    json!({
        "metric": metric, "orgs": args.fixed.orgs, "endpoints": args.fixed.answering(),
        "max_in_flight": args.fixed.max_in_flight, "concurrency": args.fixed.concurrency,
    })
}

/// Events are there, and a worker starts.
#[allow(clippy::cast_precision_loss, reason = "counts of a benchmark")]
pub async fn sustained(args: &Args, scratch: &Scratch) -> Result<()> {
    let per_event = usize::from(args.fixed.endpoints);
    let places = places(args.fixed.answering(), 0, per_event);
    let mut stage = Stage::set(args, scratch, Interest::Everything, places.into_iter()).await?;
    let before = stage.ground.wal().await?;
    let load = Load {
        topics: topics(&stage.endpoints, Interest::Everything),
        events: args.deliveries.div_ceil(per_event),
        pace: Pace::Free,
        connections: args.fixed.connections.into(),
    };
    let sent = send(&stage.ground, &load).await?;
    measure::analyze_webhooks(&mut *stage.ground.pool.acquire().await?).await?;
    let recorded = stage.ground.wal().await?;
    let worker = stage.work().await?;
    stage.until_delivered(sent.expected.len()).await?;
    worker.stop().await?;
    let delivered = stage.ground.wal().await?;
    let outcome = stage.finish(&[&sent.expected]).await?;
    let (seconds, deliveries_per_s) = outcome.received.pace();
    let each = |bytes: i64| rounded(bytes as f64 / sent.expected.len().max(1) as f64);
    let mut line = line(args, "deliver_sustained");
    merge(
        &mut line,
        json!({
            "events": load.events, "events_recorded_per_s": sent.rate, "seconds": seconds,
            "deliveries_per_s": deliveries_per_s, "wal_bytes_per_delivery": each(delivered - recorded),
            "wal_bytes_per_delivery_recorded": each(recorded - before),
        }),
    );
    merge(&mut line, outcome.fields());
    println!("{line}");
    outcome.check()
}

/// Events at a rate, each to one endpoint.
pub async fn rate(args: &Args, scratch: &Scratch) -> Result<()> {
    let places = places(args.fixed.answering(), 0, args.fixed.endpoints.into());
    let mut stage = Stage::set(args, scratch, Interest::OwnAccount, places.into_iter()).await?;
    let worker = stage.work().await?;
    let sent = send(&stage.ground, &load_at_rate(args, &stage)?).await?;
    stage.until_delivered(sent.expected.len()).await?;
    worker.stop().await?;
    let outcome = stage.finish(&[&sent.expected]).await?;
    let mut line = line(args, "deliver_rate");
    merge(&mut line, json!({"rate": args.rate, "seconds": args.seconds, "achieved_rate": sent.rate}));
    merge(&mut line, summary("", outcome.received.waits_ms(&sent.expected)));
    merge(&mut line, summary("record_", sent.took_ms));
    merge(&mut line, outcome.fields());
    println!("{line}");
    outcome.check()
}

/// The rate, first without endpoints that hang and then with them.
pub async fn hanging(args: &Args, scratch: &Scratch) -> Result<()> {
    let places = places(args.fixed.answering(), args.hanging, args.fixed.endpoints.into());
    let these = |manner| places.iter().copied().filter(move |place| place.manner == manner);
    let mut stage = Stage::set(args, scratch, Interest::OwnAccount, these(Manner::Answers)).await?;
    let worker = stage.work().await?;
    let alone = send(&stage.ground, &load_at_rate(args, &stage)?).await?;
    stage.until_delivered(alone.expected.len()).await?;
    stage.add(these(Manner::Hangs)).await?;
    let (beside, mut open) = send_and_look(args, &mut stage).await?;
    stage.until_delivered(alone.expected.len() + beside.expected.len()).await?;
    worker.stop().await?;
    let outcome = stage.finish(&[&alone.expected, &beside.expected]).await?;
    let mut line = line(args, "deliver_hanging");
    merge(
        &mut line,
        json!({
            "rate": args.rate, "seconds": args.seconds, "hanging": args.hanging,
            "hanging_requests": outcome.counts.hung, "hanging_open_median": quantile(&mut open, 0.5),
            "hanging_open_most": outcome.counts.most_open, "alone_achieved_rate": alone.rate,
            "achieved_rate": beside.rate,
        }),
    );
    merge(&mut line, summary("alone_", outcome.received.waits_ms(&alone.expected)));
    merge(&mut line, summary("", outcome.received.waits_ms(&beside.expected)));
    merge(&mut line, outcome.fields());
    println!("{line}");
    outcome.check()
}

/// The load of `--rate` to the endpoints that answer, and as much to each that hangs.
fn load_at_rate(args: &Args, stage: &Stage<'_>) -> Result<Load> {
    let topics = topics(&stage.endpoints, Interest::OwnAccount);
    let rate = args.rate * u64::try_from(topics.len())? / u64::try_from(args.fixed.answering())?;
    Ok(Load {
        topics,
        events: usize::try_from(rate * args.seconds)?,
        pace: Pace::PerSecond(rate),
        connections: args.fixed.connections.into(),
    })
}

/// Sends that load, and counts the requests that hang meanwhile.
async fn send_and_look(args: &Args, stage: &mut Stage<'_>) -> Result<(Sent, Vec<f64>)> {
    let load = load_at_rate(args, stage)?;
    let (sending, mut open) = (send(&stage.ground, &load), Vec::new());
    tokio::pin!(sending);
    loop {
        tokio::select! {
            sent = &mut sending => return Ok((sent?, open)),
            () = tokio::time::sleep(LOOK) => {
                open.push(f64::from(u32::try_from(stage.receiver.counts().await?.open)?));
            }
        }
    }
}
