//! From what was seen to a report.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::{Map, Value};

use super::Unreadable;
use super::index::Entry;
use super::observe::{Child, Comparison, Light, named};
use super::report::{Change, Counts, Filtered, Item, Kind, Report, RiskLevel};
use crate::children::{self, MIRRORS, Undeclared};
use crate::identity;
use crate::region;
use crate::rules::{Facts, Severity};

/// Whether an unmatched live resource is reported.
enum Verdict {
    Extra,
    /// Rule and reason.
    Not(&'static str, String),
}

/// What an unmatched parent is.
#[derive(Clone)]
enum Parent {
    Extra,
    NotExtra(String),
}

impl Comparison<'_> {
    /// Closes the live side and reports.
    #[must_use]
    pub fn finish(mut self) -> Report {
        self.unmatched.sort_by(|a, b| {
            a.rank().cmp(&b.rank()).then_with(|| a.arn.cmp(&b.arn)).then_with(|| a.managed_by.cmp(&b.managed_by))
        });
        self.unmatched.dedup_by(|later, first| later.rank() == first.rank());
        let mut draft = Draft {
            counts: Counts { parse_failure_count: self.settings.parse_failure_count, ..Counts::default() },
            ..Draft::default()
        };
        self.declared_side(&mut draft);
        self.live_side(&mut draft);
        draft.counts.total_live = self.covered() + draft.counts.extra_count;
        draft.report(self.covered())
    }

    /// Distinct live resources that are declared.
    fn covered(&self) -> u64 {
        let found =
            self.entries.iter().filter(|e| !e.is_deposed).filter_map(|e| e.found.as_ref().map(|f| f.light.rank()));
        found.chain(self.atoms.iter().map(Light::rank)).collect::<HashSet<_>>().len() as u64
    }

    fn declared_side(&mut self, draft: &mut Draft) {
        let entries = std::mem::take(&mut self.entries);
        for entry in &entries {
            if entry.is_deposed {
                if entry.found.is_some() {
                    draft.counts.not_extra_count += 1;
                }
                continue;
            }
            draft.counts.total_iac += 1;
            match &entry.found {
                Some(found) => {
                    draft.counts.noise_filtered += found.filtered.len() as u64;
                    draft.filtered.extend(found.filtered.iter().cloned());
                    let filtered = found.filtered.len() as u64;
                    self.judge(entry, Some(&found.light), found.changes.clone(), (found.severity, filtered), draft);
                }
                None if entry.members.iter().any(|m| m.1) => self.partly(entry, draft),
                None => self.absent(entry, draft),
            }
        }
        self.entries = entries;
    }

    fn judge(
        &self,
        entry: &Entry,
        light: Option<&Light>,
        changes: Vec<Change>,
        (severity, noise_filtered): (Severity, u64),
        draft: &mut Draft,
    ) {
        if changes.is_empty() {
            draft.counts.matched_count += 1;
            return;
        }
        draft.counts.changed_count += 1;
        let name = light.and_then(|l| l.name.as_deref().map(str::to_owned));
        let region = light.map(|l| l.region.to_string());
        draft.items.push(Item { severity, changes, noise_filtered, ..self.item(Kind::Changed, entry, name, region) });
    }

    /// An object that stands for several, some of which are live.
    fn partly(&mut self, entry: &Entry, draft: &mut Draft) {
        let gone: Vec<Value> = entry.members.iter().filter(|m| !m.1).map(|m| Value::from(&*m.0)).collect();
        let members = identity::collective(&entry.provider_type).and_then(|c| c.members);
        match members {
            _ if gone.is_empty() => draft.counts.matched_count += 1,
            Some(path) => {
                let change = Change {
                    path: path.to_owned(),
                    declared: gone.into(),
                    live: Value::Array(Vec::new()),
                    sensitive: false,
                };
                let severity = self.rules.severity(
                    &entry.provider_type,
                    Kind::Changed,
                    Facts::Attribute(&change.path, &change.live),
                );
                self.judge(entry, None, vec![change], (severity, 0), draft);
            }
            // As Terraform sees a rule of which one network was revoked.
            None => self.absent(entry, draft),
        }
    }

