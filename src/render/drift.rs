//! Drift as a person reads it: what changed with its two values, what is missing, what is extra, and the sum of it.
//!
//! Works on the report as it is served, so it prints what a command computed and what the API answered alike.

use std::cmp::Reverse;
use std::io::{self, Write};

use drift::compare::{Change, Item, Kind, Report, RiskLevel};

use super::value::{brief, parts};

/// Columns that the output may take.
const WIDTH: usize = 118;
/// Where attributes start.
const INDENT: usize = 10;
/// The longest text of one value before it is cut; the whole of it is in the JSON.
const LONGEST: usize = 600;

/// Prints a report.
///
/// # Errors
/// When the output cannot be written.
pub fn print(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let headings = [
        (Kind::Changed, "CHANGED", "declared and live, but different: declared → live"),
        (Kind::Missing, "MISSING", "declared, but not there"),
        (Kind::Extra, "EXTRA", "there, but nobody declares it"),
    ];
    for (kind, heading, meaning) in headings {
        let mut items: Vec<&Item> = report.items.iter().filter(|i| i.kind == kind).collect();
        if items.is_empty() {
            continue;
        }
        items.sort_by_key(|i| Reverse(i.severity));
        writeln!(out, "{heading} {}  ({meaning})", items.len())?;
        let width = items.iter().map(|i| label(i).chars().count()).max().unwrap_or_default().min(64);
        for item in items {
            writeln!(out, "{}", headline(item, width).trim_end())?;
            changes(out, &item.changes)?;
        }
        writeln!(out)?;
    }
    summary(out, report)
}

/// What a resource is called: its address, or its type and id.
fn label(item: &Item) -> String {
    item.address
        .clone()
        .unwrap_or_else(|| format!("{} {}", item.provider_type, item.provider_resource_id.as_deref().unwrap_or("?")))
}

fn headline(item: &Item, width: usize) -> String {
    let id = match (&item.address, &item.provider_resource_id) {
        (Some(_), Some(id)) if item.kind == Kind::Missing => id.as_str(),
        (None, Some(id)) => item.name.as_deref().filter(|name| !id.contains(name)).unwrap_or_default(),
        _ => "",
    };
    format!("{:<INDENT$}{:<width$}  {:<14}  {id}", item.severity, label(item), item.region.as_deref().unwrap_or("-"))
}

fn changes(out: &mut impl Write, changes: &[Change]) -> io::Result<()> {
    let width = changes.iter().map(|c| c.path.chars().count()).max().unwrap_or_default();
    for change in changes {
        let (declared, live) = if change.sensitive {
            ("(sensitive)".to_owned(), "(sensitive, different)".to_owned())
        } else {
            (brief(&change.declared), brief(&change.live))
        };
        let line = format!("{:INDENT$}  {:<width$}  {declared} → {live}", "", change.path);
        let is_list = change.declared.is_array() || change.live.is_array();
        if line.chars().count() <= WIDTH && !is_list {
            writeln!(out, "{line}")?;
            continue;
        }
        writeln!(out, "{:INDENT$}  {}", "", change.path)?;
        let (declared, live) = parts(&change.declared, &change.live);
        for (sign, side) in [('-', declared), ('+', live)] {
            for part in side {
                wrapped(out, sign, &part)?;
            }
        }
    }
    Ok(())
}

/// A long value over several lines, the first of which has the sign.
fn wrapped(out: &mut impl Write, sign: char, text: &str) -> io::Result<()> {
    let mut chars: Vec<char> = text.chars().collect();
    if chars.len() > LONGEST {
        chars.truncate(LONGEST);
        chars.extend(" … (all of it with --json)".chars());
    }
    for (number, line) in chars.chunks(WIDTH - INDENT - 6).enumerate() {
        let sign = if number == 0 { sign } else { ' ' };
        writeln!(out, "{:INDENT$}    {sign} {}", "", line.iter().collect::<String>())?;
    }
    Ok(())
}

