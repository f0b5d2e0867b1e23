//! What makes a declared and a live resource the same one.
//!
//! A resource has one or more keys: type, region where it matters, and an identifying value. Two resources are the
//! same if they share a key. The region matters where ids are names; it does not where the id is unique anyway (`vpc-…`, ARNs), or the
//! service is global, or the name is (buckets).

mod collective;
mod table;

use std::borrow::Cow;

use serde_json::{Map, Value};

pub(crate) use collective::{Ports, atom as rule_atom_of, atoms, collective, live_atom, separate};

use crate::normalise::text;
use crate::region;

/// The type under which resources of this type are matched: `aws_vpc` for `aws_default_vpc`.
#[must_use]
pub fn canonical_type(provider_type: &str) -> &str {
    table::ALIASES.iter().find(|(alias, _)| *alias == provider_type).map_or(provider_type, |(_, canonical)| canonical)
}

/// What identifies one resource.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Terraform's type, in any spelling.
    pub provider_type: &'a str,
    /// Terraform's or the cloud's id.
    pub id: Option<&'a str>,
    /// The resource's ARN.
    pub arn: Option<&'a str>,
    /// The region, where known.
    pub region: Option<&'a str>,
    /// Attributes, as many as are known.
    pub attributes: &'a Map<String, Value>,
}

impl Subject<'_> {
    /// The resource's keys, the most telling first, without repeats.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        let kind = canonical_type(self.provider_type);
        let mut keys = Vec::with_capacity(3);
        let mut add = |value: &str| {
            if value.is_empty() {
                return;
            }
            let key = self.key(kind, value);
            if !keys.contains(&key) {
                keys.push(key);
            }
        };
        if let Some(value) = self.composite(kind) {
            add(&value);
            return keys;
        }
        if let Some(id) = self.id {
            add(&canonical_id(kind, id));
        }
        if !table::FOREIGN_ARN.contains(&kind) {
            let own = self.attributes.get("arn").and_then(Value::as_str);
            if let Some(arn) = self.arn.or(own) {
                add(&canonical_id(kind, arn));
            }
        }
        if let Some(value) = self.pending_subscription(kind) {
            add(&value);
        }
        for name in lookup(table::ALSO, kind).unwrap_or_default() {
            if let Some(value) = self.attributes.get(*name).and_then(Value::as_str) {
                add(&canonical_id(kind, value));
            }
        }
        keys
    }

    /// The identifying value made of attributes, for types whose id says nothing.
    fn composite(&self, kind: &str) -> Option<String> {
        if kind == "aws_route" {
            return self.route();
        }
        if table::ONE_PER_BUCKET.contains(&kind) {
            return self.attributes.get("bucket").and_then(Value::as_str).map(|b| canonical_id(kind, b).into_owned());
        }
        let names = lookup(table::COMPOSITE, kind)?;
        let mut parts = Vec::with_capacity(names.len());
        for name in names {
            let given = self.attribute(kind, name);
            let value = match given {
                Some(value) => value,
                None => Cow::Borrowed(lookup(table::OPTIONAL, name)?),
            };
            parts.push(match (kind, *name) {
                ("aws_route53_record", "fqdn") => text::domain(&value),
                ("aws_route53_record" | "aws_route53_zone_association", "zone_id") => zone(&value).to_owned(),
                (_, "function_name") => function(&value).to_owned(),
                _ => value.into_owned(),
            });
        }
        Some(parts.join("\u{1f}"))
    }

    fn route(&self) -> Option<String> {
        let text = |name: &str| self.attributes.get(name).and_then(Value::as_str).filter(|v| !v.is_empty());
        let destination = ["destination_cidr_block", "destination_ipv6_cidr_block", "destination_prefix_list_id"]
            .into_iter()
            .find_map(text)?;
        Some(format!("{}\u{1f}{}", text("route_table_id")?, network(destination)))
    }

    fn attribute(&self, kind: &str, name: &str) -> Option<Cow<'_, str>> {
        let given = |name: &str| self.attributes.get(name).and_then(scalar).filter(|v| !v.is_empty());
        match (kind, name) {
            // Terraform's `name` may be relative to the zone, and is empty for the zone's own name.
            ("aws_route53_record", "fqdn") => given("fqdn").or_else(|| given("name")),
            _ => given(name),
        }
    }

    /// What identifies a subscription that nobody has confirmed yet: SNS lists it without its ARN.
    fn pending_subscription(&self, kind: &str) -> Option<String> {
        let is_pending = self.attributes.get("pending_confirmation").and_then(scalar).is_some_and(|v| v == "true");
        if kind != "aws_sns_topic_subscription" || !is_pending {
            return None;
        }
        let parts = ["topic_arn", "protocol", "endpoint"].map(|name| self.attribute(kind, name));
        let parts: Option<Vec<_>> = parts.into_iter().collect();
        Some(parts?.join("\u{1f}"))
    }

    fn key(&self, kind: &str, value: &str) -> String {
        let region = if is_unique(kind, value) { "" } else { self.region.unwrap_or_default() };
        key(kind, region, value)
    }
}

