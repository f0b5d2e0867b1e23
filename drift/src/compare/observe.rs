//! One live resource after another.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::Settings;
use super::diff::{self, Sides};
use super::index::{Entry, Index, intern, parent_keys};
use super::report::{Change, Filtered, Kind};
use crate::children::{self, MIRRORS};
use crate::identity::{self, Subject};
use crate::live::LiveResource;
use crate::rules::{Facts, Severity, TypeRules};
use crate::{defaults, region};

/// What a report needs of a live resource.
#[derive(Debug, Clone)]
pub(super) struct Light {
    pub(super) provider_type: Arc<str>,
    pub(super) region: Arc<str>,
    pub(super) id: Box<str>,
    pub(super) arn: Option<Box<str>>,
    pub(super) name: Option<Box<str>>,
    pub(super) severity: Severity,
    pub(super) managed_by: Option<Box<str>>,
    pub(super) child: Option<Box<Child>>,
}

/// What a report needs of one that hangs on another.
#[derive(Debug, Clone)]
pub(super) struct Child {
    /// Type and id of the parent, for people.
    pub(super) parent: Box<str>,
    pub(super) parent_type: Arc<str>,
    /// The parent's keys.
    pub(super) keys: Vec<String>,
    /// The mirror in the parent, as an index.
    pub(super) mirror: Option<usize>,
    pub(super) is_default: bool,
    /// Kept where the parent's attribute may have to be searched for it.
    pub(super) properties: Option<Box<str>>,
}

impl Light {
    /// What makes it one resource among all.
    pub(super) fn rank(&self) -> (&str, &str, &str) {
        (&self.provider_type, &self.region, &self.id)
    }
}

/// A live resource that matches an entry, and the outcome.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) light: Light,
    /// How telling the key was that matched; less is more.
    pub(super) by: usize,
    pub(super) changes: Vec<Change>,
    pub(super) filtered: Vec<Filtered>,
    pub(super) severity: Severity,
    pub(super) told: u64,
}

/// The live side while it streams past the declared one.
#[derive(Debug)]
pub struct Comparison<'a> {
    pub(super) settings: Settings<'a>,
    pub(super) entries: Vec<Entry>,
    pub(super) index: Index,
    pub(super) rules: TypeRules<'a>,
    /// Live resources that nothing declares, in the order in which they came.
    pub(super) unmatched: Vec<Light>,
    /// Live resources that are atoms of declared ones.
    pub(super) atoms: Vec<Light>,
    /// Types of which something was live: whatever gave it can read them.
    pub(super) seen: HashSet<Arc<str>>,
    words: HashSet<Arc<str>>,
}

impl<'a> Comparison<'a> {
    pub(super) fn new(settings: Settings<'a>, words: HashSet<Arc<str>>, entries: Vec<Entry>, index: Index) -> Self {
        Self {
            settings,
            entries,
            index,
            rules: TypeRules::new(settings.policy),
            unmatched: Vec::new(),
            atoms: Vec::new(),
            seen: HashSet::new(),
            words,
        }
    }

    /// Takes one live resource.
    pub fn observe(&mut self, live: LiveResource) {
        match identity::separate(&live) {
            None => self.observe_one(live),
            Some(several) => several.into_iter().for_each(|one| self.observe_one(one)),
        }
    }

    fn observe_one(&mut self, live: LiveResource) {
        if !self.seen.contains(live.provider_type.as_str()) {
            self.seen.insert(intern(&mut self.words, &live.provider_type));
        }
        let subject = Subject {
            provider_type: &live.provider_type,
            id: Some(&live.provider_resource_id),
            arn: live.arn.as_deref(),
            region: Some(&live.region),
            attributes: &live.properties,
        };
        let keys = subject.keys();
        let hits = self.lookup(&keys);
        let in_part = self.mark_atoms(&live);
        if hits.is_empty() && !in_part {
            let light = self.light(live);
            self.unmatched.push(light);
        } else if hits.is_empty() {
            let light = self.light(live);
            self.atoms.push(light);
        } else {
            self.matched(live, &keys, hits);
        }
    }

