//! From an instance's raw members to a declared resource.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::address;
use crate::declared::{DeclaredResource, Status};
use crate::normalise::{self, path};
use crate::region;
use crate::sensitive::{self, SensitiveKey};

/// What a resource block says about all its instances.
#[derive(Debug, Default)]
pub(super) struct Head {
    pub(super) module: Option<String>,
    pub(super) mode: Option<String>,
    pub(super) provider_type: Option<String>,
    pub(super) name: Option<String>,
    pub(super) provider: Option<String>,
}

/// An instance as it stands in the file.
#[derive(Debug, Default)]
pub(super) struct RawInstance {
    pub(super) index_key: Option<Value>,
    pub(super) status: Option<Value>,
    pub(super) deposed: Option<Value>,
    pub(super) provider: Option<Value>,
    pub(super) attributes: Option<Value>,
    pub(super) attributes_flat: Option<Value>,
    pub(super) sensitive_attributes: Option<Value>,
}

impl Head {
    /// The address as far as it is known.
    pub(super) fn address(&self) -> String {
        address::resource(
            self.module.as_deref(),
            self.provider_type.as_deref().unwrap_or("?"),
            self.name.as_deref().unwrap_or("?"),
        )
    }
}

/// Makes a declared resource of an instance, or says why it cannot be one: address and reason.
pub(super) fn declare(
    head: &Head,
    raw: RawInstance,
    key: &SensitiveKey,
) -> Result<DeclaredResource, (String, &'static str)> {
    let wrong = |reason| (head.address(), reason);
    let provider_type =
        head.provider_type.as_deref().filter(|t| !t.is_empty()).ok_or_else(|| wrong("it has no type"))?;
    let name = head.name.as_deref().filter(|n| !n.is_empty()).ok_or_else(|| wrong("it has no name"))?;
    let address = address::instance(head.module.as_deref(), provider_type, name, raw.index_key.as_ref())
        .ok_or_else(|| wrong("its index key is neither a number nor a string"))?;
    let mut attributes = match (raw.attributes, raw.attributes_flat) {
        (Some(Value::Object(attributes)), _) => attributes,
        (None | Some(Value::Null), Some(Value::Object(flat))) => unflatten(&flat),
        (None | Some(Value::Null), None | Some(Value::Null)) => return Err((address, "it has no attributes")),
        _ => return Err((address, "its attributes are not an object")),
    };
    let mut sensitive_paths = Vec::new();
    for steps in raw.sensitive_attributes.as_ref().and_then(Value::as_array).into_iter().flatten() {
        seal_path(&mut attributes, steps, key, &mut sensitive_paths);
    }
    sensitive::seal_known(provider_type, &mut attributes, key, &mut sensitive_paths);
    sensitive_paths.sort();
    sensitive_paths.dedup();
    let text = |name: &str| match attributes.get(name) {
        Some(Value::String(s)) if !s.is_empty() => Some(s.clone()),
        Some(Value::Number(n)) => Some(n.to_string()),
        _ => None,
    };
    let status = match (&raw.deposed, &raw.status) {
        (Some(Value::String(key)), _) if !key.is_empty() => Status::Deposed(key.clone()),
        (_, Some(Value::String(word))) if word == "tainted" => Status::Tainted,
        _ => Status::Ready,
    };
    let address = match &status {
        Status::Deposed(key) => format!("{address} (deposed object {key})"),
        _ => address,
    };
    // OpenTofu names the provider with each instance where it differs by key.
    let provider = raw.provider.as_ref().and_then(Value::as_str).or(head.provider.as_deref()).unwrap_or_default();
    Ok(DeclaredResource {
        address,
        provider_type: provider_type.to_owned(),
        provider: address::provider(provider),
        provider_resource_id: text("id"),
        arn: text("arn").filter(|a| a.starts_with("arn:")),
        region: region::of_attributes(provider_type, &attributes),
        attributes,
        sensitive_paths,
        status,
    })
}

/// Replaces what a path of `sensitive_attributes` leads to. Where it cannot be followed (into a set), all that was reached is
/// replaced: rather too much hidden than too little.
fn seal_path(attributes: &mut Map<String, Value>, steps: &Value, key: &SensitiveKey, paths: &mut Vec<String>) {
    let Some((first, rest)) = steps.as_array().and_then(|s| s.split_first()) else { return };
    let Some(name) = step_name(first) else { return };
    let Some(value) = attributes.get_mut(name) else { return };
    seal_below(value, rest, path::root(name), key, paths);
}

fn seal_below(value: &mut Value, steps: &[Value], mut at: String, key: &SensitiveKey, paths: &mut Vec<String>) {
    if let Some((step, rest)) = steps.split_first() {
        let inner = match &mut *value {
            Value::Object(map) => step_name(step).and_then(|name| {
                let inner = map.get_mut(name)?;
                path::push_key(&mut at, name);
                Some(inner)
            }),
            Value::Array(items) => step_index(step).and_then(|index| {
                let inner = items.get_mut(index)?;
                path::push_index(&mut at, index);
                Some(inner)
            }),
            _ => None,
        };
        if let Some(inner) = inner {
            return seal_below(inner, rest, at, key, paths);
        }
    }
    if normalise::is_empty(value) {
        // Nothing to hide today; the live value of the path is hidden all the same.
        paths.push(at);
    } else {
        sensitive::seal_at(value, key, &at, paths);
    }
}

