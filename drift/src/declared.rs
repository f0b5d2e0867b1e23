//! The declared side: one managed object of a Terraform state, in the shape that is stored and compared.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One object that a Terraform state declares. Secrets in `attributes` are already replaced by
/// `{"$sensitive": "<keyed hash>"}`; see `drift::sensitive`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeclaredResource {
    /// As Terraform writes it: `module.m["a.b"].aws_sqs_queue.q[0]`.
    pub address: String,
    /// Terraform's resource type.
    pub provider_type: String,
    /// The provider's address with its alias: `registry.terraform.io/hashicorp/aws.eu`, preceded by the module where
    /// the provider is configured in one.
    pub provider: String,
    /// The `id` attribute.
    #[serde(default)]
    pub provider_resource_id: Option<String>,
    /// The `arn` attribute.
    #[serde(default)]
    pub arn: Option<String>,
    /// The region as far as the attributes tell it; [`crate::live::GLOBAL`] for global services. What they don't tell is learned at
    /// compare time from other resources of the same provider.
    #[serde(default)]
    pub region: Option<String>,
    /// Attributes as in the state, secrets hashed.
    pub attributes: Map<String, Value>,
    /// Paths of the hashed attributes, sorted.
    #[serde(default)]
    pub sensitive_paths: Vec<String>,
    /// Whether the object is in the normal state of things.
    #[serde(default)]
    pub status: Status,
}

/// What a state says about an object besides its attributes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nothing special.
    #[default]
    Ready,
    /// To be replaced at the next apply. Compared like any other.
    Tainted,
    /// Left over from a replacement and to be destroyed at the next apply; holds the deposed key. It may still exist: then it is
    /// neither extra nor changed; if it is gone, it is not missing.
    Deposed(String),
}
