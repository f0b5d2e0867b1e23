//! `POST /orgs/{id}/state-sources`

use jobs::audit::{Action, Entry, Target, append};
use jobs::db::state_source::{self, NewStateSource};
use jobs::db::{cloud_account, org};
use jobs::domain::StateSourceKind;
use jobs::ids::{CloudAccountId, StateSourceId};
use jobs::{plan, providers};
use salvo::Writer as _;
use salvo::oapi::{ToSchema, endpoint};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Source;
use crate::access::{Member, Tenant};
use crate::answer::Created;
use crate::idempotency::{Claim, Idempotency};
use crate::problem::{FieldError, PlanLimit, Problem};
use crate::request::{Body, field_id};

/// A state source to be registered.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewSource {
    /// Name that people see, 1 to 128 characters.
    display_name: String,
    /// `s3` or `upload`.
    #[salvo(schema(value_type = String))]
    kind: StateSourceKind,
    /// The account that the state describes; `s3` reads with its credentials and needs it. Without one the state stands for
    /// all accounts of the organisation.
    cloud_account_id: Option<String>,
    /// By kind. `s3`: `{"bucket", "key", "region"}`; `upload`: `{}`.
    config: Value,
}

/// Where in S3 a state lies.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct S3Config {
    bucket: String,
    key: String,
    region: String,
}

/// Register where Terraform state lives
///
/// Nothing is fetched yet: call refresh, or upload the state's bytes.
#[endpoint(
    operation_id = "register_state_source",
    tags("state-sources"),
    responses((status_code = 402, description = "The plan's number of state sources is reached"))
)]
pub(super) async fn register_state_source(
    tenant: Tenant<Member>,
    body: Body<NewSource>,
    idempotency: Idempotency,
) -> Result<Created<Source>, Problem> {
    let new = body.0;
    let cloud_account_id: Option<CloudAccountId> =
        new.cloud_account_id.as_deref().map(|id| field_id("cloud_account_id", id)).transpose()?;
    check(&new)?;
    let attempt = match idempotency.claim(&tenant).await? {
        Claim::Repeated(answer) => return Ok(answer),
        Claim::First(attempt) => attempt,
    };
    let mut tx = tenant.app.begin().await?;
    org::lock(&mut tx, tenant.org).await?;
    if let Some(account) = cloud_account_id
        && cloud_account::get(&mut tx, tenant.org, account).await?.is_none()
    {
        return Err(Problem::invalid("cloud_account_id", "no such cloud account in this organisation"));
    }
    let used = state_source::count(&mut tx, tenant.org).await?;
    PlanLimit::check("state sources", tenant.plan, plan::limits(tenant.plan).state_sources, (used, 1))?;
    let source = state_source::insert(
        &mut tx,
        &NewStateSource {
            id: StateSourceId::new(),
            org_id: tenant.org,
            cloud_account_id,
            kind: new.kind,
            display_name: &new.display_name,
            config: &new.config,
            secret_config: None,
        },
    )
    .await?;
    let entry = Entry {
        org: Some(tenant.org),
        actor: &tenant.caller.actor(),
        origin: &tenant.origin(),
        action: Action::StateSourceCreated,
        target: Target { kind: "state_source", id: source.id.to_string() },
        details: json!({"kind": source.kind, "display_name": source.display_name, "config": source.config}),
    };
    append(&mut tx, &entry).await?;
    let path = format!("/api/v2/orgs/{}/state-sources/{}", tenant.org, source.id);
    attempt.commit(tx, Created::new(&Source::from(source))?.location(&path)).await
}

fn check(new: &NewSource) -> Result<(), Problem> {
    let mut fields = Vec::new();
    let mut wrong = |field: &str, message: &str| {
        fields.push(FieldError { field: field.to_owned(), message: message.to_owned() });
    };
    if !(1..=128).contains(&new.display_name.trim().chars().count()) {
        wrong("display_name", "must have 1 to 128 characters");
    }
    match new.kind {
        StateSourceKind::Upload => {
            if new.config != json!({}) {
                wrong("config", "must be {} for the kind upload: the state is sent by hand");
            }
        }
        StateSourceKind::S3 => {
            if new.cloud_account_id.is_none() {
                wrong(
                    "cloud_account_id",
                    "is required for the kind s3: the state is read with the account's credentials",
                );
            }
            match S3Config::deserialize(&new.config) {
                Err(error) => wrong("config", &format!("{error}: bucket, key and region are expected")),
                Ok(config) => {
                    if !is_bucket(&config.bucket) {
                        wrong("config.bucket", "is not the name of an S3 bucket");
                    }
                    if !(1..=1024).contains(&config.key.len()) {
                        wrong("config.key", "must have 1 to 1024 bytes");
                    }
                    if !providers::is_aws_region(&config.region) {
                        wrong("config.region", "is not a region of AWS");
                    }
                }
            }
        }
        StateSourceKind::Gcs | StateSourceKind::AzureBlob | StateSourceKind::Tfc => {
            wrong("kind", "cannot be read by this version: use s3 or upload");
        }
    }
    if fields.is_empty() { Ok(()) } else { Err(Problem::invalid_fields(fields)) }
}

/// Amazon S3 User Guide, "General purpose bucket naming rules": 3 to 63 lower-case letters, digits, dots and hyphens, a
/// letter or digit at both ends. Nothing that could be read as another host passes.
fn is_bucket(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'.' || byte == b'-';
    let edge = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    (3..=63).contains(&name.len())
        && name.bytes().all(inner)
        && edge(name.bytes().next())
        && edge(name.bytes().next_back())
        && !name.contains("..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_names_follow_the_rules_of_s3() {
        for good in ["abc", "my-state.example.com", "0a0"] {
            assert!(is_bucket(good), "{good}");
        }
        for bad in ["", "ab", "-abc", "abc.", "a..b", "Abc", "a/b", "a@evil", &"a".repeat(64)] {
            assert!(!is_bucket(bad), "{bad}");
        }
    }
}
