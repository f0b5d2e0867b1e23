//! Compares a state with an inventory and prints counts and times; with a third file, the expected answer, also what is
//! wrong. For measuring: `measure STATE LIVE.jsonl [EXPECTED.json]`.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::ops::ControlFlow;
use std::time::Instant;

use drift::LiveResource;
use drift::compare::{Declarations, Kind, Report, Settings};
use drift::rules::{Catalogue, OrgRules, Policy};
use drift::sensitive::SensitiveKey;
use drift::state::{self, Limits};
use serde_json::Value;

fn main() -> Result<(), Box<dyn Error>> {
    let files: Vec<String> = std::env::args().skip(1).collect();
    let [state, live, ..] = files.as_slice() else { return Err("measure STATE LIVE.jsonl [EXPECTED.json]".into()) };
    let policy = Policy::new(&Catalogue::load()?, &OrgRules::default())?;
    let key = SensitiveKey::new([0; 32]);
    let readable: BTreeSet<String> = drift::schema::known_types().map(str::to_owned).collect();
    let settings = Settings {
        readable_types: &readable,
        unreadable: &[],
        regions: None,
        account: None,
        cloud_account_id: None,
        parse_failure_count: 0,
        policy: &policy,
        key: &key,
    };

    let phase = Phase::start();
    let mut count = 0;
    let limits = Limits { max_bytes: u64::MAX, ..Limits::default() };
    let skip = |_| {
        count += 1;
        ControlFlow::Continue(())
    };
    let summary = state::read(File::open(state)?, &limits, &key, skip)?;
    phase.end("read", &format!("{} bytes, {count} declared", summary.bytes));

    let phase = Phase::start();
    let mut declarations = Declarations::new(settings);
    let sink = |resource| {
        declarations.add("state", resource);
        ControlFlow::Continue(())
    };
    state::read(File::open(state)?, &limits, &key, sink)?;
    phase.end("index", "reading again");

    let phase = Phase::start();
    let mut lines = 0;
    for line in BufReader::with_capacity(1 << 20, File::open(live)?).lines() {
        std::hint::black_box(serde_json::from_str::<LiveResource>(&line?)?);
        lines += 1;
    }
    phase.end("parse", &format!("{lines} live, only parsing them"));

    let phase = Phase::start();
    let mut comparison = declarations.against_live();
    let mut lines = 0;
    for line in BufReader::with_capacity(1 << 20, File::open(live)?).lines() {
        comparison.observe(serde_json::from_str(&line?)?);
        lines += 1;
    }
    let report = comparison.finish();
    phase.end("compare", &format!("{lines} live, parsing them"));
    println!("{:?} coverage {} risk {:?}", report.counts, report.coverage_pct, report.risk_level);
    if let Some(expected) = files.get(2) {
        let wrong = check(&report, &serde_json::from_reader(BufReader::new(File::open(expected)?))?);
        println!("{wrong} answers are wrong");
    }
    Ok(())
}

/// A phase's time: by the clock, and on the processor where the system tells (Linux), for machines that do other things too.
struct Phase(Instant, f64);

impl Phase {
    fn start() -> Self {
        Self(Instant::now(), on_processor())
    }

    fn end(self, name: &str, what: &str) {
        println!(
            "{name:8}{:>8.3} s, {:>8.3} s on the processor  {what}",
            self.0.elapsed().as_secs_f64(),
            on_processor() - self.1
        );
    }
}

fn on_processor() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    stat.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or_default() / 1e9
}

/// Prints each answer that is missing or false; how many there are.
fn check(report: &Report, expected: &Value) -> usize {
    let got: BTreeSet<String> = report
        .items
        .iter()
        .map(|item| {
            let paths: Vec<_> = item.changes.iter().map(|c| c.path.as_str()).collect();
            let place = item.region.as_deref().unwrap_or_default();
            let id = item.provider_resource_id.as_deref().unwrap_or_default();
            let kind = match item.kind {
                Kind::Changed => "changed",
                Kind::Missing => "missing",
                Kind::Extra => "extra",
            };
            format!(
                "{kind} {} {} {place} {id} {paths:?}",
                item.address.as_deref().unwrap_or_default(),
                item.provider_type
            )
        })
        .collect();
    let mut want = BTreeSet::new();
    for kind in ["changed", "missing", "extra"] {
        for entry in expected[kind].as_array().into_iter().flatten() {
            let text = |name: &str| entry[name].as_str().unwrap_or_default();
            let paths: Vec<_> = entry["paths"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            want.insert(format!(
                "{kind} {} {} {} {} {paths:?}",
                text("address"),
                text("type"),
                text("region"),
                text("id")
            ));
        }
    }
    for lost in want.difference(&got) {
        println!("- {lost}");
    }
    for false_one in got.difference(&want) {
        println!("+ {false_one}");
    }
    want.symmetric_difference(&got).count()
}
