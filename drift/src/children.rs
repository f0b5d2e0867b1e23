//! Resources that hang on others, and which of the two answers for a difference.
//!
//! Terraform can say many things twice: a rule inside its security group or as a resource beside it, a bucket's
//! policy in the bucket or in `aws_s3_bucket_policy`. The cloud has it once. Reported is the place where it is declared:
//!
//! 1. **Split**: a resource of the child's type is declared for this parent. Then the children answer; the parent's attribute
//!    only mirrors them and is not compared. A live child that nobody declares is extra (`child_of`), unless the parent's declared
//!    attribute names it.
//! 2. **Inline**: none is. For rules, routes, and the settings of a bucket, queue, topic, secret or key ([`Undeclared::Parent`]) the
//!    parent's attribute answers, and its live children are not extra. For grants to an identity ([`Undeclared::Child`])
//!    the attribute answers only if it declares something; otherwise a live grant is extra.
//!
//! A live child without such an attribute in its parent is extra when the parent is declared, unless it is what the
//! service sets up by itself ([`is_default`]). A child of something extra came with it and is not listed again, except grants and credentials, which
//! are worth a line of their own ([`speaks_for_itself`]). A child of an account default is one too, except what only people make ([`is_made_by_hand`]).

use serde_json::{Map, Value};

use crate::identity::{Ports, live_atom};
use crate::normalise::{canonical, text};

/// Where an undeclared child is reported when its parent is declared and has no split children.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undeclared {
    /// As a change of the parent's attribute.
    Parent,
    /// As an extra child.
    Child,
}

/// An attribute that says the same as child resources do.
#[derive(Debug, Clone, Copy)]
pub struct Mirror {
    /// Type of the parent.
    pub parent: &'static str,
    /// Its attributes that mirror the child.
    pub attributes: &'static [&'static str],
    /// Child types.
    pub children: &'static [&'static str],
    /// The child's attribute that names the parent.
    pub refers: &'static str,
    /// See [`Undeclared`].
    pub undeclared: Undeclared,
}

const fn mirror(
    parent: &'static str,
    attributes: &'static [&'static str],
    children: &'static [&'static str],
    refers: &'static str,
) -> Mirror {
    Mirror { parent, attributes, children, refers, undeclared: Undeclared::Parent }
}

const fn grant(
    parent: &'static str,
    attributes: &'static [&'static str],
    children: &'static [&'static str],
    refers: &'static str,
) -> Mirror {
    Mirror { parent, attributes, children, refers, undeclared: Undeclared::Child }
}

