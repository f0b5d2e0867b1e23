//! Printing records: a table for people, one JSON object a line for scripts.

use serde::Serialize;
use serde_json::Value;
use std::io::{self, Write};

/// The switch of every command that prints records.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Json {
    /// Print one JSON object a line instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// Prints records with the given columns, which name fields of the record; nothing at all where there are none.
///
/// # Errors
/// When stdout cannot be written.
pub fn print<T: Serialize>(out: &mut impl Write, records: &[T], columns: &[&str], json: Json) -> io::Result<()> {
    if json.json {
        for record in records {
            serde_json::to_writer(&mut *out, record)?;
            writeln!(out)?;
        }
        return Ok(());
    }
    if records.is_empty() {
        return Ok(());
    }
    let mut rows = vec![columns.iter().map(|column| column.to_uppercase().replace('_', " ")).collect::<Vec<_>>()];
    for record in records {
        let value = serde_json::to_value(record)?;
        rows.push(columns.iter().map(|column| cell(&value[column])).collect());
    }
    let widths: Vec<usize> =
        (0..columns.len()).map(|i| rows.iter().map(|row| row[i].chars().count()).max().unwrap_or(0)).collect();
    for row in rows {
        let line: Vec<String> = row.iter().zip(&widths).map(|(text, width)| format!("{text:width$}")).collect();
        writeln!(out, "{}", line.join("  ").trim_end())?;
    }
    Ok(())
}

/// Prints one record for a person: a field a line, and what has parts of its own below its name.
///
/// # Errors
/// When stdout cannot be written.
pub fn print_one(out: &mut impl Write, record: &impl Serialize) -> io::Result<()> {
    let Value::Object(fields) = serde_json::to_value(record)? else { return Ok(()) };
    for (name, value) in fields {
        let name = name.replace('_', " ");
        match value {
            Value::Array(items) if items.is_empty() => writeln!(out, "{name}: -")?,
            Value::Array(_) | Value::Object(_) => writeln!(out, "{name}:\n{value:#}")?,
            value => writeln!(out, "{name}: {}", cell(&value))?,
        }
    }
    Ok(())
}

/// A value as a person reads it in a column.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn printed(json: bool) -> String {
        let records =
            [json!({"id": 1, "slug": "default", "scopes": ["read", "write"]}), json!({"id": 22, "slug": null})];
        let mut out = Vec::new();
        print(&mut out, &records, &["id", "slug", "scopes"], Json { json }).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_table_is_aligned_and_says_what_is_absent() {
        assert_eq!(printed(false), "ID  SLUG     SCOPES\n1   default  read,write\n22  -        -\n");
    }

    #[test]
    fn json_is_one_object_a_line() {
        let lines: Vec<Value> = printed(true).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["scopes"], json!(["read", "write"]));
    }
}
