//! Declared resources that stand for several things of the cloud at once.
//!
//! One `aws_security_group_rule` with three networks is three rules; one `aws_iam_group_membership` is as many memberships
//! as it has users. Such a resource is taken apart into atoms, each of which is a key that one live resource has.

use serde_json::{Map, Value};

use super::key;
use crate::live::{GLOBAL, LiveResource};
use crate::normalise::text;

/// How a declared type is taken apart, and what follows when only some of it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Collective {
    /// The live types that its atoms are.
    pub(crate) live_types: &'static [&'static str],
    /// The attribute that lists the members, where a part of it can be gone. None: a part gone means all gone, as Terraform
    /// sees a rule of which one network was revoked.
    pub(crate) members: Option<&'static str>,
}

const RULE_TYPES: &[&str] = &["aws_vpc_security_group_ingress_rule", "aws_vpc_security_group_egress_rule"];
const MEMBERSHIP: &[&str] = &["aws_iam_user_group_membership"];

/// How this type is taken apart; none for types that are one thing.
pub(crate) fn collective(provider_type: &str) -> Option<Collective> {
    let (live_types, members): (&'static [&'static str], _) = match provider_type {
        "aws_security_group_rule" => (RULE_TYPES, None),
        "aws_iam_user_group_membership" => (MEMBERSHIP, Some("groups")),
        "aws_iam_group_membership" => (MEMBERSHIP, Some("users")),
        "aws_iam_role_policy_attachments_exclusive" => (&["aws_iam_role_policy_attachment"], Some("policy_arns")),
        "aws_iam_role_policies_exclusive" => (&["aws_iam_role_policy"], Some("policy_names")),
        "aws_iam_policy_attachment" => (
            &["aws_iam_role_policy_attachment", "aws_iam_user_policy_attachment", "aws_iam_group_policy_attachment"],
            None,
        ),
        _ => return None,
    };
    Some(Collective { live_types, members })
}

/// The atoms of a declared resource, each with the member it stands for.
pub(crate) fn atoms(provider_type: &str, attributes: &Map<String, Value>) -> Vec<(String, String)> {
    let one = |name: &str| attributes.get(name).and_then(Value::as_str).unwrap_or_default();
    let pairs = |list: &str, pair: &dyn Fn(&str) -> String| {
        strings(attributes.get(list)).into_iter().map(|m| (pair(&m), m)).collect::<Vec<_>>()
    };
    match provider_type {
        "aws_security_group_rule" => rule_atoms(attributes),
        "aws_iam_user_group_membership" => pairs("groups", &|group| membership(one("user"), group)),
        "aws_iam_group_membership" => pairs("users", &|user| membership(user, one("group"))),
        "aws_iam_role_policy_attachments_exclusive" => {
            pairs("policy_arns", &|arn| grant("aws_iam_role_policy_attachment", one("role_name"), arn))
        }
        "aws_iam_role_policies_exclusive" => {
            pairs("policy_names", &|name| grant("aws_iam_role_policy", one("role_name"), name))
        }
        "aws_iam_policy_attachment" => {
            let arn = one("policy_arn");
            [
                ("roles", "aws_iam_role_policy_attachment"),
                ("users", "aws_iam_user_policy_attachment"),
                ("groups", "aws_iam_group_policy_attachment"),
            ]
            .into_iter()
            .flat_map(|(list, kind)| pairs(list, &|owner| grant(kind, owner, arn)))
            .collect()
        }
        _ => Vec::new(),
    }
}

/// The atoms that a live resource is, beside its keys.
pub(crate) fn live_atom(provider_type: &str, properties: &Map<String, Value>) -> Vec<String> {
    let one = |name: &str| properties.get(name).and_then(Value::as_str).unwrap_or_default();
    match provider_type {
        "aws_vpc_security_group_ingress_rule" => rule_atom("ingress", properties).into_iter().collect(),
        "aws_vpc_security_group_egress_rule" => rule_atom("egress", properties).into_iter().collect(),
        "aws_iam_user_group_membership" => {
            strings(properties.get("groups")).iter().map(|group| membership(one("user"), group)).collect()
        }
        _ => Vec::new(),
    }
}

