//! Cron lines against croniter and cronsim, two programs that know nothing of ours.
//!
//! `oracle.json` holds what they say of each line, in a zone, from an instant on: the next firings, or that they refuse it.
//! It is written by `oracle.py` beside it. Wherever we say something else, `differences.json` says why; a difference that
//! is not in that list fails, and so does one of the list that is none.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDateTime, Utc};
use jobs::cron::{Expression, Timetable, zone};
use serde_json::Value;

const ORACLE: &str = include_str!("../fixtures/cron/oracle.json");
const DIFFERENCES: &str = include_str!("../fixtures/cron/differences.json");

/// Line, zone, start, and which of the two programs.
type Asked = [String; 4];

/// Firings, or `None` for a line that is refused.
type Answer = Option<Vec<DateTime<Utc>>>;

fn instant(text: &str) -> DateTime<Utc> {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M").unwrap().and_utc()
}

fn text(entry: &Value, key: &str) -> String {
    entry[key].as_str().unwrap_or_else(|| panic!("{entry} has no {key}")).to_owned()
}

fn entries(json: &str) -> Vec<Value> {
    serde_json::from_str(json).unwrap()
}

fn theirs(answer: &Value) -> Answer {
    if answer.get("refused").is_some() {
        return None;
    }
    Some(answer.as_array().unwrap().iter().map(|time| instant(time.as_str().unwrap())).collect())
}

fn ours(line: &str, in_zone: &str, start: &str) -> Answer {
    let expression: Expression = line.parse().ok()?;
    Some(Timetable::new(expression, zone(in_zone).unwrap()).upcoming(instant(start)).take(20).collect())
}

fn listed() -> BTreeMap<Asked, String> {
    let mut listed = BTreeMap::new();
    for entry in entries(DIFFERENCES) {
        let asked = ["line", "zone", "start", "oracle"].map(|key| text(&entry, key));
        assert!(listed.insert(asked, text(&entry, "why")).is_none(), "{entry} is listed twice");
    }
    listed
}

#[test]
fn every_difference_to_other_programs_is_explained() {
    let cases = entries(ORACLE);
    let mut explained = listed();
    let (mut compared, mut unexplained) = (0, Vec::new());
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    for case in &cases {
        let [line, in_zone, start] = ["line", "zone", "start"].map(|key| text(case, key));
        let ours = ours(&line, &in_zone, &start);
        for oracle in ["croniter", "cronsim"] {
            let theirs = theirs(case.get("both").unwrap_or(&case[oracle]));
            compared += theirs.as_ref().filter(|_| ours.is_some()).map_or(0, Vec::len);
            if ours == theirs {
                continue;
            }
            let asked = [line.clone(), in_zone.clone(), start.clone(), oracle.to_owned()];
            match explained.remove(&asked) {
                Some(why) => *reasons.entry(format!("{oracle}: {why}")).or_default() += 1,
                None => unexplained.push(format!("{asked:?}\n  ours   {}\n  theirs {}", shown(&ours), shown(&theirs))),
            }
        }
    }
    println!("{} cases, {compared} firings compared with one program or the other", cases.len());
    for (reason, count) in reasons {
        println!("{count:4} {reason}");
    }
    assert!(unexplained.is_empty(), "{} differences are not listed:\n{}", unexplained.len(), unexplained.join("\n"));
    assert!(explained.is_empty(), "these are listed and are none: {explained:#?}");
}

fn shown(answer: &Answer) -> String {
    let Some(times) = answer else { return "refused".to_owned() };
    times.iter().map(|time| time.format("%Y-%m-%dT%H:%M").to_string()).collect::<Vec<_>>().join(" ")
}
