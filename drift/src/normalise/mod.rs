//! When two values mean the same although they are written differently.
//!
//! Applied to both sides alike:
//!
//! * `null`, `""`, `[]`, `{}` and an absent attribute are all "not set"; so are `false` and `0` against "not set", because the
//!   provider keeps what was never set as either. A block of which nothing is set is no block.
//! * Numbers and booleans equal their spelling as strings.
//! * A JSON document is compared by meaning; see [`document`].
//! * An ARN equals the name or id that it ends with.
//! * Case counts except where the API folds it; see [`text`].

pub mod defaults;
pub mod document;
pub mod path;
pub mod text;

use serde_json::{Map, Number, Value};

/// `null`, `""`, `[]` or `{}`.
#[must_use]
pub fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(s) => s.is_empty(),
        Value::Array(a) => a.is_empty(),
        Value::Object(o) => o.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Whether the value says no more than an absent one: empty, `false`, `0`, or a block of nothing else.
#[must_use]
pub fn is_unset(value: &Value) -> bool {
    match value {
        Value::Bool(b) => !b,
        Value::Number(n) => n.as_f64() == Some(0.0),
        Value::Array(items) => items.iter().all(|i| !matches!(i, Value::Bool(_) | Value::Number(_)) && is_unset(i)),
        Value::Object(map) => map.values().all(is_unset),
        other => is_empty(other),
    }
}

/// One spelling for all values that mean the same: keys sorted, unset members dropped, scalars as strings, arrays sorted, JSON
/// documents inside strings likewise. The key of a set's element, and what secrets are hashed over.
#[must_use]
pub fn canonical(value: &Value) -> String {
    let mut out = String::new();
    write_canonical(value, &mut out);
    out
}

fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Null => {}
        Value::Bool(b) => push_quoted(if *b { "true" } else { "false" }, out),
        Value::Number(n) => push_quoted(&number(n), out),
        Value::String(s) => match document::canonical(s) {
            Some(text) => out.push_str(&text),
            None => push_quoted(s, out),
        },
        Value::Array(items) => {
            let mut parts: Vec<String> =
                items.iter().filter(|i| !i.is_object() || !is_unset(i)).map(canonical).collect();
            parts.sort_unstable();
            out.push('[');
            out.push_str(&parts.join(","));
            out.push(']');
        }
        Value::Object(map) => {
            out.push('{');
            for (name, inner) in sorted(map) {
                if is_unset(inner) {
                    continue;
                }
                push_quoted(name, out);
                out.push(':');
                match inner.as_str() {
                    Some(text) if matches!(name.as_str(), "protocol" | "ip_protocol") => {
                        push_quoted(&text::protocol(text).to_ascii_lowercase(), out);
                    }
                    _ => write_canonical(inner, out),
                }
                out.push(',');
            }
            out.push('}');
        }
    }
}

/// Members by name, whatever order the map keeps.
pub(crate) fn sorted(map: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut members: Vec<_> = map.iter().collect();
    if !members.is_sorted_by_key(|m| m.0) {
        members.sort_unstable_by_key(|m| m.0);
    }
    members
}

pub(crate) fn push_quoted(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
}

/// A number's shortest spelling: `5` for `5.0`.
pub(crate) fn number(n: &Number) -> String {
    match n.as_f64() {
        Some(f) if !n.is_i64() && !n.is_u64() && f.fract() == 0.0 && f.abs() < 1e15 => format!("{f:.0}"),
        _ => n.to_string(),
    }
}

/// Whether two scalars mean the same in the attribute of this name.
#[must_use]
pub fn same_scalar(declared: &Value, live: &Value, provider_type: &str, attribute: &str) -> bool {
    use Value::{Bool, Number, String};
    match (declared, live) {
        (String(d), String(l)) => text::same(d, l, provider_type, attribute),
        (Number(d), Number(l)) => d == l || d.as_f64() == l.as_f64(),
        (Number(n), String(s)) | (String(s), Number(n)) => {
            *s == number(n) || s.parse::<f64>().is_ok_and(|f| Some(f) == n.as_f64())
        }
        (Bool(b), String(s)) | (String(s), Bool(b)) => s == if *b { "true" } else { "false" },
        (d, l) => d == l,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_never_set_is_unset_in_every_spelling() {
        for value in
            [json!(null), json!(""), json!([]), json!({}), json!(false), json!(0), json!([{"a": null, "b": [{}]}])]
        {
            assert!(is_unset(&value), "{value}");
        }
        for value in [json!("0"), json!(1), json!(true), json!([0]), json!([false]), json!([{"a": 1}])] {
            assert!(!is_unset(&value), "{value}");
        }
    }

    #[test]
    fn canonical_ignores_order_spelling_and_what_is_unset() {
        let a = json!({"b": [2, "1"], "a": true, "gone": null, "no": false, "doc": "{\"x\": 1, \"y\": [2, 1]}"});
        let b = json!({"a": "true", "b": ["1", 2.0], "doc": "{ \"y\":[1,2], \"x\":\"1\" }"});
        assert_eq!(canonical(&a), canonical(&b));
        assert_ne!(canonical(&json!({"a": 1})), canonical(&json!({"a": 2})));
        assert_ne!(canonical(&json!(["a", "b"])), canonical(&json!(["a\",\"b"])));
    }

    #[test]
    fn scalars_equal_their_spelling_as_strings() {
        assert!(same_scalar(&json!(5), &json!("5"), "t", "a"));
        assert!(same_scalar(&json!("5"), &json!(5.0), "t", "a"));
        assert!(same_scalar(&json!(true), &json!("true"), "t", "a"));
        assert!(!same_scalar(&json!(true), &json!("1"), "t", "a"));
        assert!(!same_scalar(&json!("1.10"), &json!("1.1"), "t", "a"));
    }
}
