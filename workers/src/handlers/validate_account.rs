//! Asks a cloud whose credentials these are, for a request that registers an account.

use jobs::kinds::validate_account::{ValidateAccount, Validated};
use jobs::queue::JobError;
use serde_json::{Value, json};

use super::answer;
use crate::cloud::{self, CloudError, CloudProvider, Credential, ErrorClass};
use crate::runtime::JobContext;
use crate::services::Services;

/// Where account-wide questions are asked when nobody says.
const DEFAULT_REGION: &str = "us-east-1";

/// Runs [`ValidateAccount`].
#[derive(Debug, Clone)]
pub struct Handler(pub Services);

impl crate::runtime::Handler for Handler {
    type Job = ValidateAccount;

    async fn run(&self, _: &JobContext, job: ValidateAccount) -> Result<Value, JobError> {
        let text = job.credential.open(&self.0.keyring, job.org_id, job.account_id).map_err(|error| {
            JobError::fail("credential_unreadable", format!("the sealed credential cannot be opened: {error}"))
        })?;
        let credential = Credential {
            org_id: job.org_id,
            account_id: job.external_account_id.clone(),
            credential_type: job.credential_type.as_str().to_owned(),
            credential_ref: text,
        };
        let options = self.0.options_for(job.default_region.as_deref().unwrap_or(DEFAULT_REGION));
        let provider = cloud::connect(job.provider.as_str(), &credential, options).map_err(|error| refused(&error))?;
        let identity = provider.validate().await.map_err(|error| refused(&error))?;
        if identity.account_id != job.external_account_id {
            return Err(blame(
                "account_mismatch",
                "external_account_id",
                format!(
                    "the credentials belong to account {}, not to {}: correct external_account_id or give other credentials",
                    identity.account_id, job.external_account_id
                ),
            ));
        }
        let regions = regions(provider.as_ref()).await?;
        let default_region = default_region(job.default_region, &regions)?;
        answer(&Validated {
            external_account_id: identity.account_id,
            principal: identity.arn,
            default_region,
            regions,
        })
    }
}

/// The account's regions; none where the credentials may not list them, which scans of named regions can do without.
async fn regions(provider: &dyn CloudProvider) -> Result<Vec<String>, JobError> {
    match provider.regions().await {
        Err(CloudError::Refused(error)) if error.class == ErrorClass::AccessDenied => Ok(Vec::new()),
        other => other.map_err(|error| refused(&error)),
    }
}

/// The region asked for, checked; otherwise the usual one, or the first where that is not there.
fn default_region(asked: Option<String>, known: &[String]) -> Result<String, JobError> {
    let is_known = |region: &String| known.is_empty() || known.contains(region);
    match asked {
        Some(region) if is_known(&region) => Ok(region),
        Some(region) => Err(blame(
            "region_unknown",
            "default_region",
            format!("the account has no region {region}; it has {}", known.join(", ")),
        )),
        None => {
            let usual = DEFAULT_REGION.to_owned();
            Ok(if is_known(&usual) { usual } else { known.first().cloned().unwrap_or(usual) })
        }
    }
}

/// A failure and the field of the request that is to blame.
fn blame(class: &'static str, field: &str, message: String) -> JobError {
    JobError::fail(class, message).with_details(json!({ "field": field }))
}

fn refused(error: &CloudError) -> JobError {
    let message = error.to_string();
    match error {
        CloudError::MalformedCredential { .. } | CloudError::ForeignExternalId(_) => {
            blame("credential_malformed", "credential_ref", message)
        }
        CloudError::AccountMismatch { .. } => blame("account_mismatch", "external_account_id", message),
        // A request waits: whoever runs the installation has to do something first.
        CloudError::NoPlatformIdentity(_) => JobError::fail("no_platform_identity", message),
        CloudError::Refused(_) => blame("credential_invalid", "credential_ref", message),
        CloudError::UnknownProvider(_) | CloudError::UnknownTypes(_) => {
            blame("provider_unsupported", "provider", message)
        }
        CloudError::UnknownRegions { .. } => blame("region_unknown", "default_region", message),
        CloudError::Unavailable(_) => JobError::retry("cloud_unreachable", message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Vec<String> {
        vec!["cn-north-1".to_owned(), "cn-northwest-1".to_owned()]
    }

    #[test]
    fn a_region_that_the_account_lacks_is_blamed_on_its_field() {
        let error = default_region(Some("mars-1".to_owned()), &known()).unwrap_err();
        assert_eq!((error.error_class, error.details), ("region_unknown", Some(json!({ "field": "default_region" }))));
        assert!(error.message.contains("no region mars-1; it has cn-north-1, cn-northwest-1"));
    }

    #[test]
    fn without_one_the_usual_is_taken_where_it_is_there() {
        assert_eq!(default_region(None, &known()).unwrap(), "cn-north-1");
        assert_eq!(default_region(None, &[]).unwrap(), "us-east-1");
        assert_eq!(default_region(Some("eu-west-1".to_owned()), &[]).unwrap(), "eu-west-1");
    }
}
