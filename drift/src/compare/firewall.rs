//! Rules inside a security group: `ingress` and `egress`.
//!
//! Terraform keeps them grouped as the configuration wrote them, the API groups them by protocol and port. So both are taken
//! apart into single permissions, and what is left over is put together again as rules in Terraform's shape.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::report::Change;
use crate::identity::Ports;

/// Lists of peers in a rule, in the order in which they are put together again.
const PEERS: &[&str] = &["cidr_blocks", "ipv6_cidr_blocks", "prefix_list_ids", "security_groups"];
const SELF: &str = "self";

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Permission {
    ports: Ports,
    description: String,
    list: &'static str,
    peer: String,
}

/// The difference of one direction, if any.
pub(super) fn difference(direction: &str, group: &str, declared: &Value, live: &Value) -> Option<Change> {
    let (d, l) = (permissions(declared, group), permissions(live, group));
    if d == l {
        return None;
    }
    let only = |a: &BTreeSet<Permission>, b: &BTreeSet<Permission>| rules(a.difference(b));
    Some(Change { path: direction.to_owned(), declared: only(&d, &l), live: only(&l, &d), sensitive: false })
}

fn permissions(rules: &Value, group: &str) -> BTreeSet<Permission> {
    let mut out = BTreeSet::new();
    for rule in rules.as_array().into_iter().flatten().filter_map(Value::as_object) {
        let text = |name: &str| rule.get(name).and_then(Value::as_str).unwrap_or_default();
        let ports = Ports::of(text("protocol"), rule.get("from_port"), rule.get("to_port"));
        let mut add = |list, peer: &str| {
            out.insert(Permission {
                ports: ports.clone(),
                description: text("description").to_owned(),
                list,
                peer: peer.to_owned(),
            });
        };
        for list in PEERS {
            for peer in rule.get(*list).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
                // A peer may be written `account/sg-…`; the group itself is written `self`.
                let peer = if *list == "security_groups" { peer.rsplit('/').next().unwrap_or(peer) } else { peer };
                if peer == group { add(SELF, "") } else { add(list, peer) }
            }
        }
        if rule.get(SELF).is_some_and(|s| *s == Value::Bool(true) || s.as_str() == Some("true")) {
            add(SELF, "");
        }
    }
    out
}

fn rules<'a>(permissions: impl Iterator<Item = &'a Permission>) -> Value {
    let mut grouped: BTreeMap<(&Ports, &str), Vec<&Permission>> = BTreeMap::new();
    for permission in permissions {
        grouped.entry((&permission.ports, &permission.description)).or_default().push(permission);
    }
    grouped
        .into_iter()
        .map(|((ports, description), members)| {
            let mut rule = Map::new();
            for list in PEERS {
                rule.insert(
                    (*list).to_owned(),
                    members.iter().filter(|p| p.list == *list).map(|p| Value::from(p.peer.as_str())).collect(),
                );
            }
            rule.insert("description".to_owned(), json!(description));
            rule.insert("from_port".to_owned(), json!(ports.from));
            rule.insert("protocol".to_owned(), json!(ports.protocol));
            rule.insert(SELF.to_owned(), json!(members.iter().any(|p| p.list == SELF)));
            rule.insert("to_port".to_owned(), json!(ports.to));
            Value::Object(rule)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(port: u16, cidrs: &[&str], description: &str) -> Value {
        json!({"cidr_blocks": cidrs, "description": description, "from_port": port, "ipv6_cidr_blocks": [], "prefix_list_ids": [],
            "protocol": "tcp", "security_groups": [], "self": false, "to_port": port})
    }

    #[test]
    fn grouping_does_not_count() {
        let declared = json!([rule(443, &["a"], ""), rule(443, &["b"], "")]);
        let live = json!([{"cidr_blocks": ["b", "a"], "description": null, "from_port": "443", "protocol": "6", "to_port": 443}]);
        assert_eq!(difference("ingress", "sg-1", &declared, &live), None);
        assert_eq!(difference("ingress", "sg-1", &json!([]), &Value::Null), None);
    }

    #[test]
    fn only_the_surplus_is_told() {
        let declared = json!([rule(443, &["a"], "")]);
        let live = json!([rule(443, &["a", "b"], ""), rule(22, &["c"], "by hand")]);
        let change = difference("ingress", "sg-1", &declared, &live).unwrap();
        assert_eq!(change.declared, json!([]));
        assert_eq!(change.live, json!([rule(22, &["c"], "by hand"), rule(443, &["b"], "")]));
    }

    #[test]
    fn a_group_that_names_itself_is_self() {
        let declared = json!([{"protocol": "-1", "from_port": 0, "to_port": 0, "self": true}]);
        let live =
            json!([{"protocol": "-1", "from_port": null, "to_port": null, "security_groups": ["123456789012/sg-1"]}]);
        assert_eq!(difference("egress", "sg-1", &declared, &live), None);
    }

    #[test]
    fn another_description_is_a_change() {
        let change =
            difference("ingress", "sg-1", &json!([rule(1, &["a"], "x")]), &json!([rule(1, &["a"], "y")])).unwrap();
        assert_eq!((change.declared, change.live), (json!([rule(1, &["a"], "x")]), json!([rule(1, &["a"], "y")])));
    }
}
