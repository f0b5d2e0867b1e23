//! The attributes in which a declared and a live resource differ.
//!
//! The live side decides what is compared: only attributes that its reader gave. Inside a block the same holds, member by
//! member; inside a map (`environment[0].variables`) an absent key is a key that was removed. Sets have one path and tell
//! the elements that only one side has; lists are walked by index, blocks by name.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::report::Change;
use super::{firewall, tags};
use crate::normalise::{self, canonical, defaults, is_empty, is_unset, path, same_scalar};
use crate::schema::{self, Shape};
use crate::sensitive::{self, Depth, SensitiveKey};

/// Attributes that identify, or repeat, and are not compared by themselves.
const NOT_COMPARED: &[&str] = &["arn", "id", "region", "tags", "tags_all", "timeouts"];

/// Attributes of blocks that repeat what another resource has: a volume's tags in its instance.
const NOT_COMPARED_INSIDE: &[&str] = &["tags_all"];
const VOLUME_BLOCKS: &[&str] = &["ebs_block_device", "root_block_device"];

/// Lists of scalars whose order means something. Any other such list is compared without order, because the APIs return them in
/// no particular one.
const ORDERED: &[&str] = &["command", "entry_point", "domain_name_servers", "layers", "ntp_servers", "processors"];

/// Members that name an element of a list of blocks.
const NAMES: &[&str] = &["id", "name", "key", "rule_id", "sid", "priority", "device_name"];

static NULL: Value = Value::Null;

/// One declared resource as it is compared.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sides<'a> {
    /// Terraform's type, as declared.
    pub(super) provider_type: &'a str,
    /// Declared id.
    pub(super) id: &'a str,
    /// Declared attributes.
    pub(super) declared: &'a Map<String, Value>,
    /// Paths that the state marks as sensitive.
    pub(super) sensitive_paths: &'a [String],
    /// What the cloud told.
    pub(super) live: &'a Map<String, Value>,
    /// Key of the hashes.
    pub(super) key: &'a SensitiveKey,
}

/// What differs, sorted by path. `skip` names attributes that another resource answers for.
pub(super) fn differences(sides: &Sides<'_>, skip: &dyn Fn(&str) -> bool) -> Vec<Change> {
    let shape = schema::shape(sides.provider_type);
    let mut walk = Walk { sides, shape, path: String::new(), plain: String::new(), changes: Vec::new() };
    for (name, live) in sides.live {
        let Some(declared) = sides.declared.get(name) else { continue };
        if NOT_COMPARED.contains(&name.as_str()) || declared == live || skip(name) {
            continue;
        }
        walk.top_level(name, declared, live);
    }
    walk.changes.extend(tags::differences(sides.declared, sides.live, sides.key));
    walk.changes.sort_by(|a, b| a.path.cmp(&b.path));
    walk.changes
}

struct Walk<'a> {
    sides: &'a Sides<'a>,
    shape: Option<&'static Shape>,
    path: String,
    /// The path without indices, as schema and defaults know it.
    plain: String,
    changes: Vec<Change>,
}

