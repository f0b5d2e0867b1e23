//! When two strings mean the same.

use std::net::IpAddr;

use super::document;

/// Attributes whose case the API folds, by name. Source: the `StateFunc`s and `DiffSuppressFunc`s of hashicorp/aws 5.x, and the API references
/// of RDS and `ElastiCache`, which store identifiers in lower case.
const FOLDED: &[&str] = &[
    "backup_window",
    "cluster_id",
    "cluster_identifier",
    "db_subnet_group_name",
    "identifier",
    "ip_protocol",
    "maintenance_window",
    "parameter_group_name",
    "preferred_backup_window",
    "preferred_maintenance_window",
    "protocol",
    "replication_group_id",
    "snapshot_window",
];

/// Whether two strings mean the same in the attribute of this name.
#[must_use]
pub fn same(declared: &str, live: &str, provider_type: &str, attribute: &str) -> bool {
    declared == live
        || (FOLDED.contains(&attribute) && protocol(declared).eq_ignore_ascii_case(protocol(live)))
        || (provider_type.starts_with("aws_route53_") && domain(declared) == domain(live))
        || (attribute == "engine_version" && is_release_of(live, declared))
        || same_reference(declared, live)
        || same_address(declared, live)
        || (attribute.ends_with("url") && same_queue(declared, live))
        || document::same(declared, live)
}

/// Whether a version is one of the series that was asked for, as `16.3` is of `16`: RDS chooses the release, and the provider keeps what was written.
fn is_release_of(version: &str, series: &str) -> bool {
    version.strip_prefix(series).is_some_and(|rest| rest.starts_with('.'))
}

/// A protocol's name for its number; anything else as it is. Source: the IANA numbers that EC2 has names for.
#[must_use]
pub fn protocol(text: &str) -> &str {
    match text {
        "all" => "-1",
        "1" => "icmp",
        "6" => "tcp",
        "17" => "udp",
        "58" => "icmpv6",
        other => other,
    }
}

/// A domain name as Route 53 compares it: lower case, no final dot, `*` for `\052`.
#[must_use]
pub fn domain(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase().replace("\\052", "*")
}

/// `account/name` of a queue's URL, whatever host serves it.
#[must_use]
pub fn queue(url: &str) -> Option<&str> {
    let rest = url.split_once("://")?.1;
    let path = rest.split_once('/')?.1;
    let mut slashes = path.rmatch_indices('/');
    let _name = slashes.next()?;
    Some(slashes.next().map_or(path, |(at, _)| &path[at + 1..]))
}

fn same_queue(a: &str, b: &str) -> bool {
    queue(a).is_some_and(|q| queue(b) == Some(q))
}

/// An ARN against the name or id that it ends with.
fn same_reference(a: &str, b: &str) -> bool {
    let (arn, name) = match (a.starts_with("arn:"), b.starts_with("arn:")) {
        (true, false) => (a, b),
        (false, true) => (b, a),
        _ => return false,
    };
    !name.is_empty() && arn.strip_suffix(name).is_some_and(|head| head.ends_with([':', '/']))
}

/// IPv6 addresses and networks in their different spellings.
fn same_address(a: &str, b: &str) -> bool {
    fn parse(text: &str) -> Option<(IpAddr, Option<&str>)> {
        let (address, length) = text.split_once('/').map_or((text, None), |(a, l)| (a, Some(l)));
        Some((address.parse().ok()?, length))
    }
    a.contains(':') && b.contains(':') && parse(a).is_some_and(|p| parse(b) == Some(p))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_in_other_words() {
        for (a, b, provider_type, attribute) in [
            ("Mon:01:00-Mon:02:00", "mon:01:00-mon:02:00", "aws_db_instance", "maintenance_window"),
            ("6", "tcp", "aws_security_group_rule", "protocol"),
            ("\\052.Example.com.", "*.example.com", "aws_route53_record", "name"),
            ("arn:aws:kms:eu-west-1:1:key/k-1", "k-1", "aws_s3_bucket", "kms_master_key_id"),
            ("::/0", "0:0:0:0:0:0:0:0/0", "aws_route", "destination_ipv6_cidr_block"),
            ("http://localhost:5000/1/q", "https://sqs.us-east-1.amazonaws.com/1/q", "aws_sqs_queue", "url"),
            ("{\"a\":1}", "{ \"a\": 1 }", "aws_sqs_queue", "redrive_policy"),
        ] {
            assert!(same(a, b, provider_type, attribute), "{a} {b}");
            assert!(same(b, a, provider_type, attribute), "{b} {a}");
        }
    }

    #[test]
    fn a_release_is_of_its_series() {
        let same = |declared, live| same(declared, live, "aws_db_instance", "engine_version");
        assert!(same("16", "16.3"));
        assert!(same("8.0", "8.0.mysql_aurora.3.05.2"));
        assert!(!same("16.3", "16.4"));
        assert!(!same("1", "16.3"));
        assert!(!same("16.3", "16"));
    }

    #[test]
    fn different_is_different() {
        for (a, b, attribute) in [
            ("Name", "name", "name"),
            ("arn:aws:kms:eu-west-1:1:key/xk-1", "k-1", "kms_key_id"),
            ("arn:aws:iam::1:role/a", "arn:aws:iam::2:role/a", "role"),
            ("10.0.0.0/16", "10.0.0.0/8", "cidr_block"),
            ("http://h/1/q", "http://h/2/q", "url"),
            ("http://h/q", "http://h/r", "url"),
            ("", "arn:aws:kms:eu-west-1:1:key/", "kms_key_id"),
        ] {
            assert!(!same(a, b, "aws_x", attribute), "{a} {b}");
        }
    }
}
