//! What a comparison says, in the shapes that are stored, served and printed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::rules::Severity;

/// The outcome of one comparison. The same inputs give the same bytes when serialised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Counts; see [`Counts`].
    #[serde(flatten)]
    pub counts: Counts,
    /// Matched and changed of all live, in percent with one decimal; 100 when nothing is live and nothing is missing.
    pub coverage_pct: f64,
    /// The highest severity among the items, or `none`.
    pub risk_level: RiskLevel,
    /// Declared types without a reader, with the number of their resources.
    #[serde(default)]
    pub unchecked_types: BTreeMap<String, u64>,
    /// Why declared resources count as unknown, with their number.
    #[serde(default)]
    pub unknown_reasons: BTreeMap<String, u64>,
    /// Everything that differs: changed, missing, extra; within a kind by address, type, region and id.
    pub items: Vec<Item>,
    /// What noise rules, suppressions and the rules about children hid, in the order of `items`.
    #[serde(default)]
    pub filtered: Vec<Filtered>,
}

/// Counts of a report. `total_iac` is the sum of matched, changed, missing, unchecked and unknown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Declared objects, without deposed ones.
    pub total_iac: u64,
    /// Live resources that are the customer's: matched, changed and extra.
    pub total_live: u64,
    /// Declared, live, and the same.
    pub matched_count: u64,
    /// Declared, live, and different.
    pub changed_count: u64,
    /// Declared, and not there although its slice of the cloud was read.
    pub missing_count: u64,
    /// Live, the customer's, and not declared.
    pub extra_count: u64,
    /// Declared, of a type that has no reader.
    pub unchecked_count: u64,
    /// Declared in a slice of the cloud that was not, or could not be, read.
    pub unknown_count: u64,
    /// Resources of the state that could not be read.
    pub parse_failure_count: u64,
    /// Differences hidden by noise rules and suppressions.
    pub noise_filtered: u64,
    /// Live resources left out: account defaults and parts of other resources.
    pub not_extra_count: u64,
}

/// Severity of a whole report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RiskLevel {
    /// No drift.
    None,
    /// See [`Severity::Low`].
    Low,
    /// See [`Severity::Medium`].
    Medium,
    /// See [`Severity::High`].
    High,
    /// See [`Severity::Critical`].
    Critical,
}

/// How a resource differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Declared and live, with different attributes.
    Changed,
    /// Declared and gone.
    Missing,
    /// Live and not declared.
    Extra,
}

/// One resource that differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// How it differs.
    pub kind: Kind,
    /// Terraform's address; none for extra.
    pub address: Option<String>,
    /// Terraform's type: the declared one, or the live one for extra.
    pub provider_type: String,
    /// The declared id, or the live one for extra.
    pub provider_resource_id: Option<String>,
    /// ARN, where it has one.
    pub arn: Option<String>,
    /// A name for people.
    pub name: Option<String>,
    /// Region, `global`, or unknown.
    pub region: Option<String>,
    /// The platform's id of the account.
    pub cloud_account_id: Option<String>,
    /// The state source that declares it; none for extra.
    pub state_source_id: Option<String>,
    /// The highest severity of the rules that apply.
    pub severity: Severity,
    /// What differs; empty unless changed. Sorted by path.
    pub changes: Vec<Change>,
    /// How many differences of this resource noise rules hid.
    pub noise_filtered: u64,
}

/// One attribute that differs. For a set, both values hold only the elements that the other side lacks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// `tags.Owner`, `ttl[0].enabled`, `tags["a.b"]`, `ingress`.
    pub path: String,
    /// The declared value; null when sensitive.
    pub declared: Value,
    /// The live value; null when sensitive.
    pub live: Value,
    /// Whether the values are withheld.
    pub sensitive: bool,
}

/// A difference that was found and not reported.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Filtered {
    /// The rule that hid it: a built-in id, a custom rule's id, `suppressed`, or one of the ids in `drift::children`.
    pub rule: String,
    /// How it differs.
    pub kind: Kind,
    /// Terraform's address; none for extra.
    pub address: Option<String>,
    /// Terraform's type.
    pub provider_type: String,
    /// The cloud's id.
    pub provider_resource_id: Option<String>,
    /// Region.
    pub region: Option<String>,
    /// The attribute; none when the whole resource was hidden.
    pub path: Option<String>,
    /// Why, for people.
    pub why: String,
}
