//! Fetches and parses a Terraform state, for a request that waits.

use std::future::Future;

use jobs::artifacts::{Error as ArtifactError, Key};
use jobs::db::cloud_account;
use jobs::db::state_source::{self, Presence, StateSource};
use jobs::domain::{Provider, StateSourceKind};
use jobs::ids::CloudAccountId;
use jobs::kinds::refresh_state_source::{RefreshStateSource, Refreshed};
use jobs::queue::JobError;
use serde_json::Value;
use sqlx::PgConnection;
use tokio_util::io::StreamReader;

use super::{answer, is_final};
use crate::cloud::aws::object::{self, Location};
use crate::ingest::{self, Bytes, Fault, IngestError, Reason, Source};
use crate::runtime::JobContext;
use crate::services::{Connected, Services};

/// Runs [`RefreshStateSource`].
#[derive(Debug, Clone)]
pub struct Handler(pub Services);

impl crate::runtime::Handler for Handler {
    type Job = RefreshStateSource;

    async fn run(&self, cx: &JobContext, job: RefreshStateSource) -> Result<Value, JobError> {
        let mut conn = cx.pool.acquire().await?;
        let absent = || JobError::refuse("not_found", format!("no state source {}", job.state_source_id));
        let result = match state_source::get(&mut conn, job.org_id, job.state_source_id).await? {
            Some(source) => self.refresh(cx, &mut conn, &job, &source).await,
            None => Err(absent()),
        };
        let is_over = result.as_ref().err().is_none_or(|error| is_final(cx, error));
        if is_over && let Some(key) = &job.artifact {
            self.forget(key).await;
        }
        answer(&result?)
    }
}

impl Handler {
    async fn refresh(
        &self,
        cx: &JobContext,
        conn: &mut PgConnection,
        job: &RefreshStateSource,
        source: &StateSource,
    ) -> Result<Refreshed, JobError> {
        match (source.kind, &job.artifact) {
            (StateSourceKind::Upload, Some(key)) => read_upload(&self.0, cx, conn, source, key).await,
            (StateSourceKind::Upload, None) => Err(JobError::refuse(
                "upload_required",
                format!(
                    "state source {} is of kind upload: send the state with PUT …/state-sources/{}/state",
                    source.id, source.id
                ),
            )),
            (StateSourceKind::S3, _) => {
                let account = account_for(conn, source).await?;
                let connected = self.0.connect(conn, source.org_id, account).await.map_err(of_backend)?;
                read_s3(&self.0, cx, conn, source, &connected).await
            }
            (kind, _) => Err(JobError::refuse(
                "kind_unsupported",
                format!("states of kind {kind} cannot be fetched yet; register the state as s3 or upload"),
            )),
        }
    }

    /// Deletes an uploaded artifact that nobody will read again. That it stays is no reason to fail the refresh.
    async fn forget(&self, key: &str) {
        let Ok(key) = key.parse::<Key>() else { return };
        if let Err(error) = self.0.artifacts.delete(&key).await {
            tracing::warn!(%key, %error, "uploaded state not deleted");
        }
    }
}

/// Whose credentials read a source: its own account's; for a source of all accounts the oldest AWS account's.
async fn account_for(conn: &mut PgConnection, source: &StateSource) -> Result<CloudAccountId, JobError> {
    if let Some(account) = source.cloud_account_id {
        return Ok(account);
    }
    let accounts = cloud_account::list_scannable(conn, source.org_id).await?;
    let aws = accounts.iter().find(|account| account.provider == Provider::Aws);
    aws.map(|account| account.id).ok_or_else(|| {
        JobError::refuse(
            "backend_credentials",
            format!(
                "state source {} belongs to no account, and there is none whose credentials could read it",
                source.id
            ),
        )
    })
}

/// An account's unusable credential, told as what it is to a state source.
fn of_backend(error: JobError) -> JobError {
    match error.error_class {
        "credential_malformed" | "account_mismatch" => JobError::refuse("backend_credentials", error.message),
        _ => error,
    }
}

/// Reads an uploaded state out of the artifact store.
async fn read_upload(
    services: &Services,
    cx: &JobContext,
    conn: &mut PgConnection,
    source: &StateSource,
    key: &str,
) -> Result<Refreshed, JobError> {
    let key: Key = key.parse().map_err(|error| JobError::fail("artifact_invalid", error))?;
    let open = || async {
        let body = services.artifacts.get_sealed(&services.keyring, source.org_id, &key).await;
        let body = body.map_err(|error| {
            let fault = if matches!(error, ArtifactError::NotFound(_)) { Fault::Ours } else { Fault::Passing };
            let message = format!("the uploaded state is not to be had, upload it again: {error}");
            IngestError::Backend(Reason { class: "artifact_unavailable", message, fault })
        })?;
        Ok(Box::new(StreamReader::new(body)) as Bytes)
    };
    read(services, cx, conn, source, open).await
}

/// Reads a state out of its bucket with an account's credentials.
///
/// # Errors
/// See [`RefreshStateSource`]; the source then says why.
pub(super) async fn read_s3(
    services: &Services,
    cx: &JobContext,
    conn: &mut PgConnection,
    source: &StateSource,
    connected: &Connected,
) -> Result<Refreshed, JobError> {
    let mut location: Location = serde_json::from_value(source.config.clone()).map_err(|error| {
        JobError::refuse(
            "config_invalid",
            format!("the config of state source {} is no place in S3: {error}", source.id),
        )
    })?;
    let region = location.region.get_or_insert_with(|| connected.account.default_region.clone());
    let options = services.options_for(region);
    let open = || async {
        let opened = object::open(&connected.credential, options.clone(), &location).await;
        let opened = opened.map_err(|error| IngestError::Backend(error.into()))?;
        Ok(Box::new(opened) as Bytes)
    };
    read(services, cx, conn, source, open).await
}

/// Ingests what `open` gives, and notes on the source why not.
async fn read<F, Fut>(
    services: &Services,
    cx: &JobContext,
    conn: &mut PgConnection,
    source: &StateSource,
    open: F,
) -> Result<Refreshed, JobError>
where
    F: Fn() -> Fut + Send + Sync,
    Fut: Future<Output = Result<Bytes, IngestError>> + Send,
{
    let key = services.drift_key(conn, source.org_id).await?;
    let wanted = Source { org_id: source.org_id, id: source.id, latest: source.latest_snapshot_id, key: &key, open };
    let error = match ingest::ingest(cx, conn, wanted).await {
        Ok(refreshed) => return Ok(refreshed),
        Err(error) => error,
    };
    let presence = if error.is_missing() { Presence::Missing } else { Presence::Unknown };
    tracing::info!(source = %source.id, class = error.class(), "state not read");
    let error = JobError::from(error);
    // Whether or not it is tried again, whoever looks at the source wants to know.
    state_source::set_fetch_failed(conn, source.org_id, source.id, &error.message, presence).await?;
    Err(error)
}
