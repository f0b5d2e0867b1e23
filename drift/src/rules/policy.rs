//! The rules as they apply to one organisation.

use std::collections::{HashMap, HashSet};

use globset::GlobSet;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::catalogue::{Catalogue, When};
use super::matcher::{self, Paths, PatternError};
use super::severity::Severity;
use crate::compare::Kind;
use crate::normalise::number;
use crate::schema::{self, Shape};

/// What an organisation changed about the rules.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct OrgRules {
    /// Ids of built-in rules that are off.
    #[serde(default)]
    pub disabled: Vec<String>,
    /// Rules of its own, those that are switched on.
    #[serde(default)]
    pub custom: Vec<CustomRule>,
    /// Differences that somebody hid for a time; those in force.
    #[serde(default)]
    pub suppressions: Vec<Suppression>,
}

/// A rule of an organisation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CustomRule {
    /// Its id; stands in the report beside what it hid.
    pub id: String,
    /// Its name, for people.
    pub name: String,
    /// What it does.
    pub config: RuleConfig,
}

/// What a custom rule does, in the shape of its `config` document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "rule_type", rename_all = "snake_case", deny_unknown_fields)]
pub enum RuleConfig {
    /// Hides differences.
    Noise {
        /// Globs of Terraform types.
        types: Vec<String>,
        /// Globs of attribute paths without indices. Empty: whole resources.
        #[serde(default)]
        attributes: Vec<String>,
        /// Kinds of drift; empty for `changed` alone.
        #[serde(default)]
        kinds: Vec<Kind>,
    },
    /// Rates differences.
    Risk {
        /// Globs of Terraform types.
        types: Vec<String>,
        /// Globs of attribute paths without indices; empty for all but labels (tags, descriptions).
        #[serde(default)]
        attributes: Vec<String>,
        /// Kinds of drift; empty for all.
        #[serde(default)]
        kinds: Vec<Kind>,
        /// A condition on the live value.
        #[serde(default)]
        when: Option<When>,
        /// The severity it gives.
        severity: Severity,
    },
}

/// A difference that somebody hid.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Suppression {
    /// See [`fingerprint`].
    pub fingerprint: String,
    /// Terraform's address, or `type.id` of an extra resource.
    pub resource_address: String,
}

/// What is wrong with an organisation's rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// A broken glob.
    #[error("rule {rule}: {error}")]
    Pattern {
        /// Id of the rule.
        rule: String,
        /// What is wrong.
        error: PatternError,
    },
    /// No types.
    #[error("rule {0}: names no resource type; use \"*\" for all")]
    NoTypes(String),
}

/// Identifies one difference over time: SHA-256 in hex of resource, attribute path and kind of drift.
#[must_use]
pub fn fingerprint(address: &str, path: &str, kind: Kind) -> String {
    let kind = match kind {
        Kind::Changed => "changed",
        Kind::Missing => "missing",
        Kind::Extra => "extra",
    };
    let mut hash = Sha256::new();
    for part in [address, path, kind] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hex::encode(hash.finalize())
}

/// Catalogue and organisation's rules, compiled.
#[derive(Debug, Clone)]
pub struct Policy {
    noise: Vec<Noise>,
    risk: Vec<Risk>,
    suppressions: HashSet<Suppression>,
}

#[derive(Debug, Clone)]
struct Noise {
    id: String,
    why: String,
    types: GlobSet,
    kinds: Vec<Kind>,
    attributes: Option<Paths>,
    read_only: bool,
    except: Option<Paths>,
}

#[derive(Debug, Clone)]
struct Risk {
    types: GlobSet,
    kinds: Vec<Kind>,
    attributes: Paths,
    names_attributes: bool,
    when: Option<When>,
    severity: Severity,
}

/// Attributes that only say what something is for. A rule for all attributes does not mean them.
const LABELS: &[&str] = &["comment", "description", "display_name", "tags", "tags_all"];

