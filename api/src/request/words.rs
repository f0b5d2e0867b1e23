//! A deserializer's complaint in the words of whoever wrote the JSON: without line numbers and without types of Rust.

/// What is wrong, and the member of an object that it is about where the complaint names one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) member: Option<String>,
    /// Reads on after the field's name.
    pub(super) message: String,
}

/// Translates serde's message.
pub(super) fn of(complaint: &str) -> Wrong {
    let text = complaint.rfind(" at line ").map_or(complaint, |end| &complaint[..end]);
    let quoted = |rest: &str| rest.split('`').nth(1).unwrap_or_default().to_owned();
    if let Some(rest) = text.strip_prefix("missing field ") {
        return Wrong { member: Some(quoted(rest)), message: "is missing".to_owned() };
    }
    if let Some(rest) = text.strip_prefix("unknown field ") {
        return Wrong { member: Some(quoted(rest)), message: format!("is not known here: {}", choices(rest)) };
    }
    if let Some(rest) = text.strip_prefix("unknown variant ") {
        return Wrong { member: None, message: format!("\"{}\" is not possible: {}", quoted(rest), choices(rest)) };
    }
    let wrong = text.strip_prefix("invalid type: ").or_else(|| text.strip_prefix("invalid value: "));
    if let Some((got, expected)) = wrong.and_then(|rest| rest.split_once(", expected ")) {
        return Wrong { member: None, message: format!("must be {}, not {}", thing(expected), got.replace('`', "")) };
    }
    Wrong { member: None, message: format!("is not valid: {text}") }
}

/// What would be possible: "expected one of `a`, `b`" without its ticks.
fn choices(rest: &str) -> String {
    rest.split_once(", expected ").map_or_else(
        || "no field is expected".to_owned(),
        |(_, expected)| format!("expected {}", expected.replace('`', "")),
    )
}

/// The name that JSON has for what Rust expects.
fn thing(expected: &str) -> &str {
    match expected {
        "i8" | "i16" | "i32" | "i64" | "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number",
        "f32" | "f64" => "a number",
        "a sequence" => "an array",
        "a boolean" => "true or false",
        "a map" => "an object",
        _ if expected.starts_with("struct ") || expected.starts_with("internally tagged enum ") => "an object",
        _ if expected.starts_with("enum ") => "a text",
        _ => expected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(complaint: &str) -> (Option<String>, String) {
        let Wrong { member, message } = of(complaint);
        (member, message)
    }

    #[test]
    fn no_type_of_rust_is_told() {
        for (complaint, member, message) in [
            ("missing field `name` at line 1 column 2", Some("name"), "is missing"),
            (
                "unknown field `nme`, expected one of `name`, `role` at line 1 column 7",
                Some("nme"),
                "is not known here: expected one of name, role",
            ),
            ("unknown field `x`, there are no fields", Some("x"), "is not known here: no field is expected"),
            (
                "unknown variant `root`, expected `admin` or `member` at line 1 column 9",
                None,
                "\"root\" is not possible: expected admin or member",
            ),
            (
                "invalid type: string \"two\", expected u8 at line 1 column 9",
                None,
                "must be a whole number, not string \"two\"",
            ),
            ("invalid type: null, expected struct NewScan at line 1 column 4", None, "must be an object, not null"),
            ("invalid type: integer `3`, expected a sequence", None, "must be an array, not integer 3"),
            ("odd at line 1 column 4", None, "is not valid: odd"),
        ] {
            assert_eq!(told(complaint), (member.map(str::to_owned), message.to_owned()));
        }
    }
}
