//! Asks a cloud whose credentials these are, and registers the account if they are right: the only place that does.

use std::time::Duration;

use jobs::audit::{Action, Entry, Target, append};
use jobs::db::account_registration;
use jobs::db::cloud_account::{self, NewCloudAccount};
use jobs::db::org;
use jobs::kinds::validate_account::{SealedCredential, ValidateAccount};
use jobs::plan;
use jobs::queue::JobError;
use serde_json::{Value, json};

use super::is_final;
use crate::cloud::{self, CloudError, CloudProvider, Credential, ErrorClass};
use crate::runtime::JobContext;
use crate::services::Services;

/// Where account-wide questions are asked when nobody says.
const DEFAULT_REGION: &str = "us-east-1";
/// The cloud's share of an attempt: a cloud that is slow is told as such, not as an attempt that took too long.
const CLOUD_PATIENCE: Duration = Duration::from_secs(50);

/// Runs [`ValidateAccount`].
#[derive(Debug, Clone)]
pub struct Handler(pub Services);

/// What the cloud said.
struct Validated {
    /// The principal that the credentials belong to.
    principal: String,
    /// Where account-wide questions are asked from now on.
    default_region: String,
}

impl crate::runtime::Handler for Handler {
    type Job = ValidateAccount;

    async fn run(&self, cx: &JobContext, job: ValidateAccount) -> Result<Value, JobError> {
        let result = self.register(cx, &job).await;
        if let Err(error) = &result
            && is_final(cx, error)
            && let Err(error) = forget_credential(cx, &job).await
        {
            tracing::warn!(registration = %job.account_id, %error, "credential not forgotten, maintenance will do it");
        }
        result.map(|()| Value::Null)
    }
}

impl Handler {
    async fn register(&self, cx: &JobContext, job: &ValidateAccount) -> Result<(), JobError> {
        let mut conn = cx.pool.acquire().await?;
        if cloud_account::get(&mut conn, job.org_id, job.account_id).await?.is_some() {
            // An attempt before this one got through, and its worker did not live to say so.
            return Ok(());
        }
        let sealed = account_registration::credential(&mut conn, job.org_id, job.account_id).await?;
        // No connection is held while the cloud is asked.
        drop(conn);
        let sealed = sealed.map(SealedCredential::from_bytes).ok_or_else(|| {
            let message =
                format!("registration {} is over and its credential forgotten: register anew", job.account_id);
            JobError::fail("registration_over", message)
        })?;
        let asked = tokio::time::timeout(CLOUD_PATIENCE, self.validate(job, &sealed));
        let validated = match cx.cancel.run_until_cancelled(asked).await {
            Some(Ok(validated)) => validated?,
            Some(Err(_)) => {
                let message = format!("the cloud did not answer within {CLOUD_PATIENCE:?}");
                return Err(JobError::retry("cloud_unreachable", message));
            }
            None => return Err(JobError::cancel("cancelled while the cloud was asked")),
        };
        store(cx, job, &sealed, &validated).await
    }

    async fn validate(&self, job: &ValidateAccount, sealed: &SealedCredential) -> Result<Validated, JobError> {
        let text = sealed.open(&self.0.keyring, job.org_id, job.account_id).map_err(|error| {
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
        let default_region = default_region(job.default_region.clone(), &regions)?;
        Ok(Validated { principal: identity.arn, default_region })
    }
}

/// Stores the account, the trace of who wanted it and the end of its registration together, or nothing. What the API has
/// checked is checked again: others may have been quicker.
async fn store(
    cx: &JobContext,
    job: &ValidateAccount,
    sealed: &SealedCredential,
    validated: &Validated,
) -> Result<(), JobError> {
    let mut tx = cx.pool.begin().await?;
    cx.hold(&mut tx).await?;
    let plan = org::lock(&mut tx, job.org_id).await?;
    let plan = plan.ok_or_else(|| JobError::fail("not_found", format!("no organisation {}", job.org_id)))?;
    let used = cloud_account::count(&mut tx, job.org_id).await?;
    plan::check_room(plan, plan::limits(plan).cloud_accounts, (used, 1)).map_err(|exceeded| {
        JobError::refuse("plan_limit_exceeded", exceeded.message("cloud accounts")).with_details(json!(exceeded))
    })?;
    if cloud_account::find(&mut tx, job.org_id, job.provider, &job.external_account_id).await?.is_some() {
        let message = format!("the account {} is already registered in this organisation", job.external_account_id);
        return Err(blame("account_exists", "external_account_id", message));
    }
    let new = NewCloudAccount {
        id: job.account_id,
        org_id: job.org_id,
        provider: job.provider,
        external_account_id: &job.external_account_id,
        display_name: &job.display_name,
        credential_type: job.credential_type,
        credential: sealed.as_bytes(),
        default_region: &validated.default_region,
    };
    let account = cloud_account::insert(&mut tx, &new).await?;
    account_registration::forget_credential(&mut tx, job.org_id, job.account_id).await?;
    let entry = Entry {
        org: Some(job.org_id),
        actor: &job.actor,
        origin: &job.origin,
        action: Action::CloudAccountCreated,
        target: Target { kind: "cloud_account", id: account.id.to_string() },
        details: json!({
            "provider": account.provider,
            "external_account_id": account.external_account_id,
            "display_name": account.display_name,
            "credential_type": account.credential_type,
            "principal": validated.principal,
        }),
    };
    append(&mut tx, &entry).await?;
    tx.commit().await?;
    Ok(())
}

/// Nothing is kept of a registration that failed but that it did.
async fn forget_credential(cx: &JobContext, job: &ValidateAccount) -> Result<(), JobError> {
    let mut tx = cx.pool.begin().await?;
    cx.hold(&mut tx).await?;
    account_registration::forget_credential(&mut tx, job.org_id, job.account_id).await?;
    tx.commit().await?;
    Ok(())
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

/// A failure and the field of the request that is to blame: the caller's to mend, not an operator's.
fn blame(class: &'static str, field: &str, message: String) -> JobError {
    JobError::refuse(class, message).with_details(json!({ "field": field }))
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
