//! The clouds this build supports, as `GET /api/v2/providers` describes them.
//!
//! The API must not depend on the workers, who do the reading, so what they can read is repeated here as data; a test beside
//! the readers (`workers/src/cloud/aws/mod.rs`) keeps the two lists equal.

use serde::Serialize;

/// One cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Provider {
    /// The name in accounts, filters and paths.
    pub id: &'static str,
    /// The name for people.
    pub name: &'static str,
    /// Whether accounts of this cloud can be scanned by this build.
    pub supported: bool,
    /// Accepted values of an account's `credential_type`.
    pub credential_types: &'static [&'static str],
    /// Terraform types that a scan can read, sorted. Declared resources of other types are `unchecked`.
    pub readable_types: &'static [&'static str],
}

/// All clouds that the API's contract names.
pub const PROVIDERS: &[Provider] = &[
    Provider {
        id: "aws",
        name: "Amazon Web Services",
        supported: true,
        credential_types: &["access_key", "assume_role"],
        readable_types: AWS_TYPES,
    },
    Provider { id: "azure", name: "Microsoft Azure", supported: false, credential_types: &[], readable_types: &[] },
    Provider { id: "gcp", name: "Google Cloud", supported: false, credential_types: &[], readable_types: &[] },
];

/// The cloud with this id.
#[must_use]
pub fn find(id: &str) -> Option<&'static Provider> {
    PROVIDERS.iter().find(|provider| provider.id == id)
}

/// What the AWS readers read.
const AWS_TYPES: &[&str] = &[
    "aws_ami",
    "aws_ebs_snapshot",
    "aws_ebs_volume",
    "aws_ec2_managed_prefix_list",
    "aws_eip",
    "aws_eip_association",
    "aws_flow_log",
    "aws_instance",
    "aws_internet_gateway",
    "aws_internet_gateway_attachment",
    "aws_key_pair",
    "aws_launch_template",
    "aws_main_route_table_association",
    "aws_nat_gateway",
    "aws_network_acl",
    "aws_network_acl_rule",
    "aws_network_interface",
    "aws_route",
    "aws_route_table",
    "aws_route_table_association",
    "aws_security_group",
    "aws_subnet",
    "aws_volume_attachment",
    "aws_vpc",
    "aws_vpc_dhcp_options",
    "aws_vpc_endpoint",
    "aws_vpc_peering_connection",
    "aws_vpc_peering_connection_accepter",
    "aws_vpc_security_group_egress_rule",
    "aws_vpc_security_group_ingress_rule",
];