/// A key as it is looked up; the empty region stands for "any".
#[must_use]
pub(crate) fn key(kind: &str, region: &str, value: &str) -> String {
    let mut key = String::with_capacity(kind.len() + region.len() + value.len() + 2);
    for (n, part) in [kind, region, value].into_iter().enumerate() {
        if n > 0 {
            key.push('\u{1e}');
        }
        key.push_str(part);
    }
    key
}

/// The same key in any region, for declared objects whose region nobody knows. None if it holds no region.
pub(crate) fn anywhere(key: &str) -> Option<String> {
    let mut parts = key.splitn(3, '\u{1e}');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(kind), Some(region), Some(value)) if !region.is_empty() => Some(self::key(kind, "", value)),
        _ => None,
    }
}

/// Whether two resources that share a name are proven to be different ones.
#[must_use]
pub(crate) fn contradicts(kind: &str, declared: &Map<String, Value>, live: &Map<String, Value>) -> bool {
    let Some(name) = lookup(table::DECISIVE, kind) else { return false };
    let text =
        |map: &Map<String, Value>| map.get(name).and_then(Value::as_str).filter(|v| !v.is_empty()).map(str::to_owned);
    text(declared).zip(text(live)).is_some_and(|(d, l)| d != l)
}

/// Whether the value means one resource wherever it lives.
fn is_unique(kind: &str, value: &str) -> bool {
    region::is_global(kind) || kind.starts_with("aws_s3_bucket") || value.starts_with("arn:") || is_ec2_id(value)
}

/// Ids that EC2 hands out: seventeen hex digits after the last dash (`vpc-…`, `tgw-attach-…`), or the older eight, those only after prefixes that
/// EC2 used then, because a name may well end like one.
fn is_ec2_id(value: &str) -> bool {
    const SHORT: &[&str] = &[
        "acl", "ami", "dopt", "eipalloc", "eipassoc", "eni", "i", "igw", "rtb", "rtbassoc", "sg", "snap", "subnet",
        "vgw", "vol", "vpc", "vpce",
    ];
    value.rsplit_once('-').is_some_and(|(head, digits)| {
        digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
            && match digits.len() {
                8 => SHORT.contains(&head),
                17 => !head.is_empty() && head.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'),
                _ => false,
            }
    })
}

fn canonical_id<'a>(kind: &str, id: &'a str) -> Cow<'a, str> {
    if kind.starts_with("aws_sqs_") && id.contains("://") {
        return text::queue(id).map_or(Cow::Borrowed(id), Cow::Borrowed);
    }
    match kind {
        "aws_cloudwatch_log_group" => {
            return Cow::Borrowed(id.split_once(":log-group:").map_or(id, |(_, name)| name).trim_end_matches(":*"));
        }
        // The function in the id may be a name or an ARN, as it was written.
        "aws_lambda_function_event_invoke_config" | "aws_lambda_function_url" => {
            return Cow::Borrowed(id.split_once(":function:").map_or(id, |(_, rest)| rest));
        }
        "aws_route53_zone" => return Cow::Borrowed(zone(id)),
        "aws_s3_bucket_policy" | "aws_s3_bucket" if id.starts_with("arn:") => {
            return Cow::Borrowed(id.rsplit(':').next().unwrap_or(id));
        }
        _ => {}
    }
    if table::ONE_PER_BUCKET.contains(&kind) {
        return Cow::Borrowed(id.split(',').next().unwrap_or(id));
    }
    if table::LOWER_CASE.iter().any(|p| kind.starts_with(p)) && id.bytes().any(|b| b.is_ascii_uppercase()) {
        return Cow::Owned(id.to_ascii_lowercase());
    }
    Cow::Borrowed(id)
}

