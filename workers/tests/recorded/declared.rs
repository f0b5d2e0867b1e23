//! Comparing live properties with a state's attributes: just enough of what `drift` does to judge a reader alone.

use std::collections::BTreeMap;

use drift::live::LiveResource;
use serde_json::{Map, Value};

/// A managed object of a state.
#[derive(Debug)]
pub struct Declared {
    pub provider_type: String,
    pub attributes: Map<String, Value>,
}

impl Declared {
    pub fn text(&self, name: &str) -> &str {
        self.attributes.get(name).and_then(Value::as_str).unwrap_or_default()
    }
}

/// The managed objects of a state whose type begins so.
pub fn of_state(state: &Value, prefixes: &[&str]) -> Vec<Declared> {
    let resources = state["resources"].as_array().unwrap();
    resources
        .iter()
        .filter(|resource| resource["mode"] == "managed")
        .flat_map(|resource| {
            let provider_type = resource["type"].as_str().unwrap();
            let instances = resource["instances"].as_array().unwrap();
            instances.iter().map(move |instance| Declared {
                provider_type: provider_type.to_owned(),
                attributes: instance["attributes"].as_object().unwrap().clone(),
            })
        })
        .filter(|declared| prefixes.iter().any(|prefix| declared.provider_type.starts_with(prefix)))
        .collect()
}

/// The attributes that differ, by name, with both values. An attribute that was not told is not compared; tags are
/// compared with all declared tags.
pub fn differences(declared: &Declared, live: &LiveResource) -> BTreeMap<String, (Value, Value)> {
    let mut differing = BTreeMap::new();
    for (name, value) in &live.properties {
        let wanted = if name == "tags" { "tags_all" } else { name };
        let wanted = declared.attributes.get(wanted);
        assert!(wanted.is_some(), "{} has no attribute {name}", declared.provider_type);
        let wanted = wanted.cloned().unwrap_or_default();
        if meaning(&wanted) != meaning(value) {
            differing.insert(name.clone(), (wanted, value.clone()));
        }
    }
    differing
}

/// One spelling for what means the same: documents parsed, lists sorted, a list of one like its item, and what is not
/// set left out.
fn meaning(value: &Value) -> Value {
    match value {
        Value::String(text) if text.starts_with('{') => {
            serde_json::from_str::<Value>(text).map_or_else(|_| value.clone(), |document| meaning(&document))
        }
        Value::String(text) if text.is_empty() => Value::Null,
        Value::Bool(false) => Value::Null,
        Value::Number(number) if number.as_f64() == Some(0.0) => Value::Null,
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(meaning).filter(|item| !item.is_null()).collect();
            items.sort_by_key(Value::to_string);
            match items.len() {
                0 => Value::Null,
                1 => items.remove(0),
                _ => Value::Array(items),
            }
        }
        Value::Object(members) => {
            let members: Map<String, Value> = members
                .iter()
                .map(|(name, member)| (name.clone(), meaning(member)))
                .filter(|(_, member)| !member.is_null())
                .collect();
            if members.is_empty() { Value::Null } else { Value::Object(members) }
        }
        other => other.clone(),
    }
}
