//! The live side of a comparison, and the contract between it and the readers that fill it.
//!
//! # What a reader promises
//!
//! * `provider_type` is Terraform's resource type. Use the current type (`aws_lb`, `aws_s3_object`,
//!   `aws_vpc_security_group_ingress_rule`); its other spellings (`aws_alb`, `aws_default_vpc`,
//!   `aws_security_group_rule`) are matched here.
//! * `properties` holds Terraform's attribute names, in Terraform's shapes (a block is a list of objects,
//!   a number is a number), **and only what the cloud can really tell**. A key that is absent is not compared. A key that is
//!   present is compared, `null`, `""`, `[]` and `{}` meaning "not set"; so a reader that asked for the
//!   bucket's policy and was told that there is none says `"policy": ""`.
//! * `tags` holds every tag that the resource carries. Which of them are the provider's default tags is worked out
//!   here, so `tags_all` need not be given.
//! * `region` is the region's name, or [`GLOBAL`] for IAM, Route 53, `CloudFront` and Organizations. A bucket and its
//!   sub-resources carry the bucket's own region.
//! * `provider_resource_id` is what `terraform import` takes. Where Terraform's own id is random or a hash, the
//!   attributes decide (see below), so they must be present.
//! * `managed_by` says why a resource is nobody's to declare: `default VPC`, `root volume of i-…`,
//!   `service-linked role`. It is never reported as extra, yet a declared resource may still match it.
//! * `part_of` names the resource it hangs on as `type.id` (`aws_iam_role.app`, `aws_instance.i-1`). See `drift::children` for
//!   what follows from it.
//!
//! # Ids and attributes by type
//!
//! | Type | `provider_resource_id` | attributes that identify it |
//! |---|---|---|
//! | `aws_iam_role_policy_attachment` (`user`, `group` alike) | `ROLE/POLICY_ARN` | `role`, `policy_arn` |
//! | `aws_iam_role_policy` (`user`, `group` alike) | `ROLE:NAME` | `role`, `name` |
//! | `aws_iam_user_group_membership` | `USER/GROUP` | `user`, `groups` (one live resource for each user, all groups) |
//! | `aws_iam_access_key` | the key id | |
//! | `aws_iam_role`, `aws_iam_user`, `aws_iam_group`, `aws_iam_instance_profile` | the name | |
//! | `aws_iam_policy` | the ARN | |
//! | `aws_s3_bucket` and every `aws_s3_bucket_*` that exists once | the bucket's name | `bucket` |
//! | `aws_s3_bucket_metric`, `_inventory`, `_analytics_configuration`, … | `BUCKET:NAME` | `bucket`, `name` |
//! | `aws_sqs_queue`, `aws_sqs_queue_policy`, `aws_sqs_queue_redrive_*_policy` | the queue's URL | host and port are ignored |
//! | `aws_sns_topic`, `aws_sns_topic_policy`, `aws_sns_topic_subscription` | the ARN | of a subscription that is not confirmed: `pending_confirmation`, `topic_arn`, `protocol`, `endpoint` |
//! | `aws_db_instance` | `DbiResourceId` or identifier | `identifier`, `resource_id` |
//! | `aws_kms_key` | the key id; `aws_kms_alias`: `alias/NAME` | |
//! | `aws_secretsmanager_secret`, `_policy`, `_rotation` | the secret's ARN | |
//! | `aws_secretsmanager_secret_version` | `ARN\|VERSION_ID` | |
//! | `aws_lambda_function`, `aws_dynamodb_table`, `aws_cloudwatch_log_group` | the name | |
//! | `aws_lambda_permission` | `FUNCTION/STATEMENT` | `function_name`, `statement_id`, `qualifier` |
//! | `aws_route` | `ROUTE_TABLE_DESTINATION` | `route_table_id` and one of `destination_cidr_block`, `destination_ipv6_cidr_block`, `destination_prefix_list_id` |
//! | `aws_route_table_association` | `rtbassoc-…` | `subnet_id` or `gateway_id`, `route_table_id` |
//! | `aws_main_route_table_association` | `rtbassoc-…` | `vpc_id` |
//! | `aws_vpc_security_group_ingress_rule`, `_egress_rule` | `sgr-…` | `security_group_id`, `ip_protocol`, `from_port`, `to_port`, `cidr_ipv4`, `cidr_ipv6`, `prefix_list_id`, `referenced_security_group_id`, `description` |
//! | `aws_volume_attachment` | any | `volume_id`, `instance_id`, `device_name` |
//! | `aws_network_acl_rule` | any | `network_acl_id`, `rule_number`, `egress` |
//! | `aws_internet_gateway_attachment` | `IGW:VPC` | `internet_gateway_id`, `vpc_id` |
//! | `aws_route53_record` | `ZONE_NAME_TYPE[_SET]` | `zone_id`, `fqdn`, `type`, `set_identifier` |
//! | `aws_cloudwatch_log_metric_filter`, `_subscription_filter` | any | `log_group_name`, `name` |
//! | `aws_cloudwatch_event_target` | any | `event_bus_name`, `rule`, `target_id` |
//! | everything else of EC2 | AWS's own id (`vpc-…`, `igw-…`, `eipalloc-…`) | |
//!
//! Rules and routes come in two shapes. A reader gives both: the parent's own attribute (`ingress`, `egress`,
//! `route`, `policy`, `managed_policy_arns`, `inline_policy`, `versioning`, …) in the shape that Terraform's parent resource has, and each rule as a resource with
//! `part_of`. Which of the two is reported is decided here, by what is declared.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The region of services that have none.
pub const GLOBAL: &str = "global";

/// One resource as the cloud tells it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LiveResource {
    /// Terraform's resource type.
    #[serde(rename(deserialize = "type"), alias = "provider_type")]
    pub provider_type: String,
    /// What `terraform import` takes for this type.
    #[serde(rename(deserialize = "id"), alias = "provider_resource_id")]
    pub provider_resource_id: String,
    /// The resource's own ARN, where it has one.
    #[serde(default)]
    pub arn: Option<String>,
    /// A name for people; not used for matching.
    #[serde(default)]
    pub name: Option<String>,
    /// Region name, or [`GLOBAL`].
    pub region: String,
    /// What the cloud can tell, under Terraform's attribute names.
    #[serde(default)]
    pub properties: Map<String, Value>,
    /// Why it is not the customer's to declare.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<String>,
    /// The resource it hangs on, as `type.id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part_of: Option<String>,
}
