//! Declared against live.

mod report;

pub use report::{Change, Counts, Filtered, Item, Kind, Report, RiskLevel};

/// A slice of the cloud that was not read: what is declared there is neither missing nor matched.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Unreadable {
    /// Terraform types that the failed call would have told about.
    pub provider_types: Vec<String>,
    /// The region, or none for all of them.
    pub region: Option<String>,
    /// Why, for people.
    pub reason: String,
}
