//! The catalogue of events as the documentation shows it.

use jobs::events::catalogue::Entry;
use serde_json::Value;
use std::fmt::Write as _;

/// The catalogue in Markdown: a table of all types, then their data; types with the same data stand together.
pub fn markdown(entries: &[Entry]) -> anyhow::Result<String> {
    let mut text = String::from("| Type | When |\n|---|---|\n");
    for entry in entries {
        writeln!(text, "| `{}` | {} |", entry.event_type.as_str(), entry.description)?;
    }
    for alike in entries.chunk_by(|one, next| data(one) == data(next)) {
        let names: Vec<String> = alike.iter().map(|entry| format!("`{}`", entry.event_type.as_str())).collect();
        writeln!(text, "\n### {}\n\n| In `data` | Is | Meaning |\n|---|---|---|", names.join(", "))?;
        let Some(first) = alike.first() else { continue };
        for (name, field) in data(first)["properties"].as_object().into_iter().flatten() {
            let meaning = field["description"].as_str().unwrap_or_default().replace('\n', " ");
            writeln!(text, "| `{name}` | {} | {meaning} |", kind(field))?;
        }
        writeln!(text, "\n```json\n{}\n```", serde_json::to_string_pretty(&first.example)?)?;
    }
    Ok(text)
}

fn data(entry: &Entry) -> &Value {
    &entry.schema["properties"]["data"]
}

/// What a field may be, in words.
fn kind(field: &Value) -> String {
    let words: Vec<String> =
        field["oneOf"].as_array().into_iter().flatten().filter_map(|word| quoted(&word["const"])).collect();
    if !words.is_empty() {
        return words.join(", ");
    }
    let format = field["format"].as_str().unwrap_or_default();
    let of_type = |name: &str| match (name, format) {
        ("string", "uuid") => "UUID".to_owned(),
        ("string", "date-time") => "time".to_owned(),
        ("string", "uri-reference") => "path".to_owned(),
        ("string", _) => "text".to_owned(),
        ("array", _) => format!("array of {}", kind(&field["items"])),
        (other, _) => other.to_owned(),
    };
    match &field["type"] {
        Value::Array(names) => names.iter().filter_map(Value::as_str).map(of_type).collect::<Vec<_>>().join(" or "),
        name => of_type(name.as_str().unwrap_or_default()),
    }
}

fn quoted(word: &Value) -> Option<String> {
    word.as_str().map(|word| format!("`{word}`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jobs::events::catalogue;
    use serde_json::json;

    #[test]
    fn every_type_is_shown_once_with_all_its_fields() {
        let entries = catalogue::all().unwrap();
        let text = markdown(&entries).unwrap();
        for entry in &entries {
            let row = format!("| `{}` | {} |", entry.event_type.as_str(), entry.description);
            assert_eq!(text.matches(&row).count(), 1, "{row}");
            for name in data(entry)["properties"].as_object().unwrap().keys() {
                assert!(text.contains(&format!("| `{name}` | ")), "{name}");
            }
        }
        let headings: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("### ")).collect();
        assert_eq!(headings[0], "`scan.completed`, `scan.partial`, `scan.failed`");
        assert_eq!(headings.len(), 8);
    }

    #[test]
    fn kinds_are_told_in_words() {
        for (field, words) in [
            (json!({"type": "string", "format": "uuid"}), "UUID"),
            (json!({"type": ["string", "null"], "format": "uuid"}), "UUID or null"),
            (json!({"type": ["integer", "null"], "format": "int32"}), "integer or null"),
            (json!({"type": "array", "items": {"type": "string"}}), "array of text"),
            (json!({"oneOf": [{"const": "live"}, {"const": "test"}]}), "`live`, `test`"),
        ] {
            assert_eq!(kind(&field), words);
        }
    }
}