    /// Entries with one of the keys, and the place of the key that matched.
    fn lookup(&self, keys: &[String]) -> Vec<(usize, usize)> {
        let mut hits: Vec<(usize, usize)> = Vec::new();
        let exact = keys.iter().enumerate().map(|(place, key)| (place, key.clone()));
        let anywhere =
            keys.iter().enumerate().filter_map(|(place, key)| Some((keys.len() + place, identity::anywhere(key)?)));
        for (place, key) in exact.chain(anywhere) {
            for entry in self.index.by_key.get(key.as_str()).into_iter().flatten() {
                if !hits.iter().any(|(hit, _)| hit == entry) {
                    hits.push((*entry, place));
                }
            }
        }
        hits
    }

    fn mark_atoms(&mut self, live: &LiveResource) -> bool {
        let mut any = false;
        for atom in identity::live_atom(&live.provider_type, &live.properties) {
            for (entry, member) in self.index.by_atom.get(atom.as_str()).into_iter().flatten() {
                self.entries[*entry].members[*member].1 = true;
                any = true;
            }
        }
        // Attachments and inline policies have no atoms of their own: their key is one.
        if !any && region::is_global(&live.provider_type) && !self.index.by_atom.is_empty() {
            let id = Some(live.provider_resource_id.as_str());
            let subject = Subject {
                provider_type: &live.provider_type,
                id,
                arn: None,
                region: None,
                attributes: &live.properties,
            };
            for key in subject.keys() {
                for (entry, member) in self.index.by_atom.get(key.as_str()).into_iter().flatten() {
                    self.entries[*entry].members[*member].1 = true;
                    any = true;
                }
            }
        }
        any
    }

    fn matched(&mut self, live: LiveResource, keys: &[String], hits: Vec<(usize, usize)>) {
        let split = self.index.split_of(keys);
        let mut outcomes = Vec::new();
        for (number, by) in hits {
            let entry = &self.entries[number];
            let attributes = entry.parsed();
            if identity::contradicts(identity::canonical_type(&entry.provider_type), &attributes, &live.properties) {
                continue;
            }
            outcomes.push((number, by, self.outcome(number, &attributes, &live.properties, split)));
        }
        let light = self.light(live);
        let mut taken = false;
        for (number, by, (changes, filtered, severity, told)) in outcomes {
            let found = Found { light: light.clone(), by, changes, filtered, severity, told };
            let entry = &mut self.entries[number];
            let loser = match entry.found.take() {
                None => {
                    entry.found = Some(Box::new(found));
                    taken = true;
                    continue;
                }
                Some(before) if found.precedes(&before) => {
                    entry.found = Some(Box::new(found));
                    taken = true;
                    Some(before.light)
                }
                Some(before) => {
                    let same = before.light.rank() == found.light.rank();
                    taken |= same;
                    entry.found = Some(before);
                    None
                }
            };
            // Another resource of the same name had been taken for it.
            if let Some(loser) = loser.filter(|l| l.rank() != light.rank()) {
                self.unmatched.push(loser);
            }
        }
        if !taken {
            self.unmatched.push(light);
        }
    }