/// A live resource that tells of several things at once, as one for each: a user with all its groups. None if it tells of one.
pub(crate) fn separate(live: &LiveResource) -> Option<Vec<LiveResource>> {
    if live.provider_type != "aws_iam_user_group_membership" {
        return None;
    }
    let groups = strings(live.properties.get("groups"));
    let user = live.properties.get("user").and_then(Value::as_str)?;
    let one = |group: &String| {
        let mut one = live.clone();
        one.provider_resource_id = format!("{user}/{group}");
        one.properties.insert("groups".to_owned(), Value::from(vec![group.as_str()]));
        one
    };
    (groups.len() > 1).then(|| groups.iter().map(one).collect())
}

fn membership(user: &str, group: &str) -> String {
    key("aws_iam_user_group_membership", "", &format!("{user}\u{1f}{group}"))
}

/// The key that [`super::Subject`] gives to an attachment or inline policy.
fn grant(kind: &str, owner: &str, what: &str) -> String {
    debug_assert!(crate::region::is_global(kind), "IAM is {GLOBAL}");
    key(kind, "", &format!("{owner}\u{1f}{what}"))
}

fn strings(value: Option<&Value>) -> Vec<String> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn rule_atoms(attributes: &Map<String, Value>) -> Vec<(String, String)> {
    let one = |name: &str| attributes.get(name).and_then(Value::as_str).unwrap_or_default();
    let group = one("security_group_id");
    let mut peers: Vec<String> = ["cidr_blocks", "ipv6_cidr_blocks", "prefix_list_ids"]
        .into_iter()
        .flat_map(|name| strings(attributes.get(name)))
        .collect();
    let source = one("source_security_group_id");
    if !source.is_empty() {
        peers.push(source.rsplit('/').next().unwrap_or(source).to_owned());
    }
    if attributes.get("self").and_then(Value::as_bool) == Some(true) {
        peers.push(group.to_owned());
    }
    let ports = Ports::of(one("protocol"), attributes.get("from_port"), attributes.get("to_port"));
    peers.into_iter().map(|peer| (atom(one("type"), group, &ports, &peer), peer)).collect()
}

fn rule_atom(direction: &str, properties: &Map<String, Value>) -> Option<String> {
    let one = |name: &str| properties.get(name).and_then(Value::as_str).filter(|v| !v.is_empty());
    let peer =
        ["cidr_ipv4", "cidr_ipv6", "prefix_list_id", "referenced_security_group_id"].into_iter().find_map(one)?;
    let ports = Ports::of(one("ip_protocol")?, properties.get("from_port"), properties.get("to_port"));
    Some(atom(
        direction,
        one("security_group_id")?,
        &ports,
        peer.rsplit('/').next().filter(|p| p.starts_with("sg-")).unwrap_or(peer),
    ))
}

/// Protocol and port range, spelled one way. All protocols have no ports.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ports {
    /// Name, or number where there is none; `-1` for all.
    pub(crate) protocol: String,
    /// First port or ICMP type.
    pub(crate) from: i64,
    /// Last port or ICMP code.
    pub(crate) to: i64,
}

impl Ports {
    /// From attributes as either shape of rule has them.
    pub(crate) fn of(protocol: &str, from: Option<&Value>, to: Option<&Value>) -> Self {
        let protocol = text::protocol(protocol).to_ascii_lowercase();
        let number = |v: Option<&Value>| v.and_then(|v| v.as_i64().or_else(|| v.as_str()?.parse().ok()));
        let (from, to) = match protocol.as_str() {
            "-1" => (0, 0),
            _ => (number(from).unwrap_or(-1), number(to).unwrap_or(-1)),
        };
        Self { protocol, from, to }
    }
}

/// The atom of one permission, wherever it is written.
pub(crate) fn atom(direction: &str, group: &str, ports: &Ports, peer: &str) -> String {
    key(
        "aws_security_group_rule",
        "",
        &format!("{direction}\u{1f}{group}\u{1f}{}\u{1f}{}\u{1f}{}\u{1f}{peer}", ports.protocol, ports.from, ports.to),
    )
}
