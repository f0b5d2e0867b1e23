//! Which differences are noise, and how much the others matter.
//!
//! The rules that ship are data ([`Catalogue`], `data/rules.json`), checked when they are loaded: every type they name must exist, every
//! pattern must compile. An organisation's own rules, its exceptions and its suppressions come on top ([`Policy`]). What a noise rule hides is counted and
//! listed in the report, never silently gone.

mod catalogue;
mod matcher;
mod policy;
mod severity;

pub use catalogue::{Catalogue, CatalogueError, NoiseRule, RiskRule, When};
pub use matcher::PatternError;
pub use policy::{CustomRule, OrgRules, Policy, PolicyError, RuleConfig, Suppression, fingerprint};
pub(crate) use policy::{Facts, TypeRules};
pub use severity::Severity;
