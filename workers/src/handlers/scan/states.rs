//! Before the cloud is read, the states that describe it are read again where they are stale. A state that cannot be read is
//! told among the scan's errors, under the service `state`; drift then uses the last snapshot of it.

use chrono::{TimeDelta, Utc};
use jobs::db::scan_run::ScanError;
use jobs::db::state_source::{self, StateSource};
use jobs::domain::StateSourceKind;
use jobs::queue::JobError;
use sqlx::PgConnection;

use super::super::refresh_state_source::read_s3;
use super::Running;
use super::errors::STATE;
use super::progress::Reporter;
use crate::cloud::GLOBAL;
use crate::services::Connected;

/// How old a state may be.
const FRESH: TimeDelta = TimeDelta::minutes(5);

/// Refreshes the stale ones among the account's states that can be fetched.
pub(super) async fn refresh_stale(
    scan: &mut Running<'_>,
    conn: &mut PgConnection,
    connected: &Connected,
    reporter: &mut Reporter<'_>,
) -> Result<(), JobError> {
    let sources = state_source::list_for_account(conn, scan.run.org_id, scan.run.cloud_account_id).await?;
    let stale: Vec<&StateSource> = sources.iter().filter(|source| is_stale(source)).collect();
    for (done, source) in stale.iter().enumerate() {
        reporter.report("state", done as u64, stale.len() as u64).await?;
        match read_s3(scan.services, scan.cx, conn, source, connected).await {
            Ok(_) => {}
            // Ours, not the state's: the scan as a whole is tried again.
            Err(error) if matches!(error.error_class, "database" | "claim_lost") => return Err(error),
            Err(error) => scan.errors.push(unread(source, &error)),
        }
    }
    Ok(())
}

/// Clocks of machines differ by less than what would matter here.
fn is_stale(source: &StateSource) -> bool {
    let is_fresh = source.last_fetched_at.is_some_and(|at| Utc::now() - at < FRESH);
    source.kind == StateSourceKind::S3 && !is_fresh
}

fn unread(source: &StateSource, error: &JobError) -> ScanError {
    let consequence = match source.last_fetched_at {
        Some(at) => format!("drift uses what was read of it at {}", at.format("%Y-%m-%dT%H:%M:%SZ")),
        None => "it was never read, so drift does without it".to_owned(),
    };
    ScanError {
        service: STATE.to_owned(),
        region: GLOBAL.to_owned(),
        provider_types: Vec::new(),
        error_class: error.error_class.to_owned(),
        operation: format!("refresh {}", source.id),
        message: format!("state source \"{}\": {error}; {consequence}", source.display_name),
    }
}
