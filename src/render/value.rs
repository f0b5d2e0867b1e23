//! Attribute values in a few words.

use std::collections::BTreeSet;

use serde_json::Value;

/// A value on one line: unset members left out, strings bare where that is unambiguous.
pub(super) fn brief(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) if text.is_empty() => "\"\"".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(inner).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let told = map.iter().filter(|(_, v)| !is_silent(v));
            format!("{{{}}}", told.map(|(k, v)| format!("{k}={}", inner(v))).collect::<Vec<_>>().join(" "))
        }
        other => other.to_string(),
    }
}

/// Inside another value, where a blank or comma in a string would mislead.
fn inner(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() || text.contains([' ', ',', '[', ']', '{', '}', '"']) => {
            value.to_string()
        }
        other => brief(other),
    }
}

fn is_silent(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

/// The parts of each side that the other lacks, each on a line of its own: elements of a set, statements of a policy; otherwise the
/// whole value.
pub(super) fn parts(declared: &Value, live: &Value) -> (Vec<String>, Vec<String>) {
    let (d, l) = (elements(declared), elements(live));
    let (in_d, in_l): (BTreeSet<&String>, BTreeSet<&String>) = (d.iter().collect(), l.iter().collect());
    let only =
        |a: &[String], b: &BTreeSet<&String>| a.iter().filter(|part| !b.contains(part)).cloned().collect::<Vec<_>>();
    let (d_only, l_only) = (only(&d, &in_l), only(&l, &in_d));
    if d_only.is_empty() && l_only.is_empty() { (d, l) } else { (d_only, l_only) }
}

fn elements(value: &Value) -> Vec<String> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(items) => items.iter().map(brief).collect(),
        Value::String(text) => match serde_json::from_str::<Value>(text) {
            Ok(Value::Object(document)) => match document.get("Statement") {
                Some(Value::Array(statements)) => statements.iter().map(Value::to_string).collect(),
                _ => vec![Value::Object(document).to_string()],
            },
            _ => vec![brief(value)],
        },
        other => vec![brief(other)],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_in_a_few_words() {
        for (value, want) in [
            (json!(null), "-"),
            (json!(""), "\"\""),
            (json!("a b"), "a b"),
            (json!(["a b", "c", 1]), "[\"a b\", c, 1]"),
            (
                json!({"from_port": 22, "self": false, "cidr_blocks": ["0.0.0.0/0"], "description": ""}),
                "{cidr_blocks=[0.0.0.0/0] from_port=22}",
            ),
        ] {
            assert_eq!(brief(&value), want);
        }
    }

    #[test]
    fn of_a_policy_only_the_statements_that_differ() {
        let declared = json!(r#"{"Statement":[{"Sid":"A"},{"Sid":"B"}]}"#);
        let live = json!(r#"{"Statement":[{"Sid":"A"},{"Sid":"C"}]}"#);
        assert_eq!(parts(&declared, &live), (vec![r#"{"Sid":"B"}"#.to_owned()], vec![r#"{"Sid":"C"}"#.to_owned()]));
    }
}
