//! Everything declared, ready to be looked up.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::Settings;
use super::observe::{Comparison, Found};
use super::report::{Filtered, Kind};
use crate::children::{self, MIRRORS};
use crate::declared::{DeclaredResource, Status};
use crate::identity::{self, Subject};
use crate::normalise::is_unset;
use crate::region;

/// A declared object, small.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) source: Arc<str>,
    pub(super) address: Box<str>,
    pub(super) provider_type: Arc<str>,
    pub(super) provider: Arc<str>,
    pub(super) id: Option<Box<str>>,
    pub(super) arn: Option<Box<str>>,
    pub(super) region: Option<Arc<str>>,
    /// As compact JSON: a fourth of what the parsed form takes.
    pub(super) attributes: Box<str>,
    pub(super) sensitive_paths: Vec<String>,
    pub(super) is_deposed: bool,
    /// Mirrors in which it is the parent and whose attribute declares something, as bits.
    pub(super) inline: u64,
    /// What was found live.
    pub(super) found: Option<Box<Found>>,
    /// For objects that stand for several: each atom's member, and whether it is live.
    pub(super) members: Vec<(Box<str>, bool)>,
}

impl Entry {
    /// The attributes, parsed anew.
    pub(super) fn parsed(&self) -> Map<String, Value> {
        serde_json::from_str(&self.attributes).unwrap_or_default()
    }

    pub(super) fn id(&self) -> &str {
        self.id.as_deref().unwrap_or_default()
    }

    /// Something about it that is not reported; rule, path and reason are to be filled in.
    pub(super) fn filtered(&self, kind: Kind) -> Filtered {
        Filtered {
            rule: String::new(),
            kind,
            address: Some(self.address.to_string()),
            provider_type: self.provider_type.to_string(),
            provider_resource_id: self.id.as_deref().map(str::to_owned),
            region: self.region.as_deref().map(str::to_owned),
            path: None,
            why: String::new(),
        }
    }
}

/// State source and provider: what shares a configuration, hence a region.
type ProviderOfSource = (Arc<str>, Arc<str>);

/// The declared side while it is being filled.
#[derive(Debug)]
pub struct Declarations<'a> {
    settings: Settings<'a>,
    words: HashSet<Arc<str>>,
    entries: Vec<Entry>,
    regions: HashMap<ProviderOfSource, Option<Arc<str>>>,
    index: Index,
}

/// Look-up tables from keys to entries.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// Key to entries.
    pub(super) by_key: HashMap<Box<str>, Vec<usize>>,
    /// Atom to entries and their members.
    pub(super) by_atom: HashMap<Box<str>, Vec<(usize, usize)>>,
    /// Parent's key to the mirrors for which it has declared children, as bits.
    pub(super) split: HashMap<Box<str>, u64>,
}

impl Index {
    /// The mirrors that are split off from a parent with these keys.
    pub(super) fn split_of(&self, keys: &[String]) -> u64 {
        let bits = |key: &str| self.split.get(key).copied().unwrap_or_default();
        keys.iter().map(|key| bits(key) | identity::anywhere(key).map_or(0, |k| bits(&k))).fold(0, |a, b| a | b)
    }

    fn insert(&mut self, keys: Vec<String>, entry: usize) {
        for key in keys {
            self.by_key.entry(key.into_boxed_str()).or_default().push(entry);
        }
    }
}

impl<'a> Declarations<'a> {
    /// Nothing declared yet.
    #[must_use]
    pub fn new(settings: Settings<'a>) -> Self {
        Self { settings, words: HashSet::new(), entries: Vec::new(), regions: HashMap::new(), index: Index::default() }
    }

