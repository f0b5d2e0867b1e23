//! `plumbline drift`: a state against an inventory, both from files.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{SyncSender, sync_channel};

use ::drift::LiveResource;
use ::drift::compare::{Declarations, Report, Settings};
use ::drift::rules::{Catalogue, OrgRules, Policy};
use ::drift::sensitive::SensitiveKey;
use ::drift::state::{self, Limits};
use anyhow::{Context as _, Result, anyhow};

use crate::render;

/// Exit status when there is drift.
const DRIFT: u8 = 3;
/// Live resources handed over at once.
const BATCH: usize = 256;
/// Batches that may wait; reading then stops until one is taken.
const WAITING: usize = 16;
const BUFFER: usize = 1 << 20;

/// Compare a Terraform state with an inventory of live resources, offline.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  plumbline drift --state terraform.tfstate --live inventory.jsonl\n\nThe inventory has one resource a line: \
{\"type\", \"id\", \"region\", \"arn\", \"properties\"}, properties under Terraform's attribute names.\n\
Exit status: 0 no drift, 3 drift, 1 failed. With --json the first line is the summary, each further one an item."
)]
pub struct Args {
    /// The state: format version 4, of Terraform or OpenTofu
    #[arg(long, value_name = "FILE")]
    state: PathBuf,
    /// The live resources, one JSON object a line
    #[arg(long, value_name = "FILE.jsonl")]
    live: PathBuf,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

/// Compares and prints.
///
/// # Errors
/// When a file cannot be read, the state is refused, a line of the inventory is no resource, or stdout is closed.
pub fn run(args: &Args) -> Result<ExitCode> {
    let report = report(&args.state, &args.live)?;
    let code = if report.items.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(DRIFT) };
    let mut out = io::BufWriter::new(io::stdout().lock());
    if args.json { print_json(&mut out, report) } else { render::drift::print(&mut out, &report) }
        .and_then(|()| out.flush())
        .context("cannot write the report")?;
    Ok(code)
}

fn report(state_file: &Path, live_file: &Path) -> Result<Report> {
    let policy = Policy::new(&Catalogue::load()?, &OrgRules::default())?;
    // The hashes live no longer than this process, so their key need not be secret.
    let key = SensitiveKey::new([0; 32]);
    let readable_types: BTreeSet<String> =
        jobs::providers::PROVIDERS.iter().flat_map(|p| p.readable_types).map(|t| (*t).to_owned()).collect();
    let settings = Settings {
        readable_types: &readable_types,
        unreadable: &[],
        regions: None,
        account: None,
        cloud_account_id: None,
        parse_failure_count: 0,
        policy: &policy,
        key: &key,
    };
    std::thread::scope(|scope| {
        // One thread parses the inventory while the other indexes the state, then compares.
        let (batches, arriving) = sync_channel(WAITING);
        let parser = scope.spawn(move || parse_live(live_file, &batches));
        let mut declarations = Declarations::new(settings);
        let failures = read_state(state_file, &key, &mut declarations)?;
        let mut comparison = declarations.against_live();
        for batch in arriving {
            for live in batch {
                comparison.observe(live);
            }
        }
        let live = parser.join().map_err(|_| anyhow!("reading {} broke off", live_file.display()))??;
        if live == 0 {
            let file = live_file.display();
            tracing::warn!(%file, "the inventory is empty, so everything that the state declares is missing");
        }
        let mut report = comparison.finish();
        report.counts.parse_failure_count = failures;
        Ok(report)
    })
}

/// Fills in what the state declares; the number of resources that could not be read, each of which is told on stderr.
fn read_state(file: &Path, key: &SensitiveKey, declarations: &mut Declarations<'_>) -> Result<u64> {
    let reader = File::open(file).with_context(|| format!("cannot open {}", file.display()))?;
    // A file at hand may be as big as it likes.
    let limits = Limits { max_bytes: u64::MAX, max_resources: u64::MAX, ..Limits::default() };
    let source = file.display().to_string();
    let sink = |resource| {
        declarations.add(&source, resource);
        ControlFlow::Continue(())
    };
    let summary = state::read(reader, &limits, key, sink).with_context(|| format!("cannot use {}", file.display()))?;
    for failure in &summary.parse_failures {
        tracing::warn!(address = failure.address, reason = failure.reason, "resource could not be read");
    }
    Ok(summary.parse_failure_count)
}

/// Hands over what the inventory holds; the number of resources.
fn parse_live(file: &Path, batches: &SyncSender<Vec<LiveResource>>) -> Result<u64> {
    let reader = File::open(file).with_context(|| format!("cannot open {}", file.display()))?;
    let mut reader = BufReader::with_capacity(BUFFER, reader);
    let mut batch = Vec::with_capacity(BATCH);
    let mut line = Vec::new();
    let mut count = 0;
    for number in 1.. {
        line.clear();
        if reader.read_until(b'\n', &mut line).with_context(|| format!("cannot read {}", file.display()))? == 0 {
            break;
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let live = serde_json::from_slice(&line).with_context(|| {
            format!("{}, line {number}: not a live resource; it needs \"type\", \"id\" and \"region\"", file.display())
        })?;
        batch.push(live);
        count += 1;
        if batch.len() == BATCH && batches.send(std::mem::replace(&mut batch, Vec::with_capacity(BATCH))).is_err() {
            // The other side failed and says why itself.
            return Ok(count);
        }
    }
    let _ = batches.send(batch);
    Ok(count)
}

fn print_json(out: &mut impl Write, mut report: Report) -> io::Result<()> {
    let items = std::mem::take(&mut report.items);
    let mut summary = serde_json::to_value(&report)?;
    if let Some(summary) = summary.as_object_mut() {
        summary.remove("items");
    }
    serde_json::to_writer(&mut *out, &summary)?;
    writeln!(out)?;
    for item in &items {
        serde_json::to_writer(&mut *out, item)?;
        writeln!(out)?;
    }
    Ok(())
}