/// The name in a step: `{"type":"get_attr","value":"a"}` or `{"type":"index","value":{"value":"a","type":"string"}}`.
fn step_name(step: &Value) -> Option<&str> {
    let value = step.get("value")?;
    value.as_str().or_else(|| value.get("value")?.as_str())
}

fn step_index(step: &Value) -> Option<usize> {
    let value = step.get("value")?;
    let number = value.as_u64().or_else(|| value.get("value")?.as_u64())?;
    usize::try_from(number).ok()
}

/// Attributes of the flat form that Terraform 0.11's providers left behind: `tags.%`, `tags.Name`, `ingress.#`,
/// `ingress.123.from_port`.
fn unflatten(flat: &Map<String, Value>) -> Map<String, Value> {
    let keys: BTreeMap<&str, &Value> = flat.iter().map(|(k, v)| (k.as_str(), v)).collect();
    let mut out = Map::new();
    for key in keys.keys() {
        let name = key.split('.').next().unwrap_or(key);
        if !out.contains_key(name) {
            out.insert(name.to_owned(), expand(&keys, name));
        }
    }
    out
}

fn expand(keys: &BTreeMap<&str, &Value>, name: &str) -> Value {
    let below = format!("{name}.");
    let members =
        || keys.range(below.as_str()..).take_while(|(k, _)| k.starts_with(&below)).map(|(k, _)| &k[below.len()..]);
    if keys.contains_key(format!("{name}.#").as_str()) {
        let mut indices: Vec<&str> =
            members().filter(|k| *k != "#").map(|k| k.split('.').next().unwrap_or(k)).collect();
        indices.sort_by_key(|i| i.parse::<u64>().unwrap_or(u64::MAX));
        indices.dedup();
        return indices.into_iter().map(|index| expand(keys, &format!("{below}{index}"))).collect();
    }
    if keys.contains_key(format!("{name}.%").as_str()) {
        return members()
            .filter(|k| *k != "%")
            .map(|key| (key.to_owned(), keys[format!("{below}{key}").as_str()].clone()))
            .collect();
    }
    if let Some(value) = keys.get(name) {
        return (*value).clone();
    }
    let mut block = Map::new();
    for key in members() {
        let member = key.split('.').next().unwrap_or(key);
        if !block.contains_key(member) {
            block.insert(member.to_owned(), expand(keys, &format!("{below}{member}")));
        }
    }
    Value::Object(block)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn flat_attributes_regain_their_shape() {
        let flat = json!({"id": "sg-1", "tags.%": "2", "tags.Name": "a", "tags.a.b": "c", "ingress.#": "2", "ingress.10.from_port": "80",
            "ingress.10.cidr_blocks.#": "1", "ingress.10.cidr_blocks.0": "x", "ingress.9.from_port": "22", "ingress.9.cidr_blocks.#": "0"});
        assert_eq!(
            Value::Object(unflatten(flat.as_object().unwrap())),
            json!({"id": "sg-1", "tags": {"Name": "a", "a.b": "c"},
                "ingress": [{"from_port": "22", "cidr_blocks": []}, {"from_port": "80", "cidr_blocks": ["x"]}]})
        );
    }

    #[test]
    fn sensitive_paths_are_followed_as_far_as_they_lead() {
        let key = SensitiveKey::new([1; 32]);
        let head = Head { provider_type: Some("aws_x".into()), name: Some("n".into()), ..Head::default() };
        let raw = RawInstance {
            attributes: Some(
                json!({"id": "1", "a": [{"b": "s1", "c": 1}], "m": {"k.x": "s2"}, "set": [{"p": "s3"}], "none": null}),
            ),
            sensitive_attributes: Some(json!([
                [{"type": "get_attr", "value": "a"}, {"type": "index", "value": {"value": 0, "type": "number"}}, {"type": "get_attr", "value": "b"}],
                [{"type": "get_attr", "value": "m"}, {"type": "index", "value": {"value": "k.x", "type": "string"}}],
                [{"type": "get_attr", "value": "set"}, {"type": "index", "value": {"value": {"p": "s3"}, "type": ["object", {"p": "string"}]}}, {"type": "get_attr", "value": "p"}],
                [{"type": "get_attr", "value": "none"}],
                [{"type": "get_attr", "value": "absent"}],
                "nonsense"
            ])),
            ..RawInstance::default()
        };
        let declared = declare(&head, raw, &key).unwrap();
        assert_eq!(declared.sensitive_paths, ["a[0].b", r#"m["k.x"]"#, "none", "set"]);
        let text = serde_json::to_string(&declared).unwrap();
        assert!(!text.contains("\"s1\"") && !text.contains("\"s2\"") && !text.contains("\"s3\""), "{text}");
    }
}