/// Every such attribute. Source: the notes "do not use both" and the deprecations in the documentation of hashicorp/aws 5.x. At most 64, for the
/// comparison keeps them as bits.
pub const MIRRORS: &[Mirror] = &[
    mirror(
        "aws_security_group",
        &["ingress"],
        &["aws_vpc_security_group_ingress_rule", "aws_security_group_rule"],
        "security_group_id",
    ),
    mirror(
        "aws_security_group",
        &["egress"],
        &["aws_vpc_security_group_egress_rule", "aws_security_group_rule"],
        "security_group_id",
    ),
    mirror("aws_route_table", &["route"], &["aws_route"], "route_table_id"),
    mirror("aws_network_acl", &["ingress", "egress"], &["aws_network_acl_rule"], "network_acl_id"),
    mirror("aws_network_acl", &["subnet_ids"], &["aws_network_acl_association"], "network_acl_id"),
    grant("aws_iam_role", &["managed_policy_arns"], &["aws_iam_role_policy_attachment"], "role"),
    grant("aws_iam_role", &["inline_policy"], &["aws_iam_role_policy"], "role"),
    mirror("aws_s3_bucket", &["acceleration_status"], &["aws_s3_bucket_accelerate_configuration"], "bucket"),
    mirror("aws_s3_bucket", &["acl", "grant"], &["aws_s3_bucket_acl"], "bucket"),
    mirror("aws_s3_bucket", &["cors_rule"], &["aws_s3_bucket_cors_configuration"], "bucket"),
    mirror("aws_s3_bucket", &["lifecycle_rule"], &["aws_s3_bucket_lifecycle_configuration"], "bucket"),
    mirror("aws_s3_bucket", &["logging"], &["aws_s3_bucket_logging"], "bucket"),
    mirror("aws_s3_bucket", &["object_lock_configuration"], &["aws_s3_bucket_object_lock_configuration"], "bucket"),
    mirror("aws_s3_bucket", &["policy"], &["aws_s3_bucket_policy"], "bucket"),
    mirror("aws_s3_bucket", &["replication_configuration"], &["aws_s3_bucket_replication_configuration"], "bucket"),
    mirror("aws_s3_bucket", &["request_payer"], &["aws_s3_bucket_request_payment_configuration"], "bucket"),
    mirror(
        "aws_s3_bucket",
        &["server_side_encryption_configuration"],
        &["aws_s3_bucket_server_side_encryption_configuration"],
        "bucket",
    ),
    mirror("aws_s3_bucket", &["versioning"], &["aws_s3_bucket_versioning"], "bucket"),
    mirror(
        "aws_s3_bucket",
        &["website", "website_domain", "website_endpoint"],
        &["aws_s3_bucket_website_configuration"],
        "bucket",
    ),
    mirror("aws_sqs_queue", &["policy"], &["aws_sqs_queue_policy"], "queue_url"),
    mirror("aws_sqs_queue", &["redrive_policy"], &["aws_sqs_queue_redrive_policy"], "queue_url"),
    mirror("aws_sqs_queue", &["redrive_allow_policy"], &["aws_sqs_queue_redrive_allow_policy"], "queue_url"),
    mirror("aws_sns_topic", &["policy"], &["aws_sns_topic_policy"], "arn"),
    mirror("aws_secretsmanager_secret", &["policy"], &["aws_secretsmanager_secret_policy"], "secret_arn"),
    mirror("aws_kms_key", &["policy"], &["aws_kms_key_policy"], "key_id"),
    mirror("aws_instance", &["ebs_block_device"], &["aws_volume_attachment"], "instance_id"),
    mirror("aws_instance", &["network_interface"], &["aws_network_interface_attachment"], "instance_id"),
    mirror(
        "aws_instance",
        &["vpc_security_group_ids", "security_groups"],
        &["aws_network_interface_sg_attachment"],
        "instance_id",
    ),
    mirror("aws_internet_gateway", &["vpc_id"], &["aws_internet_gateway_attachment"], "internet_gateway_id"),
    mirror("aws_vpn_gateway", &["vpc_id"], &["aws_vpn_gateway_attachment"], "vpn_gateway_id"),
    mirror("aws_vpc", &["dhcp_options_id"], &["aws_vpc_dhcp_options_association"], "vpc_id"),
    mirror("aws_vpc", &["main_route_table_id"], &["aws_main_route_table_association"], "vpc_id"),
    mirror("aws_vpc_endpoint", &["policy"], &["aws_vpc_endpoint_policy"], "vpc_endpoint_id"),
    mirror("aws_vpc_endpoint", &["route_table_ids"], &["aws_vpc_endpoint_route_table_association"], "vpc_endpoint_id"),
    mirror(
        "aws_vpc_endpoint",
        &["security_group_ids"],
        &["aws_vpc_endpoint_security_group_association"],
        "vpc_endpoint_id",
    ),
    mirror("aws_vpc_endpoint", &["subnet_ids"], &["aws_vpc_endpoint_subnet_association"], "vpc_endpoint_id"),
    mirror(
        "aws_eip",
        &["association_id", "instance", "network_interface", "private_ip"],
        &["aws_eip_association"],
        "allocation_id",
    ),
    mirror(
        "aws_autoscaling_group",
        &["load_balancers", "target_group_arns", "traffic_source"],
        &["aws_autoscaling_attachment", "aws_autoscaling_traffic_source_attachment"],
        "autoscaling_group_name",
    ),
    mirror(
        "aws_ecs_cluster",
        &["capacity_providers", "default_capacity_provider_strategy"],
        &["aws_ecs_cluster_capacity_providers"],
        "cluster_name",
    ),
    mirror("aws_dynamodb_table", &["replica"], &["aws_dynamodb_table_replica"], "global_table_arn"),
    mirror("aws_rds_cluster", &["iam_roles"], &["aws_rds_cluster_role_association"], "db_cluster_identifier"),
    mirror("aws_route53_zone", &["vpc"], &["aws_route53_zone_association"], "zone_id"),
    mirror("aws_api_gateway_rest_api", &["policy"], &["aws_api_gateway_rest_api_policy"], "rest_api_id"),
];

