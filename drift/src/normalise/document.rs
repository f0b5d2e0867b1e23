//! JSON documents inside strings, compared by meaning.
//!
//! A policy (it has a `Statement`) means the same in another statement order, with a scalar for a list of one, with actions in
//! another case, with an account id for its root principal, with `"*"` for `{"AWS": "*"}`. Source: the IAM policy grammar, and what
//! hashicorp/awspolicyequivalence takes for equal.
//!
//! In any other document key order, spacing, `null` members and the order of arrays don't count, except of arrays that are known to be sequences.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{number, push_quoted, sorted};

/// Arrays that are sequences: command lines, and the branches of state machines that are tried in order.
const SEQUENCES: &[&str] = &["Args", "Catch", "Choices", "Retry", "args", "command", "entryPoint", "entrypoint"];

/// Whether both strings are JSON documents of the same meaning.
#[must_use]
pub fn same(a: &str, b: &str) -> bool {
    match (canonical(a), canonical(b)) {
        (Some(a), Some(b)) => a == b,
        _ => false,
    }
}

/// One spelling for all documents of the same meaning; none if the string is not a JSON object or array.
#[must_use]
pub fn canonical(text: &str) -> Option<String> {
    if !text.trim_start().starts_with(['{', '[']) {
        return None;
    }
    let value: Value = serde_json::from_str(text).ok()?;
    let mut out = String::with_capacity(text.len());
    match value.as_object() {
        Some(policy) if policy.contains_key("Statement") => write_policy(policy, &mut out),
        _ => write_plain(&value, &mut out),
    }
    Some(out)
}

fn write_plain(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => push_quoted(if *b { "true" } else { "false" }, out),
        Value::Number(n) => push_quoted(&number(n), out),
        Value::String(s) => push_quoted(s, out),
        Value::Array(items) => {
            let mut parts: Vec<String> = items.iter().map(plain).collect();
            parts.sort_unstable();
            push_list(&parts, out);
        }
        Value::Object(map) => {
            out.push('{');
            for (name, inner) in sorted(map) {
                match inner {
                    Value::Null => continue,
                    Value::Array(items) if SEQUENCES.contains(&name.as_str()) => {
                        push_quoted(name, out);
                        out.push(':');
                        push_list(&items.iter().map(plain).collect::<Vec<_>>(), out);
                    }
                    _ => {
                        push_quoted(name, out);
                        out.push(':');
                        write_plain(inner, out);
                    }
                }
                out.push(',');
            }
            out.push('}');
        }
    }
}

fn plain(value: &Value) -> String {
    let mut out = String::new();
    write_plain(value, &mut out);
    out
}

fn push_list(parts: &[String], out: &mut String) {
    out.push('[');
    out.push_str(&parts.join(","));
    out.push(']');
}