    fn absent(&mut self, entry: &Entry, draft: &mut Draft) {
        if !self.is_readable(&entry.provider_type) {
            draft.counts.unchecked_count += 1;
            *draft.unchecked_types.entry(entry.provider_type.to_string()).or_default() += 1;
            return;
        }
        if let Some(reason) = self.unknown(entry) {
            draft.counts.unknown_count += 1;
            *draft.unknown_reasons.entry(reason).or_default() += 1;
            return;
        }
        let rule = self.rules.noise(&entry.provider_type, Kind::Missing, None);
        let rule = rule.or_else(|| {
            self.rules
                .policy()
                .is_suppressed(&entry.address, "", Kind::Missing)
                .then_some(("suppressed", "hidden by a suppression"))
        });
        if let Some((rule, why)) = rule {
            draft.counts.unknown_count += 1;
            draft.counts.noise_filtered += 1;
            *draft.unknown_reasons.entry(format!("hidden by {rule}")).or_default() += 1;
            draft.filtered.push(Filtered {
                rule: rule.to_owned(),
                why: why.to_owned(),
                ..entry.filtered(Kind::Missing)
            });
            return;
        }
        draft.counts.missing_count += 1;
        let severity = self.rules.severity(&entry.provider_type, Kind::Missing, Facts::Resource(None));
        let name = named(&entry.parsed());
        draft.items.push(Item { severity, ..self.item(Kind::Missing, entry, name, None) });
    }

    fn item(&self, kind: Kind, entry: &Entry, name: Option<String>, region: Option<String>) -> Item {
        Item {
            kind,
            address: Some(entry.address.to_string()),
            provider_type: entry.provider_type.to_string(),
            provider_resource_id: entry.id.as_deref().map(str::to_owned),
            arn: entry.arn.as_deref().map(str::to_owned),
            name,
            region: region.or_else(|| entry.region.as_deref().map(str::to_owned)),
            cloud_account_id: self.settings.cloud_account_id.map(str::to_owned),
            state_source_id: Some(entry.source.to_string()),
            severity: Severity::default(),
            changes: Vec::new(),
            noise_filtered: 0,
        }
    }

    /// Whether the type has a reader, under its own name or that of what it is or stands for.
    fn is_readable(&self, provider_type: &str) -> bool {
        let has = |name: &str| self.settings.readable_types.contains(name) || self.seen.contains(name);
        let parts = identity::collective(provider_type).is_some_and(|c| c.live_types.iter().any(|t| has(t)));
        parts || has(provider_type) || has(identity::canonical_type(provider_type))
    }

    /// Why nobody can say whether this object is there.
    fn unknown(&self, entry: &Entry) -> Option<String> {
        let in_region = entry.region.as_deref();
        let kinds = [&*entry.provider_type, identity::canonical_type(&entry.provider_type)];
        let parts = identity::collective(&entry.provider_type).map_or(&[][..], |c| c.live_types);
        let concerns = |slice: &&Unreadable| {
            let kind = kinds.iter().chain(parts).any(|k| slice.provider_types.iter().any(|t| t == k));
            let place = match (slice.region.as_deref(), in_region) {
                (Some(slice), Some(region)) => slice == region,
                _ => true,
            };
            kind && place
        };
        if let Some(slice) = self.settings.unreadable.iter().find(concerns) {
            return Some(slice.reason.clone());
        }
        if let Some(regions) = self.settings.regions.filter(|_| !region::is_global(&entry.provider_type)) {
            match in_region {
                Some(region) if !regions.contains(region) => return Some(format!("region {region} was not scanned")),
                None => return Some("its region is not known, and not all were scanned".to_owned()),
                _ => {}
            }
        }
        let owner = entry.arn.as_deref().and_then(region::account_of_arn)?;
        let scanned = self.settings.account?;
        (owner != scanned).then(|| format!("it belongs to account {owner}"))
    }