/// Parents of children that mirror nothing in them: child type, its attribute that names the parent, the parent's type. Used where the
/// live side names none.
const PARENTS: &[(&str, &str, &str)] = &[
    ("aws_iam_access_key", "user", "aws_iam_user"),
    ("aws_iam_group_policy", "group", "aws_iam_group"),
    ("aws_iam_group_policy_attachment", "group", "aws_iam_group"),
    ("aws_iam_user_login_profile", "user", "aws_iam_user"),
    ("aws_iam_user_policy", "user", "aws_iam_user"),
    ("aws_iam_user_policy_attachment", "user", "aws_iam_user"),
    ("aws_lambda_permission", "function_name", "aws_lambda_function"),
    ("aws_route_table_association", "route_table_id", "aws_route_table"),
    ("aws_s3_bucket_notification", "bucket", "aws_s3_bucket"),
    ("aws_s3_bucket_ownership_controls", "bucket", "aws_s3_bucket"),
    ("aws_s3_bucket_public_access_block", "bucket", "aws_s3_bucket"),
    ("aws_secretsmanager_secret_rotation", "secret_id", "aws_secretsmanager_secret"),
    ("aws_secretsmanager_secret_version", "secret_id", "aws_secretsmanager_secret"),
];

/// Grants and credentials: reported even when what they belong to is extra itself.
const OWN_LINE: &[&str] = &[
    "aws_iam_access_key",
    "aws_iam_group_policy",
    "aws_iam_group_policy_attachment",
    "aws_iam_role_policy",
    "aws_iam_role_policy_attachment",
    "aws_iam_user_group_membership",
    "aws_iam_user_login_profile",
    "aws_iam_user_policy",
    "aws_iam_user_policy_attachment",
    "aws_kms_alias",
    "aws_lambda_event_source_mapping",
    "aws_lambda_permission",
    "aws_sns_topic_subscription",
];

/// Things that come with their parent and that nobody declares by themselves when the parent is declared.
const COMES_ALONG: &[(&str, &str)] = &[
    ("aws_ebs_volume", "aws_instance"),
    ("aws_network_interface", "aws_instance"),
    ("aws_secretsmanager_secret_version", "aws_secretsmanager_secret"),
];

/// The mirrors in which a resource takes part as the child, as indices.
pub(crate) fn as_child(provider_type: &str, attributes: &Map<String, Value>) -> impl Iterator<Item = usize> {
    // The older rule resource says its direction itself.
    let direction = if provider_type == "aws_security_group_rule" {
        attributes.get("type").and_then(Value::as_str).map(str::to_owned)
    } else {
        None
    };
    MIRRORS
        .iter()
        .enumerate()
        .filter(move |(_, m)| {
            m.children.contains(&provider_type) && direction.as_deref().is_none_or(|d| m.attributes.contains(&d))
        })
        .map(|(index, _)| index)
}

/// The mirrors in which a resource takes part as the parent, as indices.
pub(crate) fn as_parent(canonical_type: &str) -> impl Iterator<Item = usize> {
    MIRRORS.iter().enumerate().filter(move |(_, m)| m.parent == canonical_type).map(|(index, _)| index)
}

