//! A scan outlives the worker that runs it and the database that it is written to: it ends done, once.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jobs::db::pool;
use jobs::db::scan_run::{self, ScanRun};
use jobs::domain::RunStatus;
use jobs::ids::ScanId;
use plumbline::postgres::{Durability, Embedded, Options};
use rustix::process::{Pid, Signal, kill_process};

use super::world::World;
use crate::support::faults::{Fault, Proxy};
use crate::support::moto::{Moto, Server};
use crate::support::process::{MASTER_KEY, Running};
use crate::support::{Plumbline, eventually};

const REGIONS: &[&str] = &["us-east-1", "eu-west-1"];

/// moto, and before it a proxy that holds a scan up in its middle until it is let go.
struct Cloud {
    _moto: Moto,
    proxy: Proxy,
    hold: Arc<AtomicBool>,
}

impl Cloud {
    async fn new() -> Self {
        let moto = Moto::start(Server::Fixture, "aws-core", &["apply", "tamper"]);
        let hold = Arc::new(AtomicBool::new(true));
        let held = Arc::clone(&hold);
        let proxy = Proxy::start(&moto.url, move |call| {
            (call.action == "DescribeVpcs" && held.load(Ordering::Relaxed)).then_some(Fault::Throttled)
        })
        .await;
        Self { _moto: moto, proxy, hold }
    }

    fn let_go(&self) {
        self.hold.store(false, Ordering::Relaxed);
    }
}

/// The real executable as a worker.
fn worker(world: &World, artifacts: &Path, endpoint: &str) -> Running {
    Plumbline::new(&["worker"])
        .env("DATABASE_URL", &world.url)
        .env("PLUMBLINE_MASTER_KEY", MASTER_KEY)
        .env("PLUMBLINE_ARTIFACTS", artifacts.to_str().unwrap())
        .env("AWS_ENDPOINT_URL", endpoint)
        .start()
}

/// Waits until a scan is through with some of its slices, while the proxy holds up others.
async fn in_the_middle(world: &World, id: ScanId) {
    eventually("the scan is in its middle", async || {
        let run = world.run_of(id).await;
        let progress = run.progress?.0;
        (run.status == RunStatus::Running && progress.done > 0 && progress.done < progress.total).then_some(())
    })
    .await;
}

/// Waits for the end, which a killed worker puts off: its lease runs for half a minute before its jobs are rescued.
async fn ended(world: &World, id: ScanId) -> ScanRun {
    eventually("the lost job is taken up again", async || {
        let again = world.number("SELECT count(*) FROM job WHERE kind = 'scan' AND attempt > 1").await > 0;
        (again || world.run_of(id).await.status != RunStatus::Running).then_some(())
    })
    .await;
    world.ended(id).await
}

/// Everything that must be there once.
async fn is_done_once(world: &World, run: &ScanRun) {
    assert_eq!((run.status, run.drift_status), (RunStatus::Done, Some(RunStatus::Done)), "{run:#?}");
    assert_eq!(world.events().await, ["scan.completed", "drift.detected"]);
    assert_eq!(world.number("SELECT count(*) FROM drift_snapshot").await, 1);
    assert_eq!(world.number("SELECT count(*) FROM dead_job").await, 0);
    let seen = world.number("SELECT count(*) FROM live_resource WHERE status = 'active'").await;
    assert_eq!(run.resource_count.map(i64::from), Some(seen));
    let counts = world.drift(run.id).await.counts;
    let items = world.items(run.id).await;
    assert_eq!(usize::try_from(counts.changed + counts.missing + counts.extra).unwrap(), items.len());
}

#[tokio::test]
async fn a_worker_that_is_killed_in_the_middle_of_a_scan_is_succeeded_by_another() {
    let cloud = Cloud::new().await;
    let world = World::idle(&cloud.proxy.url).await;
    let artifacts = world.folder.path();
    let mut first = worker(&world, artifacts, &cloud.proxy.url);
    let run = world.request_scan(REGIONS).await;
    in_the_middle(&world, run.id).await;
    first.kill();
    let left = world.run_of(run.id).await;
    assert_eq!(left.status, RunStatus::Running, "it ended before it was killed, so this shows nothing");
    cloud.let_go();

    let _second = worker(&world, artifacts, &cloud.proxy.url);
    let run = ended(&world, run.id).await;
    is_done_once(&world, &run).await;
}

#[tokio::test]
async fn a_database_that_crashes_in_the_middle_of_a_scan_costs_an_attempt_at_most() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { data_dir: folder.path().to_owned(), durability: Durability::Durable };
    let mut postgres = Embedded::start(&options).await.unwrap();
    let url = postgres.url();
    jobs::schema::migrate(&url.parse().unwrap()).await.unwrap();
    let cloud = Cloud::new().await;
    let pool = pool::options().max_connections(4).connect(&url).await.unwrap();
    let world = World::on(pool, &url, &cloud.proxy.url).await;
    let mut worker = worker(&world, world.folder.path(), &cloud.proxy.url);
    let run = world.request_scan(REGIONS).await;
    in_the_middle(&world, run.id).await;

    kill_process(Pid::from_raw(postgres.pid().unwrap()).unwrap(), Signal::KILL).unwrap();
    eventually("Postgres is back", async || postgres.revive().await.ok().filter(|was_gone| *was_gone)).await;
    assert_eq!(postgres.url(), url, "at the same place");
    let left = eventually("the run is seen again", async || {
        scan_run::get(&mut *world.pool.acquire().await.ok()?, world.org, run.id).await.ok()?
    })
    .await;
    assert_eq!(left.status, RunStatus::Running, "it ended before the crash, so this shows nothing");
    cloud.let_go();
    let run = ended(&world, run.id).await;
    is_done_once(&world, &run).await;
    let (status, _) = worker.terminate();
    assert!(status.success(), "the worker lived through it");
    drop(world);
    postgres.stop().await.unwrap();
}