    /// Adds a declared resource of a state source.
    pub fn add(&mut self, state_source_id: &str, resource: DeclaredResource) {
        let number = self.entries.len();
        let provider_type = self.word(&resource.provider_type);
        let source = self.word(state_source_id);
        let provider = self.word(&resource.provider);
        let region = resource.region.as_deref().map(|r| self.word(r));
        if let Some(region) = region.as_ref().filter(|_| !region::is_global(&resource.provider_type)) {
            let agreed = self.regions.entry((source.clone(), provider.clone())).or_insert_with(|| Some(region.clone()));
            if agreed.as_ref() != Some(region) {
                *agreed = None;
            }
        }
        let mut members = Vec::new();
        if identity::collective(&resource.provider_type).is_some() {
            for (atom, member) in identity::atoms(&resource.provider_type, &resource.attributes) {
                self.index.by_atom.entry(atom.into_boxed_str()).or_default().push((number, members.len()));
                members.push((member.into_boxed_str(), false));
            }
        } else if region.is_some() {
            self.index.insert(keys_of(&resource, region.as_deref()), number);
        }
        self.note_parents(&resource, region.as_deref());
        let kind = identity::canonical_type(&resource.provider_type);
        let says = |mirror: &usize| {
            MIRRORS[*mirror].attributes.iter().any(|name| resource.attributes.get(*name).is_some_and(|v| !is_unset(v)))
        };
        let inline = children::as_parent(kind).filter(says).fold(0, |bits, mirror| bits | 1 << mirror);
        self.entries.push(Entry {
            source,
            provider_type,
            provider,
            address: resource.address.into_boxed_str(),
            id: resource.provider_resource_id.map(String::into_boxed_str),
            arn: resource.arn.map(String::into_boxed_str),
            region,
            attributes: serde_json::to_string(&resource.attributes).unwrap_or_default().into_boxed_str(),
            sensitive_paths: resource.sensitive_paths,
            is_deposed: matches!(resource.status, Status::Deposed(_)),
            inline,
            found: None,
            members,
        });
    }

    /// Closes the declared side; from here on live resources are taken.
    #[must_use]
    pub fn against_live(mut self) -> Comparison<'a> {
        for number in 0..self.entries.len() {
            if self.entries[number].region.is_some() {
                continue;
            }
            let region = self.learned(number);
            let entry = &mut self.entries[number];
            entry.region = region;
            if entry.members.is_empty() && identity::collective(&entry.provider_type).is_none() {
                let attributes = entry.parsed();
                let subject = Subject {
                    provider_type: &entry.provider_type,
                    id: entry.id.as_deref(),
                    arn: entry.arn.as_deref(),
                    region: entry.region.as_deref(),
                    attributes: &attributes,
                };
                self.index.insert(subject.keys(), number);
            }
        }
        Comparison::new(self.settings, self.words, self.entries, self.index)
    }

    /// The region that the same provider's other objects agree on, or that its alias spells.
    fn learned(&mut self, number: usize) -> Option<Arc<str>> {
        let entry = &self.entries[number];
        let agreed = self.regions.get(&(entry.source.clone(), entry.provider.clone())).cloned();
        match agreed {
            Some(Some(region)) => Some(region),
            _ => region::of_provider(&self.entries[number].provider.clone()).map(|r| self.word(&r)),
        }
    }

    /// Notes for which parents a child is declared.
    fn note_parents(&mut self, resource: &DeclaredResource, region: Option<&str>) {
        for mirror in children::as_child(&resource.provider_type, &resource.attributes) {
            let Some(named) = resource.attributes.get(MIRRORS[mirror].refers).and_then(Value::as_str) else { continue };
            for key in parent_keys(MIRRORS[mirror].parent, named, region) {
                *self.index.split.entry(key.into_boxed_str()).or_default() |= 1 << mirror;
            }
        }
    }

    fn word(&mut self, text: &str) -> Arc<str> {
        intern(&mut self.words, text)
    }
}

/// One copy of each word.
pub(super) fn intern(words: &mut HashSet<Arc<str>>, text: &str) -> Arc<str> {
    if let Some(word) = words.get(text) {
        return word.clone();
    }
    let word: Arc<str> = Arc::from(text);
    words.insert(word.clone());
    word
}

fn keys_of(resource: &DeclaredResource, region: Option<&str>) -> Vec<String> {
    let (id, arn) = (resource.provider_resource_id.as_deref(), resource.arn.as_deref());
    Subject { provider_type: &resource.provider_type, id, arn, region, attributes: &resource.attributes }.keys()
}

/// The keys of a resource of which only type and id (or ARN, name, URL) are known.
pub(super) fn parent_keys(provider_type: &str, id: &str, region: Option<&str>) -> Vec<String> {
    let attributes = Map::new();
    Subject { provider_type, id: Some(id), arn: None, region, attributes: &attributes }.keys()
}