fn summary(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let c = &report.counts;
    let risk = match report.risk_level {
        RiskLevel::None => "none",
        RiskLevel::Low => "low",
        RiskLevel::Medium => "medium",
        RiskLevel::High => "high",
        RiskLevel::Critical => "critical",
    };
    if c.changed_count + c.missing_count + c.extra_count == 0 {
        writeln!(out, "No drift.")?;
    }
    writeln!(
        out,
        "{} declared, {} live: {} matched, {} changed, {} missing, {} extra. Coverage {:.1} %, risk {risk}.",
        c.total_iac,
        c.total_live,
        c.matched_count,
        c.changed_count,
        c.missing_count,
        c.extra_count,
        report.coverage_pct
    )?;
    if c.unchecked_count > 0 {
        let types: Vec<String> =
            report.unchecked_types.iter().map(|(name, count)| format!("{name} ({count})")).collect();
        writeln!(out, "{} not checked, because nothing reads their types: {}.", c.unchecked_count, types.join(", "))?;
    }
    if c.unknown_count > 0 {
        let reasons: Vec<String> =
            report.unknown_reasons.iter().map(|(reason, count)| format!("{reason} ({count})")).collect();
        writeln!(out, "{} unknown: {}.", c.unknown_count, reasons.join("; "))?;
    }
    if c.parse_failure_count > 0 {
        writeln!(out, "{} resources of the state could not be read.", c.parse_failure_count)?;
    }
    if c.noise_filtered > 0 {
        writeln!(out, "{} differences left out as noise.", c.noise_filtered)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn printed(report: serde_json::Value) -> String {
        let mut out = Vec::new();
        print(&mut out, &serde_json::from_value(report).unwrap()).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn item(kind: &str, address: Option<&str>, severity: &str, changes: &serde_json::Value) -> serde_json::Value {
        json!({"kind": kind, "address": address, "provider_type": "aws_vpc", "provider_resource_id": "vpc-1", "arn": null, "name": "main", "region": "eu-west-1",
            "cloud_account_id": null, "state_source_id": null, "severity": severity, "changes": changes, "noise_filtered": 0})
    }

    #[test]
    fn each_kind_has_its_part_and_the_worst_comes_first() {
        let text = printed(
            json!({"coverage_pct": 66.7, "risk_level": "critical", "total_iac": 3, "total_live": 3, "matched_count": 1,
            "changed_count": 2, "missing_count": 0, "extra_count": 1, "unchecked_count": 2, "unchecked_types": {"random_id": 2}, "items": [
                item("changed", Some("aws_vpc.a"), "low", &json!([{"path": "tags.Owner", "declared": null, "live": "jdoe", "sensitive": false}])),
                item("changed", Some("aws_vpc.b"), "critical", &json!([{"path": "ingress", "declared": [], "live": [{"from_port": 22}], "sensitive": false},
                    {"path": "password", "declared": null, "live": null, "sensitive": true}])),
                item("extra", None, "medium", &json!([]))]}),
        );
        assert_eq!(
            text,
            "CHANGED 2  (declared and live, but different: declared → live)\n\
             critical  aws_vpc.b  eu-west-1\n            ingress\n              + {from_port=22}\n            password  (sensitive) → (sensitive, different)\n\
             low       aws_vpc.a  eu-west-1\n            tags.Owner  - → jdoe\n\n\
             EXTRA 1  (there, but nobody declares it)\n\
             medium    aws_vpc vpc-1  eu-west-1       main\n\n\
             3 declared, 3 live: 1 matched, 2 changed, 0 missing, 1 extra. Coverage 66.7 %, risk critical.\n\
             2 not checked, because nothing reads their types: random_id (2).\n"
        );
    }

    #[test]
    fn no_drift_is_said() {
        let text = printed(
            json!({"coverage_pct": 100.0, "risk_level": "none", "total_iac": 1, "total_live": 1, "matched_count": 1, "items": []}),
        );
        assert!(text.starts_with("No drift.\n1 declared, 1 live: 1 matched"), "{text}");
    }
}