/// Type and name of the resource that a child hangs on, by its attributes.
pub(crate) fn parent<'a>(provider_type: &str, attributes: &'a Map<String, Value>) -> Option<(&'static str, &'a str)> {
    let named = |attribute: &str| attributes.get(attribute).and_then(Value::as_str).filter(|v| !v.is_empty());
    let mirrored =
        MIRRORS.iter().filter(|m| m.children.contains(&provider_type)).find_map(|m| Some((m.parent, named(m.refers)?)));
    mirrored.or_else(|| PARENTS.iter().filter(|p| p.0 == provider_type).find_map(|p| Some((p.2, named(p.1)?))))
}

/// Whether an undeclared child is worth a line although what it belongs to is extra too.
#[must_use]
pub fn speaks_for_itself(provider_type: &str) -> bool {
    OWN_LINE.contains(&provider_type)
}

/// Whether a resource of this type is somebody's work even in what AWS made by itself: it puts no routes but the local one into a VPC's main table.
#[must_use]
pub fn is_made_by_hand(provider_type: &str) -> bool {
    provider_type == "aws_route"
}

/// Whether a resource of this type comes with a parent of that type.
#[must_use]
pub fn comes_along(provider_type: &str, parent_type: &str) -> bool {
    COMES_ALONG.contains(&(provider_type, parent_type))
}

/// Whether a child is what the service sets up by itself. Source: the S3 user guide (what new buckets have), and the defaults of the EC2
/// and IAM references.
#[must_use]
pub fn is_default(provider_type: &str, properties: &Map<String, Value>) -> bool {
    let is = |name: &str, value: &Value| properties.get(name) == Some(value);
    let spells = |name: &str, wanted: &str| properties.get(name).is_some_and(|v| v.to_string().contains(wanted));
    match provider_type {
        "aws_s3_bucket_public_access_block" => {
            ["block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets"]
                .into_iter()
                .all(|name| is(name, &Value::Bool(true)))
        }
        "aws_s3_bucket_ownership_controls" => spells("rule", "\"BucketOwnerEnforced\""),
        "aws_s3_bucket_request_payment_configuration" => spells("payer", "BucketOwner"),
        "aws_s3_bucket_server_side_encryption_configuration" => spells("rule", "\"AES256\""),
        "aws_s3_bucket_versioning" => spells("versioning_configuration", "\"Disabled\""),
        "aws_s3_bucket_accelerate_configuration" => spells("status", "Suspended"),
        "aws_s3_bucket_acl" => spells("acl", "\"private\""),
        "aws_route" => is("gateway_id", &Value::from("local")),
        "aws_vpc_security_group_egress_rule" => {
            spells("ip_protocol", "-1") && (spells("cidr_ipv4", "0.0.0.0/0") || spells("cidr_ipv6", "::/0"))
        }
        _ => false,
    }
}

/// Whether the parent's declared attribute names this child.
pub(crate) fn names(
    mirror: &Mirror,
    parent_id: &str,
    parent: &Map<String, Value>,
    child_type: &str,
    child: &Map<String, Value>,
) -> bool {
    let text = |name: &str| child.get(name).and_then(Value::as_str).unwrap_or_default();
    let mut elements =
        mirror.attributes.iter().filter_map(|name| parent.get(*name)).filter_map(Value::as_array).flatten();
    match mirror.parent {
        "aws_iam_role" if mirror.attributes == ["managed_policy_arns"] => {
            elements.any(|e| e.as_str() == Some(text("policy_arn")))
        }
        "aws_iam_role" => elements.any(|e| e.get("name").and_then(Value::as_str) == Some(text("name"))),
        "aws_security_group" => {
            let wanted = live_atom(child_type, child);
            let direction = mirror.attributes[0];
            elements.any(|rule| wanted.iter().any(|atom| inline_atoms(direction, parent_id, rule).contains(atom)))
        }
        "aws_route_table" => {
            let destination = ["destination_cidr_block", "destination_ipv6_cidr_block", "destination_prefix_list_id"]
                .into_iter()
                .map(text)
                .find(|d| !d.is_empty());
            elements.any(|route| {
                ["cidr_block", "ipv6_cidr_block", "destination_prefix_list_id"]
                    .into_iter()
                    .filter_map(|name| route.get(name).and_then(Value::as_str))
                    .any(|d| destination.is_some_and(|wanted| text::same(d, wanted, "aws_route", "cidr_block")))
            })
        }
        "aws_network_acl" => {
            let number = child.get("rule_number").map(canonical);
            elements.any(|rule| rule.get("rule_no").map(canonical) == number)
        }
        _ => false,
    }
}

