//! Tags: what the resource declares, what the provider's default tags add, and what the cloud shows.
//!
//! A state has the resource's own tags in `tags` and all of them in `tags_all`; the cloud knows only "all". A tag that
//! differs is `tags.KEY`; only a default tag that is gone is `tags_all.KEY`, because that is where Terraform sees it. Tags that start with
//! `aws:` are AWS's own.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::report::Change;
use crate::normalise::{path, same_scalar};
use crate::sensitive::{self, SensitiveKey};

type Tags<'a> = BTreeMap<&'a str, &'a Value>;

/// The tags that differ. Nothing if one side knows no tags.
pub(super) fn differences(declared: &Map<String, Value>, live: &Map<String, Value>, key: &SensitiveKey) -> Vec<Change> {
    let (Some(own), Some(shown)) = (read(declared, &["tags"]), read(live, &["tags_all", "tags"])) else {
        return Vec::new();
    };
    let all = read(declared, &["tags_all", "tags"]).unwrap_or_default();
    let keys: BTreeSet<&str> = all.keys().chain(shown.keys()).copied().collect();
    let mut changes = Vec::new();
    for name in keys {
        let (d, l) = (all.get(name).copied(), shown.get(name).copied());
        let hash = d.and_then(sensitive::sealed);
        let same = match (d, l) {
            (Some(d), Some(l)) => hash.map_or_else(|| same_scalar(d, l, "", ""), |h| h == key.hash(l)),
            _ => false,
        };
        if same {
            continue;
        }
        let mut at = path::root(if own.contains_key(name) || l.is_some() { "tags" } else { "tags_all" });
        path::push_key(&mut at, name);
        let show = |v: Option<&Value>| if hash.is_some() { Value::Null } else { v.cloned().unwrap_or_default() };
        changes.push(Change { path: at, declared: show(d), live: show(l), sensitive: hash.is_some() });
    }
    changes
}

/// The union of the named maps, the later ones winning; none if none of them is there.
fn read<'a>(attributes: &'a Map<String, Value>, names: &[&str]) -> Option<Tags<'a>> {
    let mut tags = Tags::new();
    let mut found = false;
    for name in names {
        match attributes.get(*name) {
            Some(Value::Object(map)) => {
                found = true;
                tags.extend(
                    map.iter().filter(|(k, v)| !k.starts_with("aws:") && !v.is_null()).map(|(k, v)| (k.as_str(), v)),
                );
            }
            Some(Value::Null) => found = true,
            _ => {}
        }
    }
    found.then_some(tags)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn paths(declared: &Value, live: &Value) -> Vec<String> {
        let key = SensitiveKey::new([0; 32]);
        differences(declared.as_object().unwrap(), live.as_object().unwrap(), &key)
            .into_iter()
            .map(|c| c.path)
            .collect()
    }

    #[test]
    fn default_tags_are_declared_too() {
        let declared = json!({"tags": {"Name": "a"}, "tags_all": {"Name": "a", "Team": "x"}});
        assert!(paths(&declared, &json!({"tags": {"Name": "a", "Team": "x"}})).is_empty());
        assert!(paths(&declared, &json!({"tags": {"Name": "a"}, "tags_all": {"Name": "a", "Team": "x"}})).is_empty());
        assert_eq!(paths(&declared, &json!({"tags": {"Name": "a"}})), ["tags_all.Team"]);
        assert_eq!(paths(&declared, &json!({"tags": {"Name": "a", "Team": "y"}})), ["tags.Team"]);
        assert_eq!(
            paths(&declared, &json!({"tags": {"Team": "x", "Extra": "1", "aws:cloudformation:stack-name": "s"}})),
            ["tags.Extra", "tags.Name"]
        );
    }

    #[test]
    fn a_state_just_applied_has_null_for_no_tags() {
        let declared = json!({"tags": null, "tags_all": {"Team": "x"}});
        assert!(paths(&declared, &json!({"tags": {"Team": "x"}})).is_empty());
        assert!(paths(&json!({"tags": null, "tags_all": {}}), &json!({"tags": {}})).is_empty());
        assert_eq!(paths(&declared, &json!({"tags": {"Team": "x", "a.b": ""}})), [r#"tags["a.b"]"#]);
    }

    #[test]
    fn a_reader_that_knows_no_tags_says_nothing_about_them() {
        assert!(paths(&json!({"tags": {"Name": "a"}}), &json!({})).is_empty());
        assert!(paths(&json!({}), &json!({"tags": {"Name": "a"}})).is_empty());
    }

    #[test]
    fn a_sensitive_tag_is_compared_and_not_shown() {
        let key = SensitiveKey::new([0; 32]);
        let declared = json!({"tags": {"Pin": key.seal(&json!("1234"))}});
        let live = |pin: &str| json!({"tags": {"Pin": pin}});
        assert!(differences(declared.as_object().unwrap(), live("1234").as_object().unwrap(), &key).is_empty());
        let changes = differences(declared.as_object().unwrap(), live("9").as_object().unwrap(), &key);
        assert_eq!(
            changes,
            [Change { path: "tags.Pin".into(), declared: Value::Null, live: Value::Null, sensitive: true }]
        );
    }
}
