//! Attribute paths as people read them: `tags.Owner`, `ttl[0].enabled`, `tags["a.b"]`.

use std::fmt::Write as _;

/// The path of a top-level attribute.
#[must_use]
pub fn root(name: &str) -> String {
    name.to_owned()
}

/// Appends a key: `.key`, or `["key"]` where it is not an identifier.
pub fn push_key(path: &mut String, key: &str) {
    if is_identifier(key) {
        path.push('.');
        path.push_str(key);
    } else {
        // Written as JSON, which Terraform's own quoting of index keys equals for everything but template markers.
        let quoted = serde_json::Value::from(key);
        let _ = write!(path, "[{quoted}]");
    }
}

/// Appends an index.
pub fn push_index(path: &mut String, index: usize) {
    let _ = write!(path, "[{index}]");
}

/// Whether a key needs no quotes: letters, digits, `_` and `-`, not starting with a digit or `-`.
#[must_use]
pub fn is_identifier(key: &str) -> bool {
    key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_keys_are_quoted() {
        let mut path = root("tags");
        push_key(&mut path, "Owner");
        assert_eq!(path, "tags.Owner");
        for (key, want) in [
            ("a.b", r#"tags["a.b"]"#),
            ("1x", r#"tags["1x"]"#),
            (r#"a"b"#, r#"tags["a\"b"]"#),
            ("", r#"tags[""]"#),
            ("kubernetes.io/role", r#"tags["kubernetes.io/role"]"#),
        ] {
            let mut path = root("tags");
            push_key(&mut path, key);
            assert_eq!(path, want);
        }
    }
}