    fn live_side(&mut self, draft: &mut Draft) {
        let unmatched = std::mem::take(&mut self.unmatched);
        let parents = parents_among(&unmatched);
        let mut searched = Searched::default();
        for light in &unmatched {
            let verdict = self.verdict(light, &parents, &mut searched);
            let hidden = match verdict {
                Verdict::Not(rule, why) => {
                    draft.counts.not_extra_count += 1;
                    Some((rule.to_owned(), why))
                }
                Verdict::Extra => self.hidden_extra(light).inspect(|_| draft.counts.noise_filtered += 1),
            };
            let item = Item {
                kind: Kind::Extra,
                address: None,
                provider_type: light.provider_type.to_string(),
                provider_resource_id: Some(light.id.to_string()),
                arn: light.arn.as_deref().map(str::to_owned),
                name: light.name.as_deref().map(str::to_owned),
                region: Some(light.region.to_string()),
                cloud_account_id: self.settings.cloud_account_id.map(str::to_owned),
                state_source_id: None,
                severity: light.severity,
                changes: Vec::new(),
                noise_filtered: 0,
            };
            match hidden {
                None => {
                    draft.counts.extra_count += 1;
                    draft.items.push(item);
                }
                Some((rule, why)) => draft.filtered.push(Filtered {
                    rule,
                    kind: Kind::Extra,
                    address: None,
                    provider_type: item.provider_type,
                    provider_resource_id: item.provider_resource_id,
                    region: item.region,
                    path: None,
                    why,
                }),
            }
        }
        self.unmatched = unmatched;
    }

    fn hidden_extra(&mut self, light: &Light) -> Option<(String, String)> {
        let address = format!("{}.{}", light.provider_type, light.id);
        let rule = self.rules.noise(&light.provider_type, Kind::Extra, None);
        let rule = rule.or_else(|| {
            self.rules
                .policy()
                .is_suppressed(&address, "", Kind::Extra)
                .then_some(("suppressed", "hidden by a suppression"))
        });
        rule.map(|(rule, why)| (rule.to_owned(), why.to_owned()))
    }

    fn verdict(&self, light: &Light, parents: &HashMap<String, Parent>, searched: &mut Searched) -> Verdict {
        if let Some(why) = &light.managed_by {
            return Verdict::Not("account-default", why.to_string());
        }
        let Some(child) = light.child.as_deref() else { return Verdict::Extra };
        let declared = child.keys.iter().find_map(|key| {
            let anywhere = identity::anywhere(key);
            let entries = self.index.by_key.get(key.as_str()).or_else(|| self.index.by_key.get(anywhere?.as_str()))?;
            entries.iter().copied().find(|e| !self.entries[*e].is_deposed)
        });
        if let Some(entry) = declared {
            return self.child_of_declared(light, child, entry, searched);
        }
        match child.keys.iter().find_map(|key| parents.get(key)) {
            Some(Parent::NotExtra(why)) if !children::is_made_by_hand(&light.provider_type) => {
                Verdict::Not("part-of-default", format!("part of {}: {why}", child.parent))
            }
            Some(Parent::Extra) if !children::speaks_for_itself(&light.provider_type) => {
                Verdict::Not("part-of-extra", format!("came with {}", child.parent))
            }
            _ => Verdict::Extra,
        }
    }

    /// The rules of [`crate::children`] for a child whose parent is declared.
    fn child_of_declared(&self, light: &Light, child: &Child, number: usize, searched: &mut Searched) -> Verdict {
        let entry = &self.entries[number];
        if children::comes_along(&light.provider_type, &child.parent_type) {
            return Verdict::Not("comes-along", format!("came with {}", entry.address));
        }
        if let Some(mirror) = child.mirror {
            let bit = 1u64 << mirror;
            let is_split = self.index.split_of(&child.keys) & bit != 0;
            let is_inline = entry.inline & bit != 0;
            let told = entry.found.as_ref().is_some_and(|f| f.told & bit != 0);
            let by_parent = match (is_split, MIRRORS[mirror].undeclared) {
                (true, _) => is_inline && searched.names(entry, number, mirror, light, child),
                (false, Undeclared::Parent) => told,
                (false, Undeclared::Child) => is_inline && told,
            };
            if by_parent {
                return Verdict::Not(
                    "told-by-parent",
                    format!("{} of {} tells it", MIRRORS[mirror].attributes.join(", "), entry.address),
                );
            }
        }
        if child.is_default {
            return Verdict::Not("default-setting", format!("what {} has when nothing is set", entry.address));
        }
        Verdict::Extra
    }
}

