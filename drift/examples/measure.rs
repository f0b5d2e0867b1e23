//! Compares a state with an inventory and prints counts and times; with a third file, the expected answer, also what is
//! wrong. For measuring: `measure STATE LIVE.jsonl [EXPECTED.json]`.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::ops::ControlFlow;
use std::time::Instant;

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

    let start = Instant::now();
    let mut count = 0;
    let limits = Limits { max_bytes: u64::MAX, ..Limits::default() };
    let skip = |_| {
        count += 1;
        ControlFlow::Continue(())
    };
    let summary = state::read(File::open(state)?, &limits, &key, skip)?;
    println!("read    {:>8.3} s  {} bytes, {count} declared", start.elapsed().as_secs_f64(), summary.bytes);

    let start = Instant::now();
    let mut declarations = Declarations::new(settings);
    let sink = |resource| {
        declarations.add("state", resource);
        ControlFlow::Continue(())
    };
    state::read(File::open(state)?, &limits, &key, sink)?;
    println!("index   {:>8.3} s  (reading again)", start.elapsed().as_secs_f64());

    let start = Instant::now();
    let mut comparison = declarations.against_live();
    let mut lines = 0;
    for line in BufReader::with_capacity(1 << 20, File::open(live)?).lines() {
        comparison.observe(serde_json::from_str(&line?)?);
        lines += 1;
    }
    let report = comparison.finish();
    println!("compare {:>8.3} s  {lines} live", start.elapsed().as_secs_f64());
    println!("{:?} coverage {} risk {:?}", report.counts, report.coverage_pct, report.risk_level);
    if let Some(expected) = files.get(2) {
        let wrong = check(&report, &serde_json::from_reader(BufReader::new(File::open(expected)?))?);
        println!("{wrong} answers are wrong");
    }
    Ok(())
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
