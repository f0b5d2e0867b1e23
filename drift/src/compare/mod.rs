//! Declared against live.
//!
//! A hash join on the keys of [`crate::identity`], in two streams: first everything declared, then everything live, one resource at a
//! time. Of the declared side the attributes are kept as compact JSON, of the live side only what a report needs; so memory grows with what is
//! declared, and time with both. The order of either stream does not matter.
//!
//! [`compare`] does it in one call; [`Declarations`] and [`Comparison`] take the streams piece by piece.
//!
//! # Regions
//! A state does not say in which region a provider works. Where an object's own attributes don't tell, the region is what all other objects of the
//! same provider in the same state agree on, then what the provider's alias spells (`aws.eu_west_1`), then unknown: such an object
//! matches in any region.
//!
//! # What becomes of a declared object
//! `matched` or `changed` if it is live; otherwise `unchecked` (its type has no reader), `unknown` (its slice of the cloud was not or could not be read, or
//! it belongs to another account), or `missing`. Deposed objects are none of these.

mod conclude;
mod diff;
mod firewall;
mod index;
mod observe;
mod report;
mod tags;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub use index::Declarations;
pub use observe::Comparison;
pub use report::{Change, Counts, Filtered, Item, Kind, Report, RiskLevel};

use crate::declared::DeclaredResource;
use crate::live::LiveResource;
use crate::rules::Policy;
use crate::sensitive::SensitiveKey;

/// A slice of the cloud that was not read: what is declared there is neither missing nor matched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreadable {
    /// Terraform types that the failed call would have told about.
    pub provider_types: Vec<String>,
    /// The region, or none for all of them.
    pub region: Option<String>,
    /// Why, for people.
    pub reason: String,
}

/// A declared resource and the state source that declares it.
#[derive(Debug, Clone, PartialEq)]
pub struct Declared {
    /// The platform's id of the state source; goes into the report as it is.
    pub state_source_id: String,
    /// The resource.
    pub resource: DeclaredResource,
}

/// What a comparison needs to know besides the two sides.
#[derive(Debug, Clone, Copy)]
pub struct Settings<'a> {
    /// Types that have a reader. A type of which something is live counts as one even if it is not named here.
    pub readable_types: &'a BTreeSet<String>,
    /// Slices that could not be read.
    pub unreadable: &'a [Unreadable],
    /// The regions that were scanned, if not all.
    pub regions: Option<&'a BTreeSet<String>>,
    /// The cloud's own id of the scanned account (twelve digits), where known: what is declared elsewhere is unknown.
    pub account: Option<&'a str>,
    /// The platform's id of the account; goes into the report as it is.
    pub cloud_account_id: Option<&'a str>,
    /// Objects of the states that could not be read; goes into the report as it is.
    pub parse_failure_count: u64,
    /// Rules for noise and risk.
    pub policy: &'a Policy,
    /// The key under which the declared secrets were hashed.
    pub key: &'a SensitiveKey,
}

/// Both sides and the settings.
#[derive(Debug)]
pub struct Inputs<'a, D, L> {
    /// Everything declared, of all state sources.
    pub declared: D,
    /// Everything live.
    pub live: L,
    /// The rest.
    pub settings: Settings<'a>,
}

/// Compares both sides. Linear in both; the same inputs, in any order, give the same report.
pub fn compare<D, L>(inputs: Inputs<'_, D, L>) -> Report
where
    D: IntoIterator<Item = Declared>,
    L: IntoIterator<Item = LiveResource>,
{
    let mut declarations = Declarations::new(inputs.settings);
    for declared in inputs.declared {
        declarations.add(&declared.state_source_id, declared.resource);
    }
    let mut comparison = declarations.against_live();
    for live in inputs.live {
        comparison.observe(live);
    }
    comparison.finish()
}