fn is_label(path: &str) -> bool {
    path.split(['.', '[']).next().is_some_and(|top| LABELS.contains(&top))
}

const ALL: &[Kind] = &[Kind::Changed, Kind::Missing, Kind::Extra];

impl Policy {
    /// The rules for an organisation; [`OrgRules::default`] for the shipped ones alone.
    ///
    /// # Errors
    /// Names the first custom rule that is wrong. Built-in ids that no longer exist are ignored.
    pub fn new(catalogue: &Catalogue, org: &OrgRules) -> Result<Self, PolicyError> {
        let is_on = |id: &String| !org.disabled.contains(id);
        let mut noise = Vec::new();
        for rule in catalogue.noise.iter().filter(|r| is_on(&r.id)) {
            let wrong = |error| PolicyError::Pattern { rule: rule.id.clone(), error };
            noise.push(Noise {
                id: rule.id.clone(),
                why: rule.why.clone(),
                types: matcher::compile(&rule.types).map_err(wrong)?,
                kinds: vec![Kind::Changed],
                attributes: some_paths(&rule.attributes).map_err(wrong)?,
                read_only: rule.read_only,
                except: some_paths(&rule.except).map_err(wrong)?,
            });
        }
        let mut risk = Vec::new();
        for rule in catalogue.risk.iter().filter(|r| is_on(&r.id)) {
            let wrong = |error| PolicyError::Pattern { rule: rule.id.clone(), error };
            risk.push(Risk {
                types: matcher::compile(&catalogue.types_of(rule)).map_err(wrong)?,
                kinds: rule.kinds.clone(),
                attributes: Paths::new(&rule.attributes).map_err(wrong)?,
                names_attributes: !rule.attributes.is_empty(),
                when: rule.when.clone(),
                severity: rule.severity,
            });
        }
        for rule in &org.custom {
            let wrong = |error| PolicyError::Pattern { rule: rule.id.clone(), error };
            let types_of = |types: &[String]| {
                if types.is_empty() {
                    Err(PolicyError::NoTypes(rule.id.clone()))
                } else {
                    matcher::compile(types).map_err(wrong)
                }
            };
            match &rule.config {
                RuleConfig::Noise { types, attributes, kinds } => noise.push(Noise {
                    id: rule.id.clone(),
                    why: rule.name.clone(),
                    types: types_of(types)?,
                    kinds: if kinds.is_empty() { vec![Kind::Changed] } else { kinds.clone() },
                    attributes: Some(Paths::new(attributes).map_err(wrong)?),
                    read_only: false,
                    except: None,
                }),
                RuleConfig::Risk { types, attributes, kinds, when, severity } => risk.push(Risk {
                    types: types_of(types)?,
                    kinds: if kinds.is_empty() { ALL.to_vec() } else { kinds.clone() },
                    attributes: Paths::new(attributes).map_err(wrong)?,
                    names_attributes: !attributes.is_empty(),
                    when: when.clone(),
                    severity: *severity,
                }),
            }
        }
        Ok(Self { noise, risk, suppressions: org.suppressions.iter().cloned().collect() })
    }

    /// Whether somebody hid this difference.
    pub(crate) fn is_suppressed(&self, address: &str, path: &str, kind: Kind) -> bool {
        !self.suppressions.is_empty()
            && self.suppressions.contains(&Suppression {
                fingerprint: fingerprint(address, path, kind),
                resource_address: address.to_owned(),
            })
    }

    fn for_type(&self, provider_type: &str) -> Applicable {
        let which = |globs: &GlobSet| globs.is_match(provider_type);
        Applicable {
            noise: (0..self.noise.len()).filter(|i| which(&self.noise[*i].types)).collect(),
            risk: (0..self.risk.len()).filter(|i| which(&self.risk[*i].types)).collect(),
            shape: schema::shape(provider_type),
        }
    }
}

fn some_paths(patterns: &[String]) -> Result<Option<Paths>, PatternError> {
    if patterns.is_empty() { Ok(None) } else { Paths::new(patterns).map(Some) }
}