fn zone(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or(id)
}

/// A function's name, of a name or an ARN, without its qualifier.
fn function(name: &str) -> &str {
    name.split_once(":function:").map_or(name, |(_, rest)| rest.split(':').next().unwrap_or(rest))
}

fn network(cidr: &str) -> String {
    let (address, length) = cidr.split_once('/').unwrap_or((cidr, ""));
    match address.parse::<std::net::Ipv6Addr>() {
        Ok(address) => format!("{address}/{length}"),
        Err(_) => cidr.to_owned(),
    }
}

fn scalar(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(s) => Some(Cow::Borrowed(s)),
        Value::Number(n) => Some(Cow::Owned(crate::normalise::number(n))),
        Value::Bool(b) => Some(Cow::Borrowed(if *b { "true" } else { "false" })),
        _ => None,
    }
}

fn lookup<T: Copy>(table: &[(&str, T)], name: &str) -> Option<T> {
    table.iter().find(|(n, _)| *n == name).map(|(_, value)| *value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn keys(provider_type: &str, id: &str, region: Option<&str>, attributes: &Value) -> Vec<String> {
        Subject { provider_type, id: Some(id), arn: None, region, attributes: attributes.as_object().unwrap() }.keys()
    }

    fn same(provider_type: &str, declared: (&str, &Value), live: (&str, &Value)) -> bool {
        let declared = keys(provider_type, declared.0, Some("eu-west-1"), declared.1);
        keys(provider_type, live.0, Some("eu-west-1"), live.1).iter().any(|k| declared.contains(k))
    }

    #[test]
    fn adapters() {
        let none = json!({});
        for (provider_type, declared, live) in [
            ("aws_sqs_queue", ("https://sqs.eu-west-1.amazonaws.com/1/q", &none), ("http://127.0.0.1:5000/1/q", &none)),
            (
                "aws_iam_role_policy_attachment",
                ("app-2026", &json!({"role": "app", "policy_arn": "a"})),
                ("app/a", &json!({"role": "app", "policy_arn": "a"})),
            ),
            ("aws_db_instance", ("db-ABC", &json!({"identifier": "main"})), ("main", &none)),
            ("aws_cloudwatch_log_group", ("/a/b", &none), ("arn:aws:logs:eu-west-1:1:log-group:/a/b:*", &none)),
            ("aws_s3_bucket_acl", ("b,private", &json!({"bucket": "b"})), ("b", &json!({"bucket": "b"}))),
            ("aws_s3_bucket_versioning", ("b,123456789012", &none), ("b", &none)),
            ("aws_default_vpc", ("vpc-1", &none), ("vpc-1", &none)),
            ("aws_route53_zone", ("Z1", &none), ("/hostedzone/Z1", &none)),
            (
                "aws_route53_record",
                ("Z1_www_A", &json!({"zone_id": "Z1", "name": "www", "fqdn": "www.a.net", "type": "A"})),
                (
                    "Z1_www.a.net_A",
                    &json!({"zone_id": "/hostedzone/Z1", "name": "WWW.a.net.", "type": "A", "set_identifier": ""}),
                ),
            ),
            (
                "aws_route53_record",
                ("Z1__TXT", &json!({"zone_id": "Z1", "name": "", "fqdn": "a.net", "type": "TXT"})),
                ("Z1_a.net_TXT", &json!({"zone_id": "Z1", "fqdn": "a.net", "type": "TXT"})),
            ),
            (
                "aws_cloudwatch_log_metric_filter",
                ("errors", &json!({"log_group_name": "/a", "name": "errors"})),
                ("/a:errors", &json!({"log_group_name": "/a", "name": "errors"})),
            ),
            (
                "aws_sns_topic_subscription",
                (
                    "arn:aws:sns:eu-west-1:1:t:6f1c",
                    &json!({"topic_arn": "arn:aws:sns:eu-west-1:1:t", "protocol": "email", "endpoint": "a@b.net",
                        "pending_confirmation": true}),
                ),
                (
                    "arn:aws:sns:eu-west-1:1:t:PendingConfirmation:email:a@b.net",
                    &json!({"topic_arn": "arn:aws:sns:eu-west-1:1:t", "protocol": "email", "endpoint": "a@b.net",
                        "pending_confirmation": true}),
                ),
            ),
            ("aws_lambda_function_url", ("arn:aws:lambda:eu-west-1:1:function:f/live", &none), ("f/live", &none)),
            (
                "aws_route",
                (
                    "r-rtb-11080289494",
                    &json!({"route_table_id": "rtb-1", "destination_cidr_block": "", "destination_ipv6_cidr_block": "::/0"}),
                ),
                ("rtb-1_::/0", &json!({"route_table_id": "rtb-1", "destination_ipv6_cidr_block": "0:0::/0"})),
            ),
            (
                "aws_lambda_permission",
                (
                    "stmt",
                    &json!({"function_name": "arn:aws:lambda:eu-west-1:1:function:f", "statement_id": "stmt", "qualifier": null}),
                ),
                ("f/stmt", &json!({"function_name": "f", "statement_id": "stmt"})),
            ),
        ] {
            assert!(same(provider_type, declared, live), "{provider_type} {declared:?} {live:?}");
        }
    }

    #[test]
    fn names_of_two_regions_are_two_resources_and_unique_ids_are_one() {
        let none = json!({});
        let of = |t, id, region| keys(t, id, Some(region), &none);
        assert_ne!(
            of("aws_sqs_queue", "https://x/1/q", "eu-west-1"),
            of("aws_sqs_queue", "https://x/1/q", "us-east-1")
        );
        assert_ne!(of("aws_cloudwatch_log_group", "g", "eu-west-1"), of("aws_cloudwatch_log_group", "g", "us-east-1"));
        assert_eq!(
            of("aws_vpc", "vpc-0123456789abcdef0", "eu-west-1"),
            of("aws_vpc", "vpc-0123456789abcdef0", "us-east-1")
        );
        assert_eq!(of("aws_s3_bucket", "b", "eu-west-1"), of("aws_s3_bucket", "b", "us-east-1"));
        assert_ne!(
            of("aws_dynamodb_table", "orders-12345678", "eu-west-1"),
            of("aws_dynamodb_table", "orders-12345678", "us-east-1")
        );
    }

    #[test]
    fn a_rule_with_three_peers_is_three_atoms() {
        let legacy = json!({"type": "ingress", "security_group_id": "sg-1", "protocol": "6", "from_port": 443, "to_port": 443,
            "cidr_blocks": ["10.0.0.0/8", "10.1.0.0/16"], "self": true});
        let atoms: Vec<_> =
            atoms("aws_security_group_rule", legacy.as_object().unwrap()).into_iter().map(|a| a.0).collect();
        assert_eq!(atoms.len(), 3);
        let live = json!({"security_group_id": "sg-1", "ip_protocol": "tcp", "from_port": 443, "to_port": 443, "referenced_security_group_id": "sg-1"});
        assert!(atoms.contains(&live_atom("aws_vpc_security_group_ingress_rule", live.as_object().unwrap())[0]));
        assert!(!atoms.contains(&live_atom("aws_vpc_security_group_egress_rule", live.as_object().unwrap())[0]));
    }

    #[test]
    fn another_database_under_the_same_name_is_another() {
        let map = |v: Value| v.as_object().unwrap().clone();
        assert!(contradicts(
            "aws_db_instance",
            &map(json!({"resource_id": "db-A"})),
            &map(json!({"resource_id": "db-B"}))
        ));
        assert!(!contradicts("aws_db_instance", &map(json!({"resource_id": "db-A"})), &map(json!({}))));
    }

    #[test]
    fn every_type_of_the_tables_exists() {
        let named = table::ALIASES.iter().flat_map(|(a, b)| [*a, *b]);
        let named = named
            .chain(table::COMPOSITE.iter().map(|r| r.0))
            .chain(table::ALSO.iter().map(|r| r.0))
            .chain(table::DECISIVE.iter().map(|r| r.0));
        for name in named.chain(table::FOREIGN_ARN.iter().copied()).chain(table::ONE_PER_BUCKET.iter().copied()) {
            assert!(crate::schema::is_known_type(name), "{name}");
        }
    }
}
