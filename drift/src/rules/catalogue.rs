//! The rules that ship with the product.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use super::matcher::{self, PatternError};
use super::severity::Severity;
use crate::compare::Kind;
use crate::schema;

const SOURCE: &str = include_str!("../../data/rules.json");

/// Rules by kind, and the types that matter for a reason of their own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// Which differences are not drift.
    pub noise: Vec<NoiseRule>,
    /// How much the others matter.
    pub risk: Vec<RiskRule>,
    /// Types by what is at stake: `encryption`, `iam`, `network`, `security`, `stateful`.
    pub stakes: BTreeMap<String, Vec<String>>,
}

/// A difference that is not drift.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoiseRule {
    /// Stable id.
    pub id: String,
    /// Clouds it is for.
    pub providers: Vec<String>,
    /// Globs of Terraform types.
    pub types: Vec<String>,
    /// Globs of attribute paths without indices.
    #[serde(default)]
    pub attributes: Vec<String>,
    /// Attributes that nobody can set, by the provider's schema, as well.
    #[serde(default)]
    pub read_only: bool,
    /// Globs of paths that are drift all the same.
    #[serde(default)]
    pub except: Vec<String>,
    /// One line for a list.
    pub title: String,
    /// The reason.
    pub why: String,
}

/// How much a difference matters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RiskRule {
    /// Stable id.
    pub id: String,
    /// Clouds it is for.
    pub providers: Vec<String>,
    /// Globs of Terraform types.
    #[serde(default)]
    pub types: Vec<String>,
    /// All types of a stake, as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stake: Option<String>,
    /// Globs of attribute paths without indices; none for all but labels (tags, descriptions). Of missing and extra resources no path is asked for.
    #[serde(default)]
    pub attributes: Vec<String>,
    /// Kinds of drift it is for.
    pub kinds: Vec<Kind>,
    /// A condition on the live value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<When>,
    /// The severity it gives.
    pub severity: Severity,
    /// One line for a list.
    pub title: String,
    /// The reason.
    pub why: String,
}

/// A condition on the live value of a change, or on the attributes of an extra resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum When {
    /// Its JSON text holds one of these.
    LiveContains(Vec<String>),
    /// It is one of these, spelled as a string.
    LiveIs(Vec<String>),
}

/// What is wrong with a catalogue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CatalogueError {
    /// Not JSON, or not of this shape.
    #[error("the rule catalogue cannot be read: {0}")]
    Shape(String),
    /// Two rules share an id.
    #[error("rule {0}: the id is taken")]
    Duplicate(String),
    /// A type, or a glob that no type matches.
    #[error("rule {rule}: the provider has no type \"{name}\"")]
    UnknownType {
        /// Rule or stake.
        rule: String,
        /// The name.
        name: String,
    },
    /// A stake that the catalogue does not list.
    #[error("rule {rule}: there is no stake \"{name}\"")]
    UnknownStake {
        /// Rule.
        rule: String,
        /// The name.
        name: String,
    },
    /// A broken glob.
    #[error("rule {rule}: {error}")]
    Pattern {
        /// Rule.
        rule: String,
        /// What is wrong.
        error: PatternError,
    },
    /// A rule that can never apply.
    #[error("rule {0}: names no type and no stake, or no kind, or no attribute")]
    Idle(String),
}

impl Catalogue {
    /// The shipped catalogue, checked.
    ///
    /// # Errors
    /// Names the first rule that is wrong. A build whose tests passed has none.
    pub fn load() -> Result<Self, CatalogueError> {
        Self::parse(SOURCE)
    }

    /// A catalogue from its JSON text, checked.
    ///
    /// # Errors
    /// Names the first rule that is wrong.
    pub fn parse(text: &str) -> Result<Self, CatalogueError> {
        let catalogue: Self = serde_json::from_str(text).map_err(|e| CatalogueError::Shape(e.to_string()))?;
        catalogue.check()?;
        Ok(catalogue)
    }

    /// The types of a rule: its globs, and those of its stake.
    #[must_use]
    pub fn types_of(&self, rule: &RiskRule) -> Vec<String> {
        let stake = rule.stake.as_ref().and_then(|s| self.stakes.get(s));
        rule.types.iter().chain(stake.into_iter().flatten()).cloned().collect()
    }