impl Walk<'_> {
    fn top_level(&mut self, name: &str, declared: &Value, live: &Value) {
        self.path.clear();
        self.path.push_str(name);
        self.plain.clear();
        self.plain.push_str(name);
        let canonical_type = crate::identity::canonical_type(self.sides.provider_type);
        match (canonical_type, name) {
            ("aws_security_group", "ingress" | "egress") => {
                self.changes.extend(firewall::difference(name, self.sides.id, declared, live));
            }
            ("aws_route_table", "route") => {
                self.value(&without(declared, is_made_by_aws), &without(live, is_made_by_aws));
            }
            ("aws_network_acl", "ingress" | "egress") => {
                self.value(&without(declared, is_last_rule), &without(live, is_last_rule));
            }
            _ => self.value(declared, live),
        }
    }

    fn value(&mut self, declared: &Value, live: &Value) {
        if declared == live || (is_unset(declared) && is_unset(live)) {
            return;
        }
        if let Some(hash) = sensitive::sealed(declared) {
            if hash != self.sides.key.hash(live) {
                self.emit(&NULL, &NULL);
            }
            return;
        }
        if (is_unset(declared) && self.is_default(live)) || (is_unset(live) && self.is_default(declared)) {
            return;
        }
        let is_set = self.shape.is_some_and(|s| s.is_set(&self.plain));
        match (declared, live) {
            (Value::Array(d), Value::Array(l)) => self.array(d, l, is_set),
            (Value::Array(d), l) if is_empty(l) => self.array(d, &[], is_set),
            (d, Value::Array(l)) if is_empty(d) => self.array(&[], l, is_set),
            (Value::Object(d), Value::Object(l)) => self.object(d, l),
            (d, l) => {
                let name = self.plain.rsplit('.').next().unwrap_or_default();
                if !same_scalar(d, l, self.sides.provider_type, name) {
                    self.emit(d, l);
                }
            }
        }
    }

    fn is_default(&self, value: &Value) -> bool {
        defaults::is_default(self.sides.provider_type, &self.plain, value)
    }

    fn object(&mut self, declared: &Map<String, Value>, live: &Map<String, Value>) {
        // Of a type that the schema does not know, an object may as well be a map.
        let is_map = self.shape.is_none_or(|s| s.is_map(&self.plain));
        let names: BTreeSet<&String> = declared.keys().chain(live.keys()).collect();
        for name in names {
            if NOT_COMPARED_INSIDE.contains(&name.as_str())
                || (name == "tags" && VOLUME_BLOCKS.contains(&self.plain.as_str()))
            {
                continue;
            }
            let told = live.get(name);
            if told.is_none() && !is_map {
                continue;
            }
            let (d, l) = (declared.get(name).unwrap_or(&NULL), told.unwrap_or(&NULL));
            self.member(name, d, l, is_map);
        }
    }

    fn member(&mut self, name: &str, declared: &Value, live: &Value, is_map: bool) {
        let (path_length, plain_length) = (self.path.len(), self.plain.len());
        path::push_key(&mut self.path, name);
        self.plain.push('.');
        self.plain.push_str(name);
        if is_map && declared.is_null() != live.is_null() {
            // A key of a map is there or not; an empty value is a value.
            self.emit(declared, live);
        } else {
            self.value(declared, live);
        }
        self.path.truncate(path_length);
        self.plain.truncate(plain_length);
    }

    fn array(&mut self, declared: &[Value], live: &[Value], is_set: bool) {
        let blocks = declared.iter().chain(live).any(Value::is_object);
        if blocks && !is_set && declared.len() < 2 && live.len() < 2 {
            return self.blocks(declared, live);
        }
        let (mut d_only, mut l_only) = surplus(declared, live);
        if is_set && blocks {
            drop_untold(declared, live, &mut d_only, &mut l_only);
        }
        if d_only.is_empty() && l_only.is_empty() && (is_set || blocks || !self.is_ordered()) {
            return;
        }
        if is_set {
            let pick = |all: &[Value], which: &[usize]| which.iter().map(|i| all[*i].clone()).collect::<Vec<_>>();
            self.emit(&pick(declared, &d_only).into(), &pick(live, &l_only).into());
        } else if blocks {
            self.blocks(declared, live);
        } else if declared.is_empty() || live.is_empty() {
            self.emit(&declared.into(), &live.into());
        } else {
            for index in 0..declared.len().max(live.len()) {
                self.element(index, declared.get(index).unwrap_or(&NULL), live.get(index).unwrap_or(&NULL));
            }
        }
    }

    fn is_ordered(&self) -> bool {
        self.plain.rsplit('.').next().is_some_and(|name| ORDERED.contains(&name))
    }

    /// Blocks of a list: paired by name where all have one, by index otherwise.
    fn blocks(&mut self, declared: &[Value], live: &[Value]) {
        let pairs = paired_by_name(declared, live)
            .unwrap_or_else(|| (0..declared.len().max(live.len())).map(|i| (i, i)).collect());
        for (index, (d, l)) in pairs.into_iter().enumerate() {
            self.element(index, declared.get(d).unwrap_or(&NULL), live.get(l).unwrap_or(&NULL));
        }
    }

    fn element(&mut self, index: usize, declared: &Value, live: &Value) {
        let length = self.path.len();
        path::push_index(&mut self.path, index);
        match (declared, live) {
            // A block that only one side has differs in each member that says something.
            (Value::Object(d), Value::Null) => self.one_sided(d, |v| (v, &NULL)),
            (Value::Null, Value::Object(l)) => self.one_sided(l, |v| (&NULL, v)),
            (d, l) => self.value(d, l),
        }
        self.path.truncate(length);
    }

    fn one_sided(&mut self, block: &Map<String, Value>, sides: impl for<'v> Fn(&'v Value) -> (&'v Value, &'v Value)) {
        for (name, value) in normalise::sorted(block) {
            let (d, l) = sides(value);
            self.member(name, d, l, false);
        }
    }

    fn emit(&mut self, declared: &Value, live: &Value) {
        let hidden = self.is_hidden(declared, live);
        let show = |v: &Value| if hidden { Value::Null } else { v.clone() };
        self.changes.push(Change {
            path: self.path.clone(),
            declared: show(declared),
            live: show(live),
            sensitive: hidden,
        });
    }

    fn is_hidden(&self, declared: &Value, live: &Value) -> bool {
        let mut names = self.plain.split('.');
        let top = names.next().is_some_and(|name| sensitive::is_secret(self.sides.provider_type, name, Depth::Top));
        top || names.any(|name| sensitive::is_secret(self.sides.provider_type, name, Depth::Nested))
            || self.sides.sensitive_paths.iter().any(|p| covers(p, &self.path) || covers(&self.path, p))
            || [declared, live].into_iter().any(holds_secret)
    }
}

