//! What makes two resources of a type the same one, where it is not simply Terraform's id.
//!
//! Source: the import documentation and the id functions of hashicorp/aws 5.x.

/// Other spellings of a type: the same object of the cloud under another name.
pub(super) const ALIASES: &[(&str, &str)] = &[
    ("aws_alb", "aws_lb"),
    ("aws_alb_listener", "aws_lb_listener"),
    ("aws_alb_listener_certificate", "aws_lb_listener_certificate"),
    ("aws_alb_listener_rule", "aws_lb_listener_rule"),
    ("aws_alb_target_group", "aws_lb_target_group"),
    ("aws_alb_target_group_attachment", "aws_lb_target_group_attachment"),
    ("aws_default_network_acl", "aws_network_acl"),
    ("aws_default_route_table", "aws_route_table"),
    ("aws_default_security_group", "aws_security_group"),
    ("aws_default_subnet", "aws_subnet"),
    ("aws_default_vpc", "aws_vpc"),
    ("aws_default_vpc_dhcp_options", "aws_vpc_dhcp_options"),
    ("aws_s3_bucket_object", "aws_s3_object"),
    ("aws_vpc_peering_connection_accepter", "aws_vpc_peering_connection"),
];

/// Types whose id Terraform makes up: the attributes that identify them instead. All must be there.
pub(super) const COMPOSITE: &[(&str, &[&str])] = &[
    ("aws_autoscaling_attachment", &["autoscaling_group_name", "lb_target_group_arn", "elb"]),
    ("aws_cloudwatch_event_target", &["event_bus_name", "rule", "target_id"]),
    ("aws_cloudwatch_log_metric_filter", &["log_group_name", "name"]),
    ("aws_cloudwatch_log_subscription_filter", &["log_group_name", "name"]),
    ("aws_iam_group_policy", &["group", "name"]),
    ("aws_iam_group_policy_attachment", &["group", "policy_arn"]),
    ("aws_iam_role_policy", &["role", "name"]),
    ("aws_iam_role_policy_attachment", &["role", "policy_arn"]),
    ("aws_iam_user_policy", &["user", "name"]),
    ("aws_iam_user_policy_attachment", &["user", "policy_arn"]),
    ("aws_internet_gateway_attachment", &["internet_gateway_id", "vpc_id"]),
    ("aws_lambda_permission", &["function_name", "qualifier", "statement_id"]),
    ("aws_lb_listener_certificate", &["listener_arn", "certificate_arn"]),
    ("aws_lb_target_group_attachment", &["target_group_arn", "target_id", "port"]),
    ("aws_main_route_table_association", &["vpc_id"]),
    ("aws_network_acl_rule", &["network_acl_id", "rule_number", "egress"]),
    ("aws_network_interface_sg_attachment", &["network_interface_id", "security_group_id"]),
    ("aws_route53_record", &["zone_id", "fqdn", "type", "set_identifier"]),
    ("aws_route53_zone_association", &["zone_id", "vpc_id"]),
    ("aws_volume_attachment", &["volume_id", "instance_id"]),
    ("aws_vpc_dhcp_options_association", &["vpc_id"]),
    ("aws_vpc_endpoint_route_table_association", &["vpc_endpoint_id", "route_table_id"]),
    ("aws_vpc_endpoint_security_group_association", &["vpc_endpoint_id", "security_group_id"]),
    ("aws_vpc_endpoint_subnet_association", &["vpc_endpoint_id", "subnet_id"]),
    ("aws_vpn_gateway_attachment", &["vpn_gateway_id", "vpc_id"]),
];

/// Attributes of [`COMPOSITE`] that may be absent, with what absence stands for.
pub(super) const OPTIONAL: &[(&str, &str)] = &[
    ("elb", ""),
    ("lb_target_group_arn", ""),
    ("event_bus_name", "default"),
    ("port", ""),
    ("qualifier", ""),
    ("set_identifier", ""),
    ("egress", "false"),
];

/// Attributes that identify a resource as well as its id does: names where the id may be a number, or the other way round.
pub(super) const ALSO: &[(&str, &[&str])] = &[
    ("aws_autoscaling_group", &["name"]),
    ("aws_cloudwatch_log_group", &["name"]),
    ("aws_cloudwatch_metric_alarm", &["alarm_name"]),
    ("aws_db_instance", &["identifier", "resource_id"]),
    ("aws_dynamodb_table", &["name"]),
    ("aws_ecr_repository", &["name"]),
    ("aws_ecs_cluster", &["name"]),
    ("aws_eip", &["allocation_id"]),
    ("aws_iam_group", &["name"]),
    ("aws_iam_instance_profile", &["name"]),
    ("aws_iam_role", &["name"]),
    ("aws_iam_user", &["name"]),
    ("aws_kms_alias", &["name"]),
    ("aws_kms_key", &["key_id"]),
    ("aws_lambda_function", &["function_name"]),
    ("aws_rds_cluster", &["cluster_identifier", "cluster_resource_id"]),
    ("aws_ssm_parameter", &["name"]),
];

/// Attributes that, when both sides have them and they differ, prove two resources of one name to be different ones: the old was deleted
/// and another made in its place, which Terraform notices because its id is this number.
pub(super) const DECISIVE: &[(&str, &str)] =
    &[("aws_db_instance", "resource_id"), ("aws_rds_cluster", "cluster_resource_id")];

/// Types whose `arn` attribute is the ARN of something else.
pub(super) const FOREIGN_ARN: &[&str] = &[
    "aws_cloudwatch_event_target",
    "aws_ecs_task_set",
    "aws_lambda_permission",
    "aws_secretsmanager_secret_version",
    "aws_sns_topic_data_protection_policy",
];

/// Prefixes of types whose names the API stores in lower case.
pub(super) const LOWER_CASE: &[&str] =
    &["aws_db_", "aws_docdb_", "aws_elasticache_", "aws_neptune_", "aws_rds_", "aws_redshift_", "aws_memorydb_"];

/// Types that exist once for each bucket although their Terraform id may carry more: `BUCKET,OWNER,ACL`.
pub(super) const ONE_PER_BUCKET: &[&str] = &[
    "aws_s3_bucket",
    "aws_s3_bucket_accelerate_configuration",
    "aws_s3_bucket_acl",
    "aws_s3_bucket_cors_configuration",
    "aws_s3_bucket_lifecycle_configuration",
    "aws_s3_bucket_logging",
    "aws_s3_bucket_notification",
    "aws_s3_bucket_object_lock_configuration",
    "aws_s3_bucket_ownership_controls",
    "aws_s3_bucket_policy",
    "aws_s3_bucket_public_access_block",
    "aws_s3_bucket_replication_configuration",
    "aws_s3_bucket_request_payment_configuration",
    "aws_s3_bucket_server_side_encryption_configuration",
    "aws_s3_bucket_versioning",
    "aws_s3_bucket_website_configuration",
];