/// The atoms of a rule inside a group, as [`live_atom`] gives them for rules beside it.
fn inline_atoms(direction: &str, group: &str, rule: &Value) -> Vec<String> {
    let Some(rule) = rule.as_object() else { return Vec::new() };
    let ports = Ports::of(
        rule.get("protocol").and_then(Value::as_str).unwrap_or_default(),
        rule.get("from_port"),
        rule.get("to_port"),
    );
    let mut peers: Vec<&str> = ["cidr_blocks", "ipv6_cidr_blocks", "prefix_list_ids", "security_groups"]
        .into_iter()
        .filter_map(|list| rule.get(list)?.as_array())
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if rule.get("self") == Some(&Value::Bool(true)) {
        peers.push(group);
    }
    peers.into_iter().map(|peer| crate::identity::rule_atom_of(direction, group, &ports, peer)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema;

    fn map(value: &Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn every_type_named_here_exists_and_mirrors_fit_into_bits() {
        assert!(MIRRORS.len() <= 64);
        let named = MIRRORS.iter().flat_map(|m| m.children.iter().copied().chain([m.parent]));
        let named = named
            .chain(PARENTS.iter().flat_map(|p| [p.0, p.2]))
            .chain(OWN_LINE.iter().copied())
            .chain(COMES_ALONG.iter().flat_map(|c| [c.0, c.1]));
        for name in named {
            assert!(schema::is_known_type(name), "{name}");
        }
    }

    #[test]
    fn an_older_rule_mirrors_its_own_direction() {
        let which: Vec<_> = as_child("aws_security_group_rule", &map(&json!({"type": "egress"})))
            .map(|i| MIRRORS[i].attributes)
            .collect();
        assert_eq!(which, [["egress"]]);
    }

    #[test]
    fn a_parent_names_its_children() {
        let group =
            map(&json!({"ingress": [{"protocol": "tcp", "from_port": 22, "to_port": 22, "cidr_blocks": ["a", "b"]}]}));
        let rule = |cidr: &str| {
            map(
                &json!({"security_group_id": "sg-1", "ip_protocol": "tcp", "from_port": 22, "to_port": 22, "cidr_ipv4": cidr}),
            )
        };
        let said = |cidr| names(&MIRRORS[0], "sg-1", &group, "aws_vpc_security_group_ingress_rule", &rule(cidr));
        assert!(said("b") && !said("c"));

        let identity = map(&json!({"managed_policy_arns": ["x"], "inline_policy": [{"name": "n"}]}));
        let of = |attribute: &str| {
            MIRRORS.iter().find(|m| m.parent == "aws_iam_role" && m.attributes.contains(&attribute)).unwrap()
        };
        assert!(names(
            of("managed_policy_arns"),
            "r",
            &identity,
            "aws_iam_role_policy_attachment",
            &map(&json!({"policy_arn": "x"}))
        ));
        assert!(!names(of("inline_policy"), "r", &identity, "aws_iam_role_policy", &map(&json!({"name": "m"}))));
    }

    #[test]
    fn defaults_of_buckets_are_nobodys_work() {
        let block = |value: bool| {
            map(
                &json!({"block_public_acls": true, "block_public_policy": value, "ignore_public_acls": true, "restrict_public_buckets": true}),
            )
        };
        assert!(is_default("aws_s3_bucket_public_access_block", &block(true)));
        assert!(!is_default("aws_s3_bucket_public_access_block", &block(false)));
        assert!(!is_default("aws_s3_bucket_policy", &map(&json!({"policy": "{}"}))));
    }
}
