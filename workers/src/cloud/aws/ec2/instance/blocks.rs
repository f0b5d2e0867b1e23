//! An instance's nested blocks: its volumes and its options.

use std::collections::HashMap;

use aws_sdk_ec2::types::{
    AmdSevSnpSpecification, HostnameType, HttpTokensState, Instance, InstanceAutoRecoveryState,
    InstanceBlockDeviceMapping, InstanceMetadataEndpointState, InstanceMetadataOptionsResponse,
    InstanceMetadataProtocolState, InstanceMetadataTagsState, Volume, VolumeType,
};

use crate::cloud::Properties;

/// `root_block_device` and `ebs_block_device`. The volumes' own tags are left to `aws_ebs_volume`.
pub(super) fn storage(instance: &Instance, volumes: &HashMap<String, Volume>) -> Properties {
    let device = |mapping: &InstanceBlockDeviceMapping| {
        let ebs = mapping.ebs()?;
        let volume = volumes.get(ebs.volume_id()?)?;
        let block = Properties::new()
            .set("delete_on_termination", ebs.delete_on_termination())
            .set("device_name", mapping.device_name())
            .set("encrypted", volume.encrypted())
            .set("iops", volume.iops().unwrap_or_default())
            .set("kms_key_id", volume.kms_key_id())
            .set("throughput", volume.throughput().unwrap_or_default())
            .set("volume_id", volume.volume_id())
            .set("volume_size", volume.size())
            .set("volume_type", volume.volume_type().map(VolumeType::as_str));
        Some((block, volume))
    };
    let (root, others): (Vec<_>, Vec<_>) = instance
        .block_device_mappings()
        .iter()
        .partition(|mapping| mapping.device_name() == instance.root_device_name());
    let root = root.into_iter().find_map(device).map(|(block, _)| block);
    let others =
        others.into_iter().filter_map(device).map(|(block, volume)| block.set("snapshot_id", volume.snapshot_id()));
    let properties = Properties::new().blocks("ebs_block_device", others);
    // A root device without a volume is an instance store, or a volume that is being swapped: nothing to compare.
    match root {
        Some(root) => properties.block("root_block_device", Some(root)),
        None => properties,
    }
}

/// Options that the API gives as nested objects; those it leaves out are not compared.
pub(super) fn options(properties: Properties, instance: &Instance) -> Properties {
    let mut properties = properties;
    if let Some(options) = instance.metadata_options() {
        properties = properties.block("metadata_options", Some(metadata(options)));
    }
    if let Some(cpu) = instance.cpu_options() {
        let block = Properties::new()
            .set("amd_sev_snp", cpu.amd_sev_snp().map(AmdSevSnpSpecification::as_str))
            .set("core_count", cpu.core_count())
            .set("threads_per_core", cpu.threads_per_core());
        properties = properties
            .told("cpu_core_count", cpu.core_count())
            .told("cpu_threads_per_core", cpu.threads_per_core())
            .block("cpu_options", Some(block));
    }
    if let Some(enclave) = instance.enclave_options() {
        properties = properties.block("enclave_options", Some(Properties::new().set("enabled", enclave.enabled())));
    }
    if let Some(maintenance) = instance.maintenance_options() {
        let recovery = maintenance.auto_recovery().map(InstanceAutoRecoveryState::as_str);
        properties = properties.block("maintenance_options", Some(Properties::new().set("auto_recovery", recovery)));
    }
    if let Some(names) = instance.private_dns_name_options() {
        let block = Properties::new()
            .set("enable_resource_name_dns_a_record", names.enable_resource_name_dns_a_record())
            .set("enable_resource_name_dns_aaaa_record", names.enable_resource_name_dns_aaaa_record())
            .set("hostname_type", names.hostname_type().map(HostnameType::as_str));
        properties = properties.block("private_dns_name_options", Some(block));
    }
    properties
}

fn metadata(options: &InstanceMetadataOptionsResponse) -> Properties {
    Properties::new()
        .told("http_endpoint", options.http_endpoint().map(InstanceMetadataEndpointState::as_str))
        .told("http_protocol_ipv6", options.http_protocol_ipv6().map(InstanceMetadataProtocolState::as_str))
        .told("http_put_response_hop_limit", options.http_put_response_hop_limit())
        .told("http_tokens", options.http_tokens().map(HttpTokensState::as_str))
        .told("instance_metadata_tags", options.instance_metadata_tags().map(InstanceMetadataTagsState::as_str))
}
