//! Judging a report by a fixture's `oracle.json`; the file explains its own words.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use drift::compare::{Item, Kind, Report};
use serde_json::Value;

use super::moto::fixtures;

/// How a report does against the oracle.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Found and wanted: changed resources, their attribute paths, missing, extra.
    pub changed: (usize, usize),
    /// See `changed`.
    pub paths: (usize, usize),
    /// See `changed`.
    pub missing: (usize, usize),
    /// See `changed`.
    pub extra: (usize, usize),
    /// Wanted and not reported, in words.
    pub lost: Vec<String>,
    /// Reported and not wanted, in words.
    pub false_reports: Vec<String>,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { changed, paths, missing, extra, .. } = self;
        write!(
            f,
            "changed {}/{}  paths {}/{}  missing {}/{}  extra {}/{}  false {}",
            changed.0,
            changed.1,
            paths.0,
            paths.1,
            missing.0,
            missing.1,
            extra.0,
            extra.1,
            self.false_reports.len()
        )
    }
}

/// Judges a report.
pub fn judge(fixture: &str, report: &Report) -> Verdict {
    let file = std::fs::read_to_string(fixtures().join(fixture).join("oracle.json")).expect("the fixture's oracle");
    let oracle: Value = serde_json::from_str(&file).expect("JSON");
    let mut verdict = Verdict::default();
    let mut expected: BTreeSet<&str> = BTreeSet::new();
    let by_address: BTreeMap<&str, &Item> =
        report.items.iter().filter_map(|item| Some((item.address.as_deref()?, item))).collect();
    for wanted in list(&oracle, "managed") {
        let address = text(wanted, "address");
        expected.insert(address);
        judge_declared(wanted, by_address.get(address).copied(), &mut verdict);
    }
    let echoes: BTreeSet<&str> = list(&oracle, "echoes").iter().map(|echo| text(echo, "address")).collect();
    for item in report.items.iter().filter(|item| item.kind != Kind::Extra) {
        let address = item.address.as_deref().unwrap_or_default();
        if !expected.contains(address) && !echoes.contains(address) {
            verdict.false_reports.push(format!("{:?} {address}: {:?}", item.kind, paths(item)));
        }
    }
    judge_extra(&oracle, report, &mut verdict);
    counts(&oracle, report, &mut verdict);
    verdict
}

fn judge_declared(wanted: &Value, item: Option<&Item>, verdict: &mut Verdict) {
    let (address, kind) = (text(wanted, "address"), text(wanted, "kind"));
    let found = item.filter(|item| kind_name(item.kind) == kind);
    let tally = if kind == "missing" { &mut verdict.missing } else { &mut verdict.changed };
    tally.1 += 1;
    let Some(item) = found else {
        verdict.lost.push(format!("{kind} {address}"));
        verdict.paths.1 += list(wanted, "paths").len();
        return;
    };
    tally.0 += 1;
    let reported = paths(item);
    for path in list(wanted, "paths") {
        verdict.paths.1 += 1;
        if reported.contains(text(path, "path")) {
            verdict.paths.0 += 1;
        } else {
            verdict.lost.push(format!("{address} {}", text(path, "path")));
        }
    }
    let allowed: BTreeSet<&str> = ["paths", "side_effects"]
        .into_iter()
        .flat_map(|name| list(wanted, name))
        .map(|path| text(path, "path"))
        .collect();
    for path in reported.difference(&allowed) {
        verdict.false_reports.push(format!("{address} {path}"));
    }
}

fn judge_extra(oracle: &Value, report: &Report, verdict: &mut Verdict) {
    let key = |provider_type: &str, id: &str| format!("{provider_type} {}", without_host(id));
    let keys = |name: &str| -> BTreeSet<String> {
        list(oracle, name).iter().map(|entry| key(text(entry, "type"), text(entry, "id"))).collect()
    };
    let (wanted, implied) = (keys("extra"), keys("implied"));
    let reported: BTreeSet<String> = report
        .items
        .iter()
        .filter(|item| item.kind == Kind::Extra)
        .map(|item| key(&item.provider_type, item.provider_resource_id.as_deref().unwrap_or_default()))
        .collect();
    verdict.extra = (reported.intersection(&wanted).count(), wanted.len());
    verdict.lost.extend(wanted.difference(&reported).map(|lost| format!("extra {lost}")));
    let surplus = reported.difference(&wanted).filter(|surplus| !implied.contains(*surplus));
    verdict.false_reports.extend(surplus.map(|surplus| format!("extra {surplus}")));
}

fn counts(oracle: &Value, report: &Report, verdict: &mut Verdict) {
    let wanted = |name: &str| oracle["counts"][name].as_u64().unwrap_or_default();
    let counts = &report.counts;
    for (name, wanted, found) in [
        ("declared", wanted("declared"), counts.total_iac),
        ("unchanged", wanted("unchanged"), counts.matched_count),
        ("changed", wanted("changed"), counts.changed_count),
        ("missing", wanted("missing"), counts.missing_count),
        ("unchecked", 0, counts.unchecked_count),
        ("unknown", 0, counts.unknown_count),
    ] {
        if wanted != found {
            verdict.false_reports.push(format!("counts {found} {name}, not {wanted}"));
        }
    }
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Changed => "changed",
        Kind::Missing => "missing",
        Kind::Extra => "extra",
    }
}

fn paths(item: &Item) -> BTreeSet<&str> {
    item.changes.iter().map(|change| change.path.as_str()).collect()
}

/// A queue's URL without host and port, which differ from server to server; anything else as it is.
fn without_host(id: &str) -> &str {
    match id.split_once("://").and_then(|(_, rest)| rest.split_once('/')) {
        Some((_, path)) => path,
        None => id,
    }
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}
