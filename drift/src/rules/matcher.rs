//! Patterns for types and attribute paths.
//!
//! A pattern is a glob. Paths are matched without their indices (`ttl.enabled` for `ttl[0].enabled`, `tags.a.b` for
//! `tags["a.b"]`), and a pattern that names an attribute covers what is inside it.

use globset::{Glob, GlobSet, GlobSetBuilder};

/// A pattern that is not a glob.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{pattern}\" is not a pattern: {reason}")]
pub struct PatternError {
    /// The pattern.
    pub pattern: String,
    /// Why, in the words of the glob parser.
    pub reason: String,
}

/// Compiled patterns for attribute paths. No patterns match every path.
#[derive(Debug, Clone)]
pub(super) struct Paths(Option<GlobSet>);

impl Paths {
    pub(super) fn new(patterns: &[String]) -> Result<Self, PatternError> {
        if patterns.is_empty() {
            return Ok(Self(None));
        }
        let inside: Vec<String> = patterns.iter().flat_map(|p| [p.clone(), format!("{p}.*")]).collect();
        Ok(Self(Some(compile(&inside)?)))
    }

    /// Whether the path (as in a report) matches.
    pub(super) fn matches(&self, path: &str) -> bool {
        self.0.as_ref().is_none_or(|set| set.is_match(plain(path)))
    }
}

pub(super) fn compile(patterns: &[String]) -> Result<GlobSet, PatternError> {
    let error =
        |pattern: &str, e: &globset::Error| PatternError { pattern: pattern.to_owned(), reason: e.kind().to_string() };
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        set.add(Glob::new(pattern).map_err(|e| error(pattern, &e))?);
    }
    set.build().map_err(|e| error(&patterns.join(", "), &e))
}

/// A path without indices and quotes.
pub(super) fn plain(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find('[') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(quoted) = rest.strip_prefix('"') {
            let end = quoted.find("\"]").unwrap_or(quoted.len());
            out.push('.');
            out.push_str(&quoted[..end]);
            rest = quoted.get(end + 2..).unwrap_or_default();
        } else {
            rest = rest.find(']').map_or("", |end| &rest[end + 1..]);
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lose_their_indices() {
        assert_eq!(plain("ttl[0].enabled"), "ttl.enabled");
        assert_eq!(plain(r#"tags["a.b"]"#), "tags.a.b");
        assert_eq!(plain("a[0].b[12].c"), "a.b.c");
        assert_eq!(plain("a[0]"), "a");
    }

    #[test]
    fn a_name_covers_what_is_inside() {
        let paths = Paths::new(&["metadata_options".into(), "*_time".into()]).unwrap();
        assert!(
            paths.matches("metadata_options[0].http_tokens")
                && paths.matches("metadata_options")
                && paths.matches("create_time")
        );
        assert!(!paths.matches("metadata") && !paths.matches("timeout"));
        assert!(Paths::new(&[]).unwrap().matches("anything"));
    }

    #[test]
    fn a_broken_pattern_is_named() {
        assert_eq!(Paths::new(&["a[".into()]).unwrap_err().pattern, "a[");
    }
}
