//! What a run found, and whether every promise held.

use super::faults::Fault;
use crate::output::{Json, print};
use anyhow::Result;
use jobs::db::chaos::Tally;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// What was seen while the faults went on.
#[derive(Debug, Default)]
pub struct Findings {
    /// For each fault: how often, and the longest time from its end to the next job that ended.
    pub faults: BTreeMap<Fault, (u64, Duration)>,
    /// Backends ended.
    pub terminated: i64,
    /// Workers that were told to stop and left something behind, or took too long.
    pub unclean_stops: u64,
    /// Attempts spent by stopping.
    pub spent_by_stops: i64,
    /// The longest that a worker took to stop and hand everything back.
    pub slowest_stop: Duration,
    /// Processes that ended unasked.
    pub deserted: Vec<String>,
    /// Processes that a poison job took with it.
    pub aborted: u64,
    /// Transactions of the producer that failed or were not answered.
    pub failed_enqueues: u64,
    /// Acknowledged jobs that the database does not know.
    pub forgotten: i64,
}

/// The whole result.
#[derive(Debug)]
pub struct Report {
    /// What draws the faults and the load again.
    pub seed: u64,
    /// Time under faults.
    pub elapsed: Duration,
    /// What was seen.
    pub findings: Findings,
    /// What the ledger proves.
    pub tally: Tally,
}

impl Report {
    /// The promises that did not hold.
    pub fn broken(&self) -> Vec<String> {
        let (tally, findings) = (&self.tally, &self.findings);
        let zeros = [
            ("jobs lost", tally.lost),
            ("acknowledged jobs forgotten", findings.forgotten),
            ("jobs with two effects", tally.doubled),
            ("jobs that nobody enqueued", tally.unheard_of),
            ("executions or deaths over the budget of attempts", tally.over_budget),
            ("executions over the concurrency", tally.over_concurrency),
            ("errors kept of jobs that are gone", tally.orphaned_errors),
            ("attempts spent by graceful stops", findings.spent_by_stops),
            ("workers that did not stop well", i64::try_from(findings.unclean_stops).unwrap_or(i64::MAX)),
        ];
        let mut broken: Vec<String> =
            zeros.into_iter().filter(|(_, count)| *count != 0).map(|(what, count)| format!("{count} {what}")).collect();
        broken.extend(findings.deserted.iter().cloned());
        if tally.stale_refused == 0 && self.count(Fault::Freeze) > 0 {
            broken.push("no stale effect was refused, so the fence was not put to the test".to_owned());
        }
        broken
    }

    fn count(&self, fault: Fault) -> u64 {
        self.findings.faults.get(&fault).map_or(0, |(count, _)| *count)
    }

    /// In the order in which a person reads them.
    fn fields(&self) -> Vec<(String, Value)> {
        let (tally, findings) = (&self.tally, &self.findings);
        let mut fields = Vec::new();
        let mut set = |name: &str, value: Value| fields.push((name.to_owned(), value));
        set("metric", json!("chaos"));
        set("seed", json!(self.seed));
        set("seconds", json!(self.elapsed.as_secs()));
        for fault in Fault::ALL {
            set(fault.name(), json!(self.count(fault)));
        }
        set("terminated_backends", json!(findings.terminated));
        set("poisoned_processes", json!(findings.aborted));
        set("failed_enqueues", json!(findings.failed_enqueues));
        set("enqueued", json!(tally.enqueued));
        set("runs", json!(tally.runs));
        set("done", json!(tally.done));
        set("dead_as_expected", json!(tally.dead_as_expected));
        set("lost", json!(tally.lost + findings.forgotten));
        set("doubled", json!(tally.doubled));
        set("stale_refused", json!(tally.stale_refused));
        set("spent_by_stops", json!(findings.spent_by_stops));
        set("over_budget", json!(tally.over_budget));
        set("over_concurrency", json!(tally.over_concurrency));
        set("slowest_stop_ms", milliseconds(findings.slowest_stop));
        let longest = findings.faults.values().map(|(_, recovery)| *recovery).max().unwrap_or_default();
        set("longest_recovery_ms", milliseconds(longest));
        for (fault, (_, recovery)) in &findings.faults {
            set(&format!("longest_recovery_ms_{}", fault.name()), milliseconds(*recovery));
        }
        set("broken", json!(self.broken()));
        fields
    }

    /// Prints it: a table of two columns, or one JSON object.
    pub fn print(&self, json: Json) -> Result<()> {
        let mut out = std::io::stdout().lock();
        let fields = self.fields();
        if json.json {
            let record: Map<String, Value> = fields.into_iter().collect();
            return Ok(print(&mut out, &[record], &[], json)?);
        }
        let rows: Vec<Value> =
            fields.into_iter().map(|(name, value)| json!({ "what": name.replace('_', " "), "value": value })).collect();
        Ok(print(&mut out, &rows, &["what", "value"], json)?)
    }
}

fn milliseconds(time: Duration) -> Value {
    json!(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}