    fn check(&self) -> Result<(), CatalogueError> {
        let mut ids = HashSet::new();
        for id in self.noise.iter().map(|r| &r.id).chain(self.risk.iter().map(|r| &r.id)) {
            if !ids.insert(id) {
                return Err(CatalogueError::Duplicate(id.clone()));
            }
        }
        for (stake, types) in &self.stakes {
            known_types(stake, types)?;
        }
        for rule in &self.noise {
            known_types(&rule.id, &rule.types)?;
            patterns(&rule.id, rule.attributes.iter().chain(&rule.except))?;
            if rule.types.is_empty() || (rule.attributes.is_empty() && !rule.read_only) {
                return Err(CatalogueError::Idle(rule.id.clone()));
            }
        }
        for rule in &self.risk {
            known_types(&rule.id, &rule.types)?;
            patterns(&rule.id, rule.attributes.iter())?;
            if let Some(name) = rule.stake.as_ref().filter(|s| !self.stakes.contains_key(*s)) {
                return Err(CatalogueError::UnknownStake { rule: rule.id.clone(), name: name.clone() });
            }
            if self.types_of(rule).is_empty() || rule.kinds.is_empty() {
                return Err(CatalogueError::Idle(rule.id.clone()));
            }
        }
        Ok(())
    }
}

fn patterns<'a>(rule: &str, globs: impl Iterator<Item = &'a String>) -> Result<(), CatalogueError> {
    let globs: Vec<String> = globs.cloned().collect();
    matcher::compile(&globs).map(drop).map_err(|error| CatalogueError::Pattern { rule: rule.to_owned(), error })
}

/// Every name must be a type of the provider, every glob must match one.
fn known_types(rule: &str, names: &[String]) -> Result<(), CatalogueError> {
    patterns(rule, names.iter())?;
    for name in names {
        let is_glob = name.contains(['*', '?', '[', '{']);
        let exists = if is_glob {
            let set = matcher::compile(std::slice::from_ref(name))
                .map_err(|error| CatalogueError::Pattern { rule: rule.to_owned(), error })?;
            schema::known_types().any(|t| set.is_match(t))
        } else {
            schema::is_known_type(name)
        };
        if !exists {
            return Err(CatalogueError::UnknownType { rule: rule.to_owned(), name: name.clone() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(id: &str, types: &str, attributes: &str) -> String {
        format!(
            r#"{{"noise":[{{"id":"{id}","providers":["aws"],"types":{types},"attributes":{attributes},"title":"t","why":"w"}}],"risk":[],"stakes":{{}}}}"#
        )
    }

    #[test]
    fn the_shipped_catalogue_is_sound() {
        let catalogue = Catalogue::load().unwrap();
        assert_eq!(
            catalogue.stakes.keys().collect::<Vec<_>>(),
            ["encryption", "iam", "network", "security", "stateful"]
        );
        assert!(!catalogue.noise.is_empty() && !catalogue.risk.is_empty());
    }

    #[test]
    fn a_type_that_does_not_exist_is_named() {
        for types in [r#"["aws_s3_buckett"]"#, r#"["aws_nosuch_*"]"#] {
            let error = Catalogue::parse(&noise("n", types, r#"["a"]"#)).unwrap_err();
            assert!(matches!(&error, CatalogueError::UnknownType { rule, .. } if rule == "n"), "{error}");
        }
    }

    #[test]
    fn broken_globs_idle_rules_and_other_shapes_are_refused() {
        assert!(matches!(
            Catalogue::parse(&noise("n", r#"["aws_vpc"]"#, r#"["a["]"#)),
            Err(CatalogueError::Pattern { .. })
        ));
        assert!(matches!(Catalogue::parse(&noise("n", r#"["aws_vpc"]"#, "[]")), Err(CatalogueError::Idle(_))));
        assert!(matches!(Catalogue::parse("[]"), Err(CatalogueError::Shape(_))));
        assert!(matches!(
            Catalogue::parse(r#"{"noise":[],"risk":[],"stakes":{},"more":1}"#),
            Err(CatalogueError::Shape(_))
        ));
    }

    #[test]
    fn ids_are_unique_over_both_kinds() {
        let risk = r#"{"id":"n","providers":["aws"],"types":["aws_vpc"],"kinds":["extra"],"severity":"low","title":"t","why":"w"}"#;
        let text = noise("n", r#"["aws_vpc"]"#, r#"["a"]"#).replace(r#""risk":[]"#, &format!(r#""risk":[{risk}]"#));
        assert_eq!(Catalogue::parse(&text), Err(CatalogueError::Duplicate("n".into())));
    }
}