fn write_policy(policy: &Map<String, Value>, out: &mut String) {
    let version = policy.get("Version").and_then(Value::as_str).unwrap_or("2008-10-17");
    push_quoted(version, out);
    push_quoted(policy.get("Id").and_then(Value::as_str).unwrap_or_default(), out);
    let statements = match policy.get("Statement") {
        Some(Value::Array(items)) => items.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    let mut parts: Vec<String> = statements.iter().map(statement).collect();
    parts.sort_unstable();
    push_list(&parts, out);
}

fn statement(value: &Value) -> String {
    let Some(map) = value.as_object() else { return plain(value) };
    let mut out = String::from("{");
    for (name, inner) in sorted(map) {
        let text = match name.as_str() {
            "Sid" if inner.as_str() == Some("") => continue,
            "Action" | "NotAction" => list(inner, str::to_ascii_lowercase),
            "Resource" | "NotResource" => list(inner, str::to_owned),
            "Principal" | "NotPrincipal" => principal(inner),
            "Condition" => condition(inner),
            _ => plain(inner),
        };
        push_quoted(name, &mut out);
        out.push(':');
        out.push_str(&text);
        out.push(',');
    }
    out.push('}');
    out
}

/// A scalar or a list as a sorted list without repeats.
fn list(value: &Value, spell: impl Fn(&str) -> String) -> String {
    let items = match value {
        Value::Array(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    let parts: BTreeSet<String> = items
        .iter()
        .map(|item| match item {
            Value::String(s) => plain(&Value::from(spell(s))),
            other => plain(other),
        })
        .collect();
    let mut out = String::new();
    push_list(&parts.into_iter().collect::<Vec<_>>(), &mut out);
    out
}

fn principal(value: &Value) -> String {
    let map = match value {
        Value::Object(map) => map,
        anyone => return format!("{{\"AWS\":{},}}", list(anyone, account_root)),
    };
    let mut out = String::from("{");
    for (name, inner) in sorted(map) {
        push_quoted(name, &mut out);
        out.push(':');
        out.push_str(&list(inner, account_root));
        out.push(',');
    }
    out.push('}');
    out
}

/// The root principal for a bare account id.
fn account_root(principal: &str) -> String {
    if principal.len() == 12 && principal.bytes().all(|b| b.is_ascii_digit()) {
        format!("arn:aws:iam::{principal}:root")
    } else {
        principal.to_owned()
    }
}

fn condition(value: &Value) -> String {
    let Some(operators) = value.as_object() else { return plain(value) };
    let mut out = String::from("{");
    for (operator, keys) in sorted(operators) {
        push_quoted(operator, &mut out);
        out.push(':');
        match keys.as_object() {
            Some(keys) => {
                // Condition keys are not case-sensitive.
                let mut parts: Vec<String> = keys
                    .iter()
                    .map(|(key, values)| {
                        format!("{}:{}", plain(&Value::from(key.to_ascii_lowercase())), list(values, str::to_owned))
                    })
                    .collect();
                parts.sort_unstable();
                push_list(&parts, &mut out);
            }
            None => out.push_str(&plain(keys)),
        }
        out.push(',');
    }
    out.push('}');
    out
}

#[cfg(test)]
mod tests {
    use super::same;

    #[test]
    fn policies_of_the_same_meaning() {
        let a = r#"{"Version":"2012-10-17","Statement":[
            {"Effect":"Allow","Action":"s3:GetObject","Resource":["b","a"],"Principal":"*"},
            {"Sid":"","Effect":"Deny","Action":["s3:Put*"],"Resource":"*","Principal":{"AWS":"123456789012"},
             "Condition":{"Bool":{"aws:SecureTransport":false}}}]}"#;
        let b = r#"{"Statement":[
            {"Effect":"Deny","Action":"S3:put*","Resource":["*"],"Principal":{"AWS":["arn:aws:iam::123456789012:root"]},
             "Condition":{"Bool":{"AWS:securetransport":["false"]}}},
            {"Resource":["a","b","a"],"Principal":{"AWS":"*"},"Action":["s3:getobject"],"Effect":"Allow"}],"Version":"2012-10-17"}"#;
        assert!(same(a, b));
    }

    #[test]
    fn one_statement_may_stand_alone() {
        assert!(same(
            r#"{"Statement":{"Effect":"Allow","Action":"*"}}"#,
            r#"{"Version":"2008-10-17","Statement":[{"Action":["*"],"Effect":"Allow"}]}"#
        ));
    }

    #[test]
    fn what_changes_the_meaning_is_seen() {
        let base = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"a:b","Resource":"*"}]}"#;
        for other in [
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"a:b","Resource":"*"}]}"#,
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"a:c","Resource":"*"}]}"#,
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","NotAction":"a:b","Resource":"*"}]}"#,
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"a:b","Resource":"A"}]}"#,
            r#"{"Statement":[{"Effect":"Allow","Action":"a:b","Resource":"*"}]}"#,
            r#"{"Version":"2012-10-17","Statement":[]}"#,
        ] {
            assert!(!same(base, other), "{other}");
        }
    }

    #[test]
    fn other_documents_ignore_order_and_nulls_but_not_sequences() {
        assert!(same(r#"{"maxReceiveCount":5,"x":null}"#, r#"{"maxReceiveCount":"5"}"#));
        assert!(same(r#"[{"name":"a"},{"name":"b"}]"#, r#"[{"name":"b"},{"name":"a"}]"#));
        assert!(!same(r#"[{"command":["a","b"]}]"#, r#"[{"command":["b","a"]}]"#));
        assert!(!same("{", "{"));
        assert!(!same("plain", "plain "));
    }
}
