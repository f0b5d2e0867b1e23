//! Runs readers over regions.
//!
//! The unit is a *slice*: one reader in one region. Slices run side by side, at most [`SLICES`] of an account and
//! [`PER_SERVICE`] of one service in one region (AWS throttles per account, region and service). A slice that fails, or
//! panics, costs its own types only. What failed is reported once per service, region and class of error, at the end, so that a
//! denied service reads as one line and not as one line per operation.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};
use tokio::task::{Id, JoinSet};
use tokio_util::sync::CancellationToken;

use super::reader::{Account, Context, Failed, Reader, Scope, Sink};
use crate::cloud::{ErrorClass, Event, GLOBAL, Progress, ReadError, ScanError};

/// Slices of one account that run at the same time.
const SLICES: usize = 32;
/// Of those, slices of one service in one region.
const PER_SERVICE: usize = 6;

/// One reader in one region (or in none).
#[derive(Debug, Clone)]
pub(super) struct Slice {
    pub reader: &'static Reader,
    /// The region's name, or [`GLOBAL`].
    pub region: Arc<str>,
}

/// The slices of a scan. Regions alternate, so that the first seconds are not spent on one region's limits.
pub(super) fn plan(readers: impl IntoIterator<Item = &'static Reader>, regions: &[String]) -> Vec<Slice> {
    let regions: Vec<Arc<str>> = regions.iter().map(|region| region.as_str().into()).collect();
    readers
        .into_iter()
        .flat_map(|reader| {
            let regions = match reader.scope {
                Scope::Global => vec![GLOBAL.into()],
                Scope::Regional => regions.clone(),
            };
            regions.into_iter().map(move |region| Slice { reader, region })
        })
        .collect()
}

/// A context for one slice. `home` is the region where global services are asked.
pub(super) fn context(account: &Arc<Account>, slice: &Slice, home: &str, events: mpsc::Sender<Event>) -> Context {
    let region = if &*slice.region == GLOBAL { home } else { &slice.region };
    Context {
        account: Arc::clone(account),
        clients: account.clients.region(region),
        region: Arc::clone(&slice.region),
        only: None,
        types: slice.reader.types,
        sink: Arc::new(Sink::new(events)),
    }
}

/// Runs one reader: how it ended, and which types it gave up on the way.
pub(super) async fn run_reader(reader: &'static Reader, cx: Context) -> Vec<Failed> {
    let outcome = (reader.read)(cx.clone()).await;
    let mut failed = cx.sink.finish().await;
    if let Err(error) = outcome {
        failed.push((reader.types.to_vec(), error));
    }
    failed
}

/// Runs all slices and sends what they find. Ends when all are done or the token is cancelled.
pub(super) async fn run(
    account: Arc<Account>,
    home: String,
    slices: Vec<Slice>,
    events: mpsc::Sender<Event>,
    cancel: CancellationToken,
) {
    let mut tally = Tally::default();
    let mut progress = Progress { done: 0, total: slices.len() };
    let mut tasks = JoinSet::new();
    let mut names: HashMap<Id, Slice> = HashMap::new();
    let slots = Arc::new(Semaphore::new(SLICES));
    let mut services: HashMap<(&'static str, Arc<str>), Arc<Semaphore>> = HashMap::new();
    if events.send(Event::Progress(progress)).await.is_err() {
        return;
    }

    for slice in slices {
        let service = services
            .entry((slice.reader.service, Arc::clone(&slice.region)))
            .or_insert_with(|| Arc::new(Semaphore::new(PER_SERVICE)));
        let limits = [Arc::clone(service), Arc::clone(&slots)];
        let cx = context(&account, &slice, &home, events.clone());
        let task = tasks.spawn(run_slice(slice.reader, cx, limits));
        names.insert(task.id(), slice);
    }

    loop {
        let ended = tokio::select! {
            biased;
            () = cancel.cancelled() => return,
            ended = tasks.join_next_with_id() => ended,
        };
        let (id, failed) = match ended {
            None => break,
            Some(Ok((id, failed))) => (id, failed),
            Some(Err(error)) => {
                let reader = names.get(&error.id()).map(|slice| slice.reader);
                (error.id(), reader.map(panicked).into_iter().collect())
            }
        };
        if let Some(slice) = names.get(&id) {
            tally.add(slice, failed, &account);
        }
        progress.done += 1;
        if events.send(Event::Progress(progress)).await.is_err() {
            return;
        }
    }
    for error in tally.into_errors() {
        tracing::warn!(service = error.service, region = error.region, class = %error.error_class, operation = error.operation, "slice unreadable");
        if events.send(Event::Failed(error)).await.is_err() {
            return;
        }
    }
}

async fn run_slice(reader: &'static Reader, cx: Context, limits: [Arc<Semaphore>; 2]) -> Vec<Failed> {
    let [service, slots] = &limits;
    // Neither semaphore is ever closed.
    let _service = service.acquire().await.ok();
    let _slot = slots.acquire().await.ok();
    let clients = Arc::clone(&cx.clients);
    if clients.reach().is_closed() {
        let error = ReadError {
            class: ErrorClass::Unreachable,
            operation: "Connect".to_owned(),
            code: "RegionUnreachable".to_owned(),
            message: format!("nothing answers in {}", cx.region()),
        };
        return vec![(reader.types.to_vec(), error)];
    }
    let failed = run_reader(reader, cx).await;
    if failed.iter().any(|(_, error)| error.class == ErrorClass::Unreachable) {
        clients.reach().record_unreachable();
    }
    failed
}

/// A reader's task ended without an answer. It can only have panicked: nothing aborts a single slice.
pub(super) fn panicked(reader: &'static Reader) -> Failed {
    let error = ReadError {
        class: ErrorClass::ServiceError,
        operation: "Read".to_owned(),
        code: "ReaderPanicked".to_owned(),
        message: "a reader met an answer it was not written for; please report it".to_owned(),
    };
    (reader.types.to_vec(), error)
}

/// Failures of a scan, by service, region and class.
#[derive(Debug, Default)]
struct Tally(BTreeMap<(String, String, &'static str), Entry>);

#[derive(Debug)]
struct Entry {
    class: ErrorClass,
    types: BTreeSet<String>,
    /// Operation to message; the first one is shown.
    messages: BTreeMap<String, String>,
}

impl Tally {
    fn add(&mut self, slice: &Slice, failed: Vec<Failed>, account: &Account) {
        for (types, error) in failed {
            let key = (slice.reader.service.to_owned(), slice.region.to_string(), error.class.as_str());
            let entry = self.0.entry(key).or_insert_with(|| Entry {
                class: error.class,
                types: BTreeSet::new(),
                messages: BTreeMap::new(),
            });
            let wanted = |name: &&str| account.wanted.is_empty() || account.wanted.contains(*name);
            entry.types.extend(types.into_iter().filter(wanted).map(ToOwned::to_owned));
            entry.messages.entry(error.operation).or_insert(format!("{}: {}", error.code, error.message));
        }
    }

    fn into_errors(self) -> impl Iterator<Item = ScanError> {
        self.0.into_iter().map(|((service, region, _), entry)| {
            let more = entry.messages.len().saturating_sub(1);
            let (operation, mut message) = entry.messages.into_iter().next().unwrap_or_default();
            if more > 0 {
                message = format!("{message} (and {more} more operations)");
            }
            ScanError {
                service,
                region,
                provider_types: entry.types.into_iter().collect(),
                error_class: entry.class,
                operation,
                message,
            }
        })
    }
}
