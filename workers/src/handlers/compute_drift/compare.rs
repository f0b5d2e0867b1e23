//! From rows to a report: the database streams both sides to a thread that compares.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use drift::compare::{Declarations, Report, Settings, Unreadable};
use drift::rules::Policy;
use drift::sensitive::SensitiveKey;
use drift::{DeclaredResource, LiveResource};
use futures::TryStreamExt as _;
use jobs::db::scan_run::{ScanError, ScanRun};
use jobs::db::state_source::StateSource;
use jobs::db::{cloud_account, declared_resource, live_resource, state_snapshot, state_source};
use jobs::ids::StateSnapshotId;
use jobs::providers;
use jobs::queue::JobError;
use sqlx::PgConnection;
use tokio::sync::mpsc;

use crate::cloud::GLOBAL;
use crate::live;
use crate::services::Services;

/// Rows handed over at a time.
const BATCH: usize = 500;
/// Batches that may wait for the comparison.
const WAITING: usize = 4;

/// A report, and what it was made from.
pub(super) struct Compared {
    pub report: Report,
    /// The sources that have been read at least once.
    pub sources: Vec<StateSource>,
    /// What the scan could not read.
    pub unreadable: Vec<Unreadable>,
}

/// What the comparing thread is sent: everything declared, then everything live.
enum Piece {
    Declared(Vec<(Arc<str>, DeclaredResource)>),
    Live(Vec<LiveResource>),
}

/// All that the comparing thread owns.
struct Sides {
    readable_types: BTreeSet<String>,
    unreadable: Vec<Unreadable>,
    regions: Option<BTreeSet<String>>,
    account: String,
    cloud_account_id: String,
    parse_failure_count: u64,
    policy: Arc<Policy>,
    key: SensitiveKey,
}

impl Sides {
    /// Compares what comes, on a blocking thread.
    fn compare(&self, mut pieces: mpsc::Receiver<Piece>) -> Report {
        let mut declarations = Declarations::new(Settings {
            readable_types: &self.readable_types,
            unreadable: &self.unreadable,
            regions: self.regions.as_ref(),
            account: Some(&self.account),
            cloud_account_id: Some(&self.cloud_account_id),
            parse_failure_count: self.parse_failure_count,
            policy: &self.policy,
            key: &self.key,
        });
        let mut first_live = Vec::new();
        while let Some(piece) = pieces.blocking_recv() {
            match piece {
                Piece::Declared(batch) => {
                    for (source, resource) in batch {
                        declarations.add(&source, resource);
                    }
                }
                Piece::Live(batch) => {
                    first_live = batch;
                    break;
                }
            }
        }
        let mut comparison = declarations.against_live();
        for resource in first_live {
            comparison.observe(resource);
        }
        while let Some(piece) = pieces.blocking_recv() {
            if let Piece::Live(batch) = piece {
                for resource in batch {
                    comparison.observe(resource);
                }
            }
        }
        comparison.finish()
    }
}

/// Compares what the run saw with what the account's states declare.
pub(super) async fn compare(services: &Services, conn: &mut PgConnection, run: &ScanRun) -> Result<Compared, JobError> {
    let account = cloud_account::get(conn, run.org_id, run.cloud_account_id).await?;
    let account = account
        .ok_or_else(|| JobError::fail("not_found", format!("account {} of the scan is gone", run.cloud_account_id)))?;
    let all = state_source::list_for_account(conn, run.org_id, run.cloud_account_id).await?;
    let sources: Vec<StateSource> = all.into_iter().filter(|source| source.latest_snapshot_id.is_some()).collect();
    let mut parse_failure_count = 0;
    for snapshot in sources.iter().filter_map(|source| source.latest_snapshot_id) {
        let stored = state_snapshot::get(conn, run.org_id, snapshot).await?;
        parse_failure_count += stored.map_or(0, |stored| u64::from(stored.parse_failure_count.unsigned_abs()));
    }
    let unreadable = unreadable(&run.scan_errors);
    let sides = Sides {
        readable_types: readable_types(account.provider.as_str()),
        unreadable: unreadable.clone(),
        regions: asked_regions(run),
        account: account.external_account_id,
        cloud_account_id: run.cloud_account_id.to_string(),
        parse_failure_count,
        policy: Arc::clone(&services.policy),
        key: services.drift_key(conn, run.org_id).await?,
    };
    let (sender, pieces) = mpsc::channel(WAITING);
    let comparing = tokio::task::spawn_blocking(move || sides.compare(pieces));
    send_declared(conn, run, &sources, &sender).await?;
    send_live(conn, run, &sender).await?;
    drop(sender);
    let report = comparing.await.map_err(|panic| JobError::retry("panic", format!("the comparison: {panic}")))?;
    Ok(Compared { report, sources, unreadable })
}

async fn send_declared(
    conn: &mut PgConnection,
    run: &ScanRun,
    sources: &[StateSource],
    to: &mpsc::Sender<Piece>,
) -> Result<(), JobError> {
    let ids: HashMap<StateSnapshotId, Arc<str>> =
        sources.iter().filter_map(|source| Some((source.latest_snapshot_id?, source.id.to_string().into()))).collect();
    let snapshots: Vec<StateSnapshotId> = sources.iter().filter_map(|source| source.latest_snapshot_id).collect();
    for snapshot in snapshots {
        let Some(source) = ids.get(&snapshot) else { continue };
        let mut rows = declared_resource::stream::<DeclaredResource>(conn, run.org_id, &[snapshot]).try_chunks(BATCH);
        while let Some(batch) = rows.try_next().await.map_err(|error| error.1)? {
            let batch = batch.into_iter().map(|row| (Arc::clone(source), row.resource.0)).collect();
            hand_over(to, Piece::Declared(batch)).await?;
        }
    }
    Ok(())
}

async fn send_live(conn: &mut PgConnection, run: &ScanRun, to: &mpsc::Sender<Piece>) -> Result<(), JobError> {
    let rows = live_resource::stream_seen(conn, run.org_id, run.cloud_account_id, run.id);
    let mut rows = rows.try_chunks(BATCH);
    while let Some(batch) = rows.try_next().await.map_err(|error| error.1)? {
        hand_over(to, Piece::Live(batch.into_iter().map(live::resource).collect())).await?;
    }
    Ok(())
}

async fn hand_over(to: &mpsc::Sender<Piece>, piece: Piece) -> Result<(), JobError> {
    to.send(piece).await.map_err(|_| JobError::retry("panic", "the comparison ended before it had everything"))
}

/// The types that this build reads in a cloud.
fn readable_types(provider: &str) -> BTreeSet<String> {
    let types = providers::find(provider).map(|provider| provider.readable_types).unwrap_or_default();
    types.iter().map(|name| (*name).to_owned()).collect()
}

/// What the scan could not read, as drift takes it. A failure of a service without regions concerns all of them.
fn unreadable(errors: &[ScanError]) -> Vec<Unreadable> {
    errors
        .iter()
        .filter(|error| !error.provider_types.is_empty())
        .map(|error| Unreadable {
            provider_types: error.provider_types.clone(),
            region: (error.region != GLOBAL).then(|| error.region.clone()),
            reason: format!("{} could not be read in {}: {}", error.service, error.region, error.error_class),
        })
        .collect()
}

/// The regions asked for, with that of resources that have none; `None` for all.
fn asked_regions(run: &ScanRun) -> Option<BTreeSet<String>> {
    if run.filter_regions.is_empty() {
        return None;
    }
    Some(run.filter_regions.iter().cloned().chain([GLOBAL.to_owned()]).collect())
}