#[derive(Debug)]
struct Applicable {
    noise: Vec<usize>,
    risk: Vec<usize>,
    shape: Option<&'static Shape>,
}

/// A policy with the rules sorted by the types that were met, so that a rule is tried only where it may apply.
#[derive(Debug)]
pub(crate) struct TypeRules<'a> {
    policy: &'a Policy,
    by_type: HashMap<String, Applicable>,
}

/// What a difference is about, for the rules.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Facts<'a> {
    /// A changed attribute and its live value.
    Attribute(&'a str, &'a Value),
    /// A whole resource; its live attributes where it is extra.
    Resource(Option<&'a Map<String, Value>>),
}

impl<'a> TypeRules<'a> {
    pub(crate) fn new(policy: &'a Policy) -> Self {
        Self { policy, by_type: HashMap::new() }
    }

    fn applicable(&mut self, provider_type: &str) -> &Applicable {
        if !self.by_type.contains_key(provider_type) {
            let applicable = self.policy.for_type(provider_type);
            self.by_type.insert(provider_type.to_owned(), applicable);
        }
        &self.by_type[provider_type]
    }

    /// The rule that hides this difference, as id and reason.
    pub(crate) fn noise(&mut self, provider_type: &str, kind: Kind, path: Option<&str>) -> Option<(&'a str, &'a str)> {
        let policy = self.policy;
        let applicable = self.applicable(provider_type);
        let top = path.map(|p| p.split(['.', '[']).next().unwrap_or(p));
        applicable.noise.iter().map(|i| &policy.noise[*i]).find_map(|rule| {
            let named = match (&rule.attributes, path) {
                (Some(attributes), Some(path)) => attributes.matches(path),
                (Some(attributes), None) => attributes.matches(""),
                (None, _) => false,
            };
            let untouchable =
                rule.read_only && top.is_some_and(|t| applicable.shape.is_some_and(|s| s.is_read_only(t)));
            let spared = path.is_some_and(|p| rule.except.as_ref().is_some_and(|e| e.matches(p)));
            (rule.kinds.contains(&kind) && (named || untouchable) && !spared)
                .then_some((rule.id.as_str(), rule.why.as_str()))
        })
    }

    /// How much this difference matters.
    pub(crate) fn severity(&mut self, provider_type: &str, kind: Kind, facts: Facts<'_>) -> Severity {
        let policy = self.policy;
        let applicable = self.applicable(provider_type);
        let rules = applicable.risk.iter().map(|i| &policy.risk[*i]).filter(|r| r.kinds.contains(&kind));
        rules.filter(|r| r.applies(facts)).map(|r| r.severity).max().unwrap_or_default()
    }

    pub(crate) fn policy(&self) -> &'a Policy {
        self.policy
    }
}

impl Risk {
    fn applies(&self, facts: Facts<'_>) -> bool {
        match facts {
            Facts::Attribute(path, live) => {
                (self.names_attributes || !is_label(path))
                    && self.attributes.matches(path)
                    && self.when.as_ref().is_none_or(|w| w.holds(live))
            }
            Facts::Resource(None) => self.when.is_none(),
            Facts::Resource(Some(live)) => self
                .when
                .as_ref()
                .is_none_or(|w| live.iter().any(|(name, value)| self.attributes.matches(name) && w.holds(value))),
        }
    }
}

impl When {
    fn holds(&self, live: &Value) -> bool {
        match self {
            Self::LiveContains(needles) => {
                let text = live.as_str().map_or_else(|| live.to_string(), str::to_owned);
                needles.iter().any(|n| text.contains(n.as_str()))
            }
            Self::LiveIs(values) => match live {
                Value::String(s) => values.contains(s),
                Value::Bool(b) => values.iter().any(|v| v == if *b { "true" } else { "false" }),
                Value::Number(n) => values.contains(&number(n)),
                _ => false,
            },
        }
    }
}
