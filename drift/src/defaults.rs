//! What AWS makes in every account by itself: nobody's to declare, hence not extra.
//!
//! A reader that knows says so in `managed_by`. This is for inventories where nobody did (`plumbline drift` offline), and it needs no
//! more than a resource's own attributes. Source: the EC2, IAM, KMS, RDS and `EventBridge` guides.

use serde_json::{Map, Value};

use crate::live::LiveResource;

/// Why this resource is an account default, if it is one.
#[must_use]
pub fn recognise(live: &LiveResource) -> Option<&'static str> {
    let of = Attributes(&live.properties);
    let id = live.provider_resource_id.as_str();
    if of.is_true("default") || of.is_true("is_default") {
        return Some("made by AWS in every account");
    }
    match live.provider_type.as_str() {
        "aws_security_group" if of.text("name") == "default" => Some("default security group of its VPC"),
        "aws_subnet" if of.is_true("default_for_az") => Some("default subnet of the default VPC"),
        "aws_route_table" if of.is_true("main") => Some("main route table of its VPC"),
        "aws_vpc_dhcp_options" if of.text("domain_name_servers") == "AmazonProvidedDNS" && of.has_no_tags() => {
            Some("default DHCP options")
        }
        "aws_ec2_managed_prefix_list" if of.text("owner_id") == "AWS" => Some("owned by AWS"),
        "aws_iam_role"
            if of.text("path").starts_with("/aws-service-role/") || arn(live).contains(":role/aws-service-role/") =>
        {
            Some("service-linked role")
        }
        "aws_iam_policy" if id.starts_with("arn:aws:iam::aws:") || arn(live).starts_with("arn:aws:iam::aws:") => {
            Some("AWS-managed policy")
        }
        "aws_kms_alias" if id.starts_with("alias/aws/") => Some("AWS-managed key's alias"),
        "aws_kms_key" if of.text("key_manager") == "AWS" => Some("AWS-managed key"),
        "aws_db_parameter_group"
        | "aws_rds_cluster_parameter_group"
        | "aws_elasticache_parameter_group"
        | "aws_redshift_parameter_group"
        | "aws_neptune_parameter_group"
            if id.starts_with("default.") =>
        {
            Some("default parameter group")
        }
        "aws_db_option_group" if id.starts_with("default:") => Some("default option group"),
        "aws_db_subnet_group" | "aws_elasticache_subnet_group" if id == "default" => Some("default subnet group"),
        "aws_db_snapshot" | "aws_db_cluster_snapshot" if id.starts_with("rds:") => Some("automated snapshot"),
        "aws_cloudwatch_event_bus" if id == "default" => Some("default event bus"),
        "aws_athena_workgroup" if id == "primary" => Some("primary workgroup"),
        "aws_xray_sampling_rule" if id == "Default" => Some("default sampling rule"),
        "aws_elasticache_user" if id == "default" => Some("default user"),
        "aws_network_interface" if of.is_true("requester_managed") => Some("made by an AWS service"),
        _ => None,
    }
}

fn arn(live: &LiveResource) -> &str {
    live.arn.as_deref().or_else(|| live.properties.get("arn").and_then(Value::as_str)).unwrap_or_default()
}

struct Attributes<'a>(&'a Map<String, Value>);

impl<'a> Attributes<'a> {
    /// A string, or the only string of a list.
    fn text(&self, name: &str) -> &'a str {
        match self.0.get(name) {
            Some(Value::String(s)) => s,
            Some(Value::Array(items)) if items.len() == 1 => items[0].as_str().unwrap_or_default(),
            _ => "",
        }
    }

    fn is_true(&self, name: &str) -> bool {
        match self.0.get(name) {
            Some(Value::Bool(b)) => *b,
            Some(Value::String(s)) => s == "true",
            _ => false,
        }
    }

    fn has_no_tags(&self) -> bool {
        self.0.get("tags").is_none_or(crate::normalise::is_empty)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn live(provider_type: &str, id: &str, properties: &Value) -> LiveResource {
        serde_json::from_value(
            json!({"type": provider_type, "id": id, "region": "eu-west-1", "properties": properties}),
        )
        .unwrap()
    }

    #[test]
    fn defaults_are_recognised_without_a_reader() {
        for (provider_type, id, properties) in [
            ("aws_vpc", "vpc-1", json!({"default": true})),
            ("aws_security_group", "sg-1", json!({"name": "default"})),
            ("aws_iam_role", "AWSServiceRoleForRDS", json!({"path": "/aws-service-role/rds.amazonaws.com/"})),
            ("aws_iam_policy", "arn:aws:iam::aws:policy/ReadOnlyAccess", json!({})),
            ("aws_kms_alias", "alias/aws/ebs", json!({})),
            ("aws_db_parameter_group", "default.postgres16", json!({})),
            ("aws_cloudwatch_event_bus", "default", json!({})),
        ] {
            assert!(recognise(&live(provider_type, id, &properties)).is_some(), "{provider_type} {id}");
        }
    }

    #[test]
    fn what_people_make_is_not_a_default() {
        for (provider_type, id, properties) in [
            ("aws_vpc", "vpc-1", json!({"default": false})),
            ("aws_security_group", "sg-1", json!({"name": "default-web"})),
            ("aws_iam_role", "r", json!({"path": "/"})),
            ("aws_kms_alias", "alias/awsome", json!({})),
            ("aws_db_parameter_group", "defaults", json!({})),
        ] {
            assert_eq!(recognise(&live(provider_type, id, &properties)), None, "{provider_type} {id}");
        }
    }
}
