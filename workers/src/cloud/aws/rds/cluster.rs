//! Database clusters: Aurora and Multi-AZ. Terraform: `aws_rds_cluster`.

use aws_sdk_rds::types::{
    ClusterScalabilityType, DatabaseInsightsMode, DbCluster, ScalingConfigurationInfo,
    ServerlessV2ScalingConfigurationInfo,
};

use super::{is_other_service, master_user_secret, security_groups, tags};
use crate::cloud::aws::reader::{Context, Reader, Scope};
use crate::cloud::{Properties, ReadError};

/// `DescribeDBClusters`, which brings everything.
pub const READER: Reader =
    Reader { service: "rds", types: &["aws_rds_cluster"], scope: Scope::Regional, read: |cx| Box::pin(read(cx)) };

async fn read(cx: Context) -> Result<(), ReadError> {
    let mut clusters = cx.rds().describe_db_clusters().into_paginator().items().send();
    while let Some(cluster) = clusters.try_next().await? {
        let Some(id) = cluster.db_cluster_identifier() else {
            continue;
        };
        if cluster.status() != Some("deleting") && !is_other_service(cluster.engine()) {
            let properties = scaling(shape(&cluster), &cluster).tags(tags(cluster.tag_list()));
            cx.emit(cx.resource("aws_rds_cluster", id).name(id).properties(properties)).await;
        }
    }
    Ok(())
}

/// `aws_rds_cluster` without tags and scaling. Left out is `cluster_members`: each is a resource of its own.
fn shape(cluster: &DbCluster) -> Properties {
    let roles: Vec<_> = cluster.associated_roles().iter().filter_map(|role| role.role_arn()).collect();
    let domain = cluster.domain_memberships().first();
    let certificate = cluster.certificate_details().and_then(|certificate| certificate.ca_identifier());
    let secret = cluster.master_user_secret();
    Properties::new()
        .set("arn", cluster.db_cluster_arn())
        .told("allocated_storage", cluster.allocated_storage())
        .told("availability_zones", Some(cluster.availability_zones()).filter(|zones| !zones.is_empty()))
        .set("backtrack_window", cluster.backtrack_window().unwrap_or(0))
        .told("backup_retention_period", cluster.backup_retention_period())
        .told("ca_certificate_identifier", certificate)
        .set("cluster_identifier", cluster.db_cluster_identifier())
        .set("cluster_resource_id", cluster.db_cluster_resource_id())
        .told("cluster_scalability_type", cluster.cluster_scalability_type().map(ClusterScalabilityType::as_str))
        .told("copy_tags_to_snapshot", cluster.copy_tags_to_snapshot())
        .told("database_insights_mode", cluster.database_insights_mode().map(DatabaseInsightsMode::as_str))
        .told("database_name", cluster.database_name())
        .set("db_cluster_instance_class", cluster.db_cluster_instance_class())
        .told("db_cluster_parameter_group_name", cluster.db_cluster_parameter_group())
        .told("db_subnet_group_name", cluster.db_subnet_group())
        .told("db_system_id", cluster.db_system_id())
        .told("deletion_protection", cluster.deletion_protection())
        .set("domain", domain.and_then(|domain| domain.domain()))
        .set("domain_iam_role_name", domain.and_then(|domain| domain.iam_role_name()))
        .told("enable_http_endpoint", cluster.http_endpoint_enabled())
        .set("enabled_cloudwatch_logs_exports", cluster.enabled_cloudwatch_logs_exports())
        .told("endpoint", cluster.endpoint())
        .set("engine", cluster.engine())
        .told("engine_lifecycle_support", cluster.engine_lifecycle_support())
        .told("engine_mode", cluster.engine_mode())
        .set("engine_version", cluster.engine_version())
        .set("engine_version_actual", cluster.engine_version())
        .told("hosted_zone_id", cluster.hosted_zone_id())
        .told("iam_database_authentication_enabled", cluster.iam_database_authentication_enabled())
        .set("iam_roles", roles)
        .told("iops", cluster.iops())
        .set("kms_key_id", cluster.kms_key_id())
        .block("master_user_secret", secret.map(master_user_secret))
        .told("master_username", cluster.master_username())
        .told("monitoring_interval", cluster.monitoring_interval())
        .told("monitoring_role_arn", cluster.monitoring_role_arn())
        .told("network_type", cluster.network_type())
        .told("performance_insights_enabled", cluster.performance_insights_enabled())
        .told("performance_insights_kms_key_id", cluster.performance_insights_kms_key_id())
        .told("performance_insights_retention_period", cluster.performance_insights_retention_period())
        .told("port", cluster.port())
        .told("preferred_backup_window", cluster.preferred_backup_window())
        .told("preferred_maintenance_window", cluster.preferred_maintenance_window())
        .told("reader_endpoint", cluster.reader_endpoint())
        .set("replication_source_identifier", cluster.replication_source_identifier())
        .told("storage_encrypted", cluster.storage_encrypted())
        .told("storage_type", cluster.storage_type())
        .set("vpc_security_group_ids", security_groups(cluster.vpc_security_groups()))
}

fn scaling(properties: Properties, cluster: &DbCluster) -> Properties {
    properties.block("scaling_configuration", cluster.scaling_configuration_info().map(first_generation)).block(
        "serverlessv2_scaling_configuration",
        cluster.serverless_v2_scaling_configuration().map(second_generation),
    )
}

fn first_generation(of: &ScalingConfigurationInfo) -> Properties {
    Properties::new()
        .told("auto_pause", of.auto_pause())
        .told("max_capacity", of.max_capacity())
        .told("min_capacity", of.min_capacity())
        .told("seconds_before_timeout", of.seconds_before_timeout())
        .told("seconds_until_auto_pause", of.seconds_until_auto_pause())
        .told("timeout_action", of.timeout_action())
}

fn second_generation(of: &ServerlessV2ScalingConfigurationInfo) -> Properties {
    Properties::new()
        .told("max_capacity", of.max_capacity())
        .told("min_capacity", of.min_capacity())
        .told("seconds_until_auto_pause", of.seconds_until_auto_pause())
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_rds::types::DbClusterRole;
    use serde_json::json;

    #[test]
    fn a_serverless_cluster_with_a_role() {
        let cluster = DbCluster::builder()
            .db_cluster_identifier("aurora")
            .associated_roles(DbClusterRole::builder().role_arn("arn:aws:iam::1:role/export").build())
            .serverless_v2_scaling_configuration(
                ServerlessV2ScalingConfigurationInfo::builder().min_capacity(0.5).max_capacity(4.0).build(),
            )
            .build();
        let properties = scaling(shape(&cluster), &cluster);
        assert_eq!(properties.get("iam_roles"), Some(&json!(["arn:aws:iam::1:role/export"])));
        assert_eq!(
            properties.get("serverlessv2_scaling_configuration"),
            Some(&json!([{"max_capacity": 4.0, "min_capacity": 0.5}]))
        );
        assert_eq!(properties.get("scaling_configuration"), Some(&json!([])));
        assert_eq!(properties.get("storage_encrypted"), None, "not told");
    }
}
