//! Database instances, alone or in a cluster. Terraform: `aws_db_instance`, `aws_rds_cluster_instance`.

use aws_sdk_rds::types::{DatabaseInsightsMode, DbInstance, DomainMembership, Endpoint, ReplicaMode};

use super::{is_other_service, master_user_secret, security_groups, settled, tags};
use crate::cloud::aws::reader::{Context, Draft, Reader, Scope};
use crate::cloud::{Properties, ReadError};

/// `DescribeDBInstances`, which brings everything.
pub const READER: Reader = Reader {
    service: "rds",
    types: &["aws_db_instance", "aws_rds_cluster_instance"],
    scope: Scope::Regional,
    read: |cx| Box::pin(read(cx)),
};

async fn read(cx: Context) -> Result<(), ReadError> {
    let mut instances = cx.rds().describe_db_instances().into_paginator().items().send();
    while let Some(instance) = instances.try_next().await? {
        let deleting = instance.db_instance_status() == Some("deleting");
        if !deleting
            && !is_other_service(instance.engine())
            && let Some(draft) = draft(&cx, &instance)
        {
            cx.emit(draft).await;
        }
    }
    Ok(())
}

fn draft(cx: &Context, instance: &DbInstance) -> Option<Draft> {
    let identifier = instance.db_instance_identifier()?;
    let Some(cluster) = instance.db_cluster_identifier() else {
        let id = instance.dbi_resource_id().unwrap_or(identifier);
        let properties = alone(instance).tags(tags(instance.tag_list()));
        return Some(cx.resource("aws_db_instance", id).name(identifier).properties(properties));
    };
    let properties = member(instance, cluster).tags(tags(instance.tag_list()));
    let draft = cx.resource("aws_rds_cluster_instance", identifier).name(identifier).properties(properties);
    // The instances of a Multi-AZ cluster come and go with it; those of Aurora are made one by one.
    let is_aurora = instance.engine().is_some_and(|engine| engine.starts_with("aurora"));
    Some(if is_aurora { draft } else { draft.managed_by(format!("part of the cluster {cluster}")) })
}

/// What both types have under the same name.
fn common(instance: &DbInstance) -> Properties {
    let subnet_group = instance.db_subnet_group().and_then(|group| group.db_subnet_group_name());
    let version = instance.engine_version();
    Properties::new()
        .set("arn", instance.db_instance_arn())
        .set("identifier", instance.db_instance_identifier())
        .told("auto_minor_version_upgrade", instance.auto_minor_version_upgrade())
        .told("availability_zone", instance.availability_zone())
        .told("ca_cert_identifier", instance.ca_certificate_identifier())
        .told("copy_tags_to_snapshot", instance.copy_tags_to_snapshot())
        .set("custom_iam_instance_profile", instance.custom_iam_instance_profile())
        .told("db_subnet_group_name", subnet_group)
        .set("engine", instance.engine())
        .set("engine_version", version)
        .set("engine_version_actual", version)
        .told("instance_class", instance.db_instance_class())
        .set("kms_key_id", instance.kms_key_id())
        .set("monitoring_interval", instance.monitoring_interval().unwrap_or(0))
        .set("monitoring_role_arn", instance.monitoring_role_arn())
        .told("network_type", instance.network_type())
        .set("performance_insights_enabled", instance.performance_insights_enabled().unwrap_or(false))
        .set("performance_insights_kms_key_id", instance.performance_insights_kms_key_id())
        .set("performance_insights_retention_period", instance.performance_insights_retention_period().unwrap_or(0))
        .told("publicly_accessible", instance.publicly_accessible())
        .told("storage_encrypted", instance.storage_encrypted())
}

/// `aws_db_instance` without tags. Left out are what moves by itself (`latest_restorable_time`) and what is a resource of its own (`replicas`).
fn alone(instance: &DbInstance) -> Properties {
    let endpoint = instance.endpoint();
    let parameters = instance.db_parameter_groups().first().and_then(|group| group.db_parameter_group_name());
    let options = instance.option_group_memberships().first().and_then(|group| group.option_group_name());
    let secret = instance.master_user_secret();
    let properties = common(instance)
        .told("address", endpoint.and_then(Endpoint::address))
        .told("endpoint", endpoint.and_then(host_and_port))
        .told("hosted_zone_id", endpoint.and_then(Endpoint::hosted_zone_id))
        .told("port", endpoint.and_then(Endpoint::port))
        .told("allocated_storage", instance.allocated_storage())
        .told("backup_retention_period", instance.backup_retention_period())
        .told("backup_target", instance.backup_target())
        .told("backup_window", instance.preferred_backup_window())
        .set("character_set_name", instance.character_set_name())
        .told("customer_owned_ip_enabled", instance.customer_owned_ip_enabled())
        .told("database_insights_mode", instance.database_insights_mode().map(DatabaseInsightsMode::as_str))
        .told("db_name", instance.db_name())
        .told("dedicated_log_volume", instance.dedicated_log_volume())
        .told("deletion_protection", instance.deletion_protection())
        .set("enabled_cloudwatch_logs_exports", instance.enabled_cloudwatch_logs_exports())
        .told("engine_lifecycle_support", instance.engine_lifecycle_support())
        .told("iam_database_authentication_enabled", instance.iam_database_authentication_enabled())
        .set("iops", instance.iops().unwrap_or(0))
        .told("license_model", instance.license_model())
        .told("maintenance_window", instance.preferred_maintenance_window())
        .block("master_user_secret", secret.map(master_user_secret))
        .set("max_allocated_storage", instance.max_allocated_storage().unwrap_or(0))
        .told("multi_az", instance.multi_az())
        .set("nchar_character_set_name", instance.nchar_character_set_name())
        .told("option_group_name", options)
        .told("parameter_group_name", parameters)
        .set("replica_mode", instance.replica_mode().map(ReplicaMode::as_str))
        .set("replicate_source_db", instance.read_replica_source_db_instance_identifier())
        .set("resource_id", instance.dbi_resource_id())
        .told("status", settled(instance.db_instance_status()))
        .set("storage_throughput", instance.storage_throughput().unwrap_or(0))
        .told("storage_type", instance.storage_type())
        .set("timezone", instance.timezone())
        .told("username", instance.master_username())
        .set("vpc_security_group_ids", security_groups(instance.vpc_security_groups()));
    domain(properties, instance.domain_memberships().first())
}