/// What those unmatched resources are that other unmatched ones hang on.
fn parents_among(unmatched: &[Light]) -> HashMap<String, Parent> {
    let wanted: HashSet<&str> =
        unmatched.iter().filter_map(|l| l.child.as_ref()).flat_map(|c| c.keys.iter().map(String::as_str)).collect();
    let mut parents = HashMap::new();
    if wanted.is_empty() {
        return parents;
    }
    for light in unmatched {
        let ids = [Some(&light.id), light.arn.as_ref()];
        for key in ids
            .into_iter()
            .flatten()
            .flat_map(|id| super::index::parent_keys(&light.provider_type, id, Some(&light.region)))
        {
            if wanted.contains(key.as_str()) {
                let parent = light.managed_by.as_ref().map_or(Parent::Extra, |why| Parent::NotExtra(why.to_string()));
                parents.insert(key, parent);
            }
        }
    }
    parents
}

/// The parent that was searched last, parsed: children of one parent come one after another.
#[derive(Default)]
struct Searched {
    number: Option<usize>,
    attributes: Map<String, Value>,
}

impl Searched {
    fn names(&mut self, entry: &Entry, number: usize, mirror: usize, light: &Light, child: &Child) -> bool {
        if self.number != Some(number) {
            self.number = Some(number);
            self.attributes = entry.parsed();
        }
        let properties: Map<String, Value> =
            child.properties.as_deref().and_then(|p| serde_json::from_str(p).ok()).unwrap_or_default();
        children::names(&MIRRORS[mirror], entry.id(), &self.attributes, &light.provider_type, &properties)
    }
}

#[derive(Default)]
struct Draft {
    counts: Counts,
    unchecked_types: BTreeMap<String, u64>,
    unknown_reasons: BTreeMap<String, u64>,
    items: Vec<Item>,
    filtered: Vec<Filtered>,
}

impl Draft {
    fn report(mut self, covered: u64) -> Report {
        self.items.sort_by(|a, b| item_order(a).cmp(&item_order(b)));
        self.filtered.sort_by(|a, b| filtered_order(a).cmp(&filtered_order(b)));
        Report {
            coverage_pct: coverage(covered, self.counts),
            risk_level: self.items.iter().map(|i| i.severity).max().into(),
            counts: self.counts,
            unchecked_types: self.unchecked_types,
            unknown_reasons: self.unknown_reasons,
            items: self.items,
            filtered: self.filtered,
        }
    }
}

fn item_order(i: &Item) -> impl Ord {
    (
        i.kind,
        i.address.clone(),
        i.provider_type.clone(),
        i.region.clone(),
        i.provider_resource_id.clone(),
        i.state_source_id.clone(),
    )
}

fn filtered_order(f: &Filtered) -> impl Ord {
    (
        f.kind,
        f.address.clone(),
        f.provider_type.clone(),
        f.region.clone(),
        f.provider_resource_id.clone(),
        f.path.clone(),
        f.rule.clone(),
    )
}

/// Percent with one decimal, rounded to the nearest. Counts are far below 2^53.
#[allow(clippy::cast_precision_loss, reason = "a count of resources fits")]
fn coverage(covered: u64, counts: Counts) -> f64 {
    if counts.total_live == 0 {
        return if counts.missing_count == 0 { 100.0 } else { 0.0 };
    }
    (covered as f64 * 1000.0 / counts.total_live as f64).round() / 10.0
}

impl From<Option<Severity>> for RiskLevel {
    fn from(severity: Option<Severity>) -> Self {
        match severity {
            None => Self::None,
            Some(Severity::Low) => Self::Low,
            Some(Severity::Medium) => Self::Medium,
            Some(Severity::High) => Self::High,
            Some(Severity::Critical) => Self::Critical,
        }
    }
}
