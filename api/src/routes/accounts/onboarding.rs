//! `GET /orgs/{id}/cloud-onboarding-info`

use jobs::domain::Provider;
use salvo::Writer as _;
use salvo::oapi::{ToSchema, endpoint};
use salvo::prelude::Json;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::access::{Tenant, Viewer};
use crate::problem::Problem;
use crate::request::{Filter, Only, Parameter, Query};

/// What to set up in the cloud before registering an account. Fields that do not apply to the provider are null.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OnboardingInfo {
    org_id: Uuid,
    #[salvo(schema(value_type = String))]
    provider: Provider,
    /// AWS: the trust policy of the role that Plumbline assumes.
    trust_policy: Option<Value>,
    /// AWS: a command that creates the role, allows it to read and prints its ARN.
    iam_grant_command: Option<String>,
    oidc_provider_create_command: Option<String>,
    federated_credential: Option<Value>,
    wif_principal: Option<String>,
    az_cli_command: Option<String>,
}

/// The cloud that is asked about.
#[derive(Debug)]
pub(super) struct Which(Provider);

impl Filter for Which {
    const PARAMETERS: &'static [Parameter] =
        &[Parameter { name: "provider", description: "The cloud.", words: &["aws", "azure", "gcp"], required: true }];

    fn parse(query: Query<'_>) -> Result<Self, Problem> {
        query
            .value("provider")?
            .map(Self)
            .ok_or_else(|| Problem::bad_parameter("provider", "is required: aws, azure or gcp"))
    }
}

/// Ready-made trust policy and grants for one cloud
///
/// Apply them in your cloud, then register the account. The external id is the organisation's id.
#[endpoint(
    operation_id = "get_cloud_onboarding_info",
    tags("accounts"),
    responses((status_code = 422, description = "Accounts of this cloud cannot be scanned"))
)]
pub(super) async fn get_cloud_onboarding_info(
    tenant: Tenant<Viewer>,
    which: Only<Which>,
) -> Result<Json<OnboardingInfo>, Problem> {
    let org = tenant.org.to_string();
    let provider = which.0.0;
    if provider != Provider::Aws {
        return Err(Problem::invalid(
            "provider",
            format!("accounts of {provider} cannot be scanned by this version: use aws"),
        ));
    }
    let trust = trust_policy(tenant.app.aws_principal(), &org);
    Ok(Json(OnboardingInfo {
        iam_grant_command: Some(grant_command(&trust)),
        trust_policy: Some(trust),
        org_id: tenant.org.uuid(),
        provider,
        oidc_provider_create_command: None,
        federated_credential: None,
        wif_principal: None,
        az_cli_command: None,
    }))
}

/// Lets this installation's AWS principal assume the role, with the organisation's id as external id, so that no other
/// customer of the installation can (AWS IAM User Guide, "The confused deputy problem").
fn trust_policy(principal: &str, org: &str) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": {"AWS": principal},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"sts:ExternalId": org}},
        }],
    })
}

/// `ViewOnlyAccess` lists everything but reads little; `SecurityAudit` reads the configuration, and neither reads data.
fn grant_command(trust: &Value) -> String {
    format!(
        "aws iam create-role --role-name plumbline-reader --assume-role-policy-document '{trust}' --query Role.Arn --output text \
         && aws iam attach-role-policy --role-name plumbline-reader --policy-arn arn:aws:iam::aws:policy/SecurityAudit \
         && aws iam attach-role-policy --role-name plumbline-reader --policy-arn arn:aws:iam::aws:policy/job-function/ViewOnlyAccess"
    )
}