fn domain(properties: Properties, of: Option<&DomainMembership>) -> Properties {
    properties
        .set("domain", of.and_then(|domain| domain.domain()))
        .set("domain_auth_secret_arn", of.and_then(|domain| domain.auth_secret_arn()))
        .set("domain_dns_ips", of.map_or(&[][..], |domain| domain.dns_ips()))
        .set("domain_fqdn", of.and_then(|domain| domain.fqdn()))
        .set("domain_iam_role_name", of.and_then(|domain| domain.iam_role_name()))
        .set("domain_ou", of.and_then(|domain| domain.ou()))
}

fn host_and_port(endpoint: &Endpoint) -> Option<String> {
    Some(format!("{}:{}", endpoint.address()?, endpoint.port()?))
}

/// `aws_rds_cluster_instance` without tags. Which instance writes (`writer`) changes with every failover, and is left out.
fn member(instance: &DbInstance, cluster: &str) -> Properties {
    let endpoint = instance.endpoint();
    let parameters = instance.db_parameter_groups().first().and_then(|group| group.db_parameter_group_name());
    common(instance)
        .set("cluster_identifier", cluster)
        .told("db_parameter_group_name", parameters)
        .set("dbi_resource_id", instance.dbi_resource_id())
        .told("endpoint", endpoint.and_then(Endpoint::address))
        .told("port", endpoint.and_then(Endpoint::port))
        .told("preferred_backup_window", instance.preferred_backup_window())
        .told("preferred_maintenance_window", instance.preferred_maintenance_window())
        .told("promotion_tier", instance.promotion_tier())
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_rds::types::{DbParameterGroupStatus, MasterUserSecret, OptionGroupMembership};
    use serde_json::json;

    #[test]
    fn an_instance_with_a_managed_password_in_a_domain() {
        let instance = DbInstance::builder()
            .db_instance_identifier("reports")
            .dbi_resource_id("db-ABC")
            .db_instance_status("backing-up")
            .endpoint(Endpoint::builder().address("reports.example").port(5432).build())
            .db_parameter_groups(DbParameterGroupStatus::builder().db_parameter_group_name("mine").build())
            .option_group_memberships(OptionGroupMembership::builder().option_group_name("default:postgres-16").build())
            .master_user_secret(MasterUserSecret::builder().secret_arn("arn").secret_status("rotating").build())
            .domain_memberships(DomainMembership::builder().domain("d-1").dns_ips("10.0.0.2").build())
            .build();
        let properties = alone(&instance);
        assert_eq!(properties.get("endpoint"), Some(&json!("reports.example:5432")));
        assert_eq!(properties.get("parameter_group_name"), Some(&json!("mine")));
        assert_eq!(properties.get("option_group_name"), Some(&json!("default:postgres-16")));
        assert_eq!(properties.get("master_user_secret"), Some(&json!([{"kms_key_id": null, "secret_arn": "arn"}])));
        assert_eq!(properties.get("domain_dns_ips"), Some(&json!(["10.0.0.2"])));
        assert_eq!(properties.get("status"), None, "a backup passes");
        assert_eq!(properties.get("max_allocated_storage"), Some(&json!(0)), "does not grow by itself");
        assert_eq!(properties.get("deletion_protection"), None, "not told");
    }

    #[test]
    fn a_stopped_instance_says_so() {
        let instance = DbInstance::builder().db_instance_status("stopped").build();
        assert_eq!(alone(&instance).get("status"), Some(&json!("stopped")));
    }

    #[test]
    fn a_member_of_a_cluster_has_its_own_names() {
        let instance = DbInstance::builder()
            .db_instance_identifier("aurora-0")
            .endpoint(Endpoint::builder().address("aurora-0.example").port(5432).build())
            .promotion_tier(1)
            .build();
        let properties = member(&instance, "aurora");
        assert_eq!(properties.get("endpoint"), Some(&json!("aurora-0.example")));
        assert_eq!(properties.get("cluster_identifier"), Some(&json!("aurora")));
        assert_eq!(properties.get("backup_window"), None);
    }
}