    /// What differs, sorted into drift and noise, with the severity.
    fn outcome(
        &mut self,
        number: usize,
        declared: &Map<String, Value>,
        live: &Map<String, Value>,
        split: u64,
    ) -> (Vec<Change>, Vec<Filtered>, Severity, u64) {
        let entry = &self.entries[number];
        let kind = identity::canonical_type(&entry.provider_type).to_owned();
        let mirrors: Vec<usize> = children::as_parent(&kind).collect();
        let answers = |name: &str| {
            mirrors.iter().any(|m| {
                let mirror = &MIRRORS[*m];
                let bit = 1u64 << m;
                mirror.attributes.contains(&name)
                    && (split & bit != 0
                        || (mirror.undeclared == children::Undeclared::Child && entry.inline & bit == 0))
            })
        };
        let told = mirrors
            .iter()
            .filter(|m| MIRRORS[**m].attributes.iter().any(|name| live.contains_key(*name)))
            .fold(0, |bits, m| bits | 1 << m);
        let sides = Sides {
            provider_type: &entry.provider_type,
            id: entry.id(),
            declared,
            sensitive_paths: &entry.sensitive_paths,
            live,
            key: self.settings.key,
        };
        let all = if entry.is_deposed { Vec::new() } else { diff::differences(&sides, &answers) };
        let (mut changes, mut filtered, mut severity) = (Vec::new(), Vec::new(), Severity::default());
        for change in all {
            let rule = self.rules.noise(&entry.provider_type, Kind::Changed, Some(&change.path));
            let rule = rule.or_else(|| {
                self.rules
                    .policy()
                    .is_suppressed(&entry.address, &change.path, Kind::Changed)
                    .then_some(("suppressed", "hidden by a suppression"))
            });
            let Some((rule, why)) = rule else {
                severity = severity.max(self.rules.severity(
                    &entry.provider_type,
                    Kind::Changed,
                    Facts::Attribute(&change.path, &change.live),
                ));
                changes.push(change);
                continue;
            };
            filtered.push(Filtered {
                rule: rule.to_owned(),
                path: Some(change.path),
                why: why.to_owned(),
                ..entry.filtered(Kind::Changed)
            });
        }
        (changes, filtered, severity, told)
    }

    fn light(&mut self, live: LiveResource) -> Light {
        let managed_by = live.managed_by.clone().or_else(|| defaults::recognise(&live).map(str::to_owned));
        let child = self.child(&live);
        let severity = self.rules.severity(&live.provider_type, Kind::Extra, Facts::Resource(Some(&live.properties)));
        let name = live.name.or_else(|| named(&live.properties));
        Light {
            provider_type: intern(&mut self.words, &live.provider_type),
            region: intern(&mut self.words, &live.region),
            id: live.provider_resource_id.into_boxed_str(),
            arn: live.arn.map(String::into_boxed_str),
            name: name.map(String::into_boxed_str),
            severity,
            managed_by: managed_by.map(String::into_boxed_str),
            child: child.map(Box::new),
        }
    }

    fn child(&mut self, live: &LiveResource) -> Option<Child> {
        let by_attributes = children::parent(&live.provider_type, &live.properties);
        let (parent_type, parent_id) = by_attributes.or_else(|| live.part_of.as_deref()?.split_once('.'))?;
        let mirror =
            children::as_child(&live.provider_type, &live.properties).find(|m| MIRRORS[*m].parent == parent_type);
        Some(Child {
            parent: format!("{parent_type}.{parent_id}").into_boxed_str(),
            keys: parent_keys(parent_type, parent_id, Some(&live.region)),
            parent_type: intern(&mut self.words, parent_type),
            mirror,
            is_default: children::is_default(&live.provider_type, &live.properties),
            properties: mirror.and_then(|_| serde_json::to_string(&live.properties).ok()).map(String::into_boxed_str),
        })
    }
}

impl Found {
    /// Whether this is the better match of two: by a more telling key, then by the smaller name, so that the order of the stream does not matter.
    fn precedes(&self, other: &Self) -> bool {
        let order = self.by.cmp(&other.by).then_with(|| self.light.rank().cmp(&other.light.rank()));
        match order {
            Ordering::Less => true,
            Ordering::Greater => false,
            Ordering::Equal => {
                let spell = |changes: &[Change]| serde_json::to_string(changes).unwrap_or_default();
                spell(&self.changes) < spell(&other.changes)
            }
        }
    }
}

/// A name for people: the tag, or the attribute.
pub(super) fn named(attributes: &Map<String, Value>) -> Option<String> {
    let tag = attributes.get("tags").and_then(|t| t.get("Name"));
    tag.or_else(|| attributes.get("name")).and_then(Value::as_str).filter(|n| !n.is_empty()).map(str::to_owned)
}