/// Whether the outer path is the inner one or leads to it.
fn covers(outer: &str, inner: &str) -> bool {
    inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

fn holds_secret(value: &Value) -> bool {
    match value {
        Value::Object(map) => {
            sensitive::sealed(value).is_some()
                || map
                    .iter()
                    .any(|(k, v)| holds_secret(v) || (!is_empty(v) && sensitive::is_secret("", k, Depth::Nested)))
        }
        Value::Array(items) => items.iter().any(holds_secret),
        _ => false,
    }
}

/// Indices of the elements that only one side has, each counted as often as it occurs; blocks that say nothing don't count.
fn surplus(declared: &[Value], live: &[Value]) -> (Vec<usize>, Vec<usize>) {
    let mut open: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, value) in declared.iter().enumerate().rev().filter(|(_, v)| !says_nothing(v)) {
        open.entry(canonical(value)).or_default().push(index);
    }
    let mut live_only = Vec::new();
    for (index, value) in live.iter().enumerate().filter(|(_, v)| !says_nothing(v)) {
        if open.get_mut(&canonical(value)).and_then(Vec::pop).is_none() {
            live_only.push(index);
        }
    }
    let mut declared_only: Vec<usize> = open.into_values().flatten().collect();
    declared_only.sort_by_cached_key(|i| canonical(&declared[*i]));
    live_only.sort_by_cached_key(|i| canonical(&live[*i]));
    (declared_only, live_only)
}

/// Takes elements of a set off both lists that differ only in members of which the live side does not tell.
fn drop_untold(declared: &[Value], live: &[Value], d_only: &mut Vec<usize>, l_only: &mut Vec<usize>) {
    /// Sets are small; past this the quadratic search would cost more than it is worth.
    const MOST: usize = 200;
    if d_only.len() > MOST || l_only.len() > MOST {
        return;
    }
    l_only.retain(|l| {
        let Some(told) = live[*l].as_object() else { return true };
        let wanted = canonical(&live[*l]);
        let twin = d_only.iter().position(|d| {
            declared[*d].as_object().is_some_and(|block| {
                let restricted: Map<String, Value> = block
                    .iter()
                    .filter(|(name, _)| told.contains_key(*name))
                    .map(|(n, v)| (n.clone(), v.clone()))
                    .collect();
                restricted.len() < block.len() && canonical(&Value::Object(restricted)) == wanted
            })
        });
        twin.map(|at| d_only.remove(at)).is_none()
    });
}

fn says_nothing(value: &Value) -> bool {
    (value.is_object() && is_unset(value)) || value.is_null()
}

/// Pairs blocks by the first member that names all of them without repeats. An index past the end stands for "none".
fn paired_by_name(declared: &[Value], live: &[Value]) -> Option<Vec<(usize, usize)>> {
    fn named<'a>(blocks: &'a [Value], by: &str) -> Option<BTreeMap<String, usize>> {
        let mut names = BTreeMap::new();
        for (index, block) in blocks.iter().enumerate() {
            let name: &'a Value = block.get(by).filter(|v| !is_empty(v) && !v.is_object() && !v.is_array())?;
            names.insert(canonical(name), index);
        }
        (names.len() == blocks.len()).then_some(names)
    }
    if declared.len() < 2 && live.len() < 2 {
        return None;
    }
    NAMES.iter().find_map(|by| {
        let (d, l) = (named(declared, by)?, named(live, by)?);
        let mut in_order: Vec<(&String, usize)> = d.iter().map(|(name, index)| (name, *index)).collect();
        in_order.sort_by_key(|(_, index)| *index);
        let mut pairs: Vec<_> =
            in_order.into_iter().map(|(name, index)| (index, l.get(name).copied().unwrap_or(usize::MAX))).collect();
        pairs.extend(l.iter().filter(|(name, _)| !d.contains_key(*name)).map(|(_, index)| (usize::MAX, *index)));
        Some(pairs)
    })
}

fn without(value: &Value, unwanted: fn(&Value) -> bool) -> Value {
    match value {
        Value::Array(items) => items.iter().filter(|i| !unwanted(i)).cloned().collect(),
        other => other.clone(),
    }
}

/// Routes that AWS puts into a table: the local one, and those of gateway endpoints.
fn is_made_by_aws(route: &Value) -> bool {
    let text = |name: &str| route.get(name).and_then(Value::as_str).unwrap_or_default();
    text("gateway_id") == "local"
        || (text("gateway_id").starts_with("vpce-") && !text("destination_prefix_list_id").is_empty())
}

/// The rule that every network ACL ends with.
fn is_last_rule(rule: &Value) -> bool {
    rule.get("rule_no").and_then(|n| n.as_i64().or_else(|| n.as_str()?.parse().ok())).is_some_and(|n| n >= 32767)
}
