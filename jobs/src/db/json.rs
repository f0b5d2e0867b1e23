//! JSON on its way into `jsonb`, which cannot hold U+0000.

use std::borrow::Cow;

/// JSON text that `jsonb` takes: the escape of U+0000, which Postgres refuses, becomes that of U+FFFD (the replacement
/// character). One odd byte in one tag must not cost a whole scan.
#[must_use]
pub fn jsonb_text(json: &str) -> Cow<'_, str> {
    const NUL: &str = "\\u0000";
    if !json.contains(NUL) {
        return Cow::Borrowed(json);
    }
    let mut text = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        text.push_str(before);
        if let Some(after) = escape.strip_prefix(NUL) {
            text.push_str("\\ufffd");
            rest = after;
        } else {
            // A backslash and what it escapes, so that `\\u0000` (a backslash, then text) stays as it is.
            let end = escape.char_indices().nth(2).map_or(escape.len(), |(end, _)| end);
            text.push_str(&escape[..end]);
            rest = &escape[end..];
        }
    }
    text.push_str(rest);
    Cow::Owned(text)
}

/// Text that a `text` column takes: without U+0000.
#[must_use]
pub fn plain_text(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn only_the_escape_of_nul_is_replaced() {
        let value = json!({"a\u{0}": "x\u{0}y\\u0000\\\u{0}\"\n", "b": ["\u{0}\u{0}"]});
        let text = value.to_string();
        let stored: Value = serde_json::from_str(&jsonb_text(&text)).unwrap();
        assert_eq!(stored, json!({"a\u{fffd}": "x\u{fffd}y\\u0000\\\u{fffd}\"\n", "b": ["\u{fffd}\u{fffd}"]}));
    }

    #[test]
    fn other_text_is_not_copied() {
        assert!(matches!(jsonb_text(r#"{"a":"\\u00e9"}"#), Cow::Borrowed(_)));
        assert!(matches!(plain_text("a"), Cow::Borrowed(_)));
    }
}
