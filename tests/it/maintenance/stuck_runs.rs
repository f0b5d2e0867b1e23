//! Runs whose job is gone become errors, whatever became of the job; those whose job is there are left alone.

use jobs::domain::RunStatus;
use jobs::queue::control;
use scheduler::maintenance::stuck_runs::{Config, StuckRuns};
use scheduler::maintenance::{Batches, Ground, Service as _};

use super::run_sql;
use crate::jobs::world::World;

/// Nothing here asks a cloud.
const NOWHERE: &str = "http://127.0.0.1:9";

fn service(world: &World, batches: Batches) -> StuckRuns {
    StuckRuns::new(&Ground::new(world.pool.clone()), Config { batches, ..Config::default() }).unwrap()
}

/// What a worker that is lost in its last attempt leaves of all jobs.
const DIE: &str = "
    INSERT INTO dead_job (id, tenant, kind, queue, priority, attempt, max_attempts, payload, reason, error_class, error)
    SELECT id, tenant, kind, queue, priority, max_attempts, max_attempts, payload, 'worker_lost', 'worker_lost', 'it fell silent'
      FROM job;
    DELETE FROM job";

#[tokio::test]
async fn a_running_scan_whose_job_died_is_an_error_with_the_job_s_own_words_and_its_owner_hears_of_it() {
    let world = World::idle(NOWHERE).await;
    let run = world.request_scan(&[]).await;
    run_sql(&world.pool, "UPDATE scan_run SET status = 'running', started_at = now()").await;
    let service = service(&world, Config::default().batches);
    assert_eq!(service.run_once().await.unwrap().runs.scans, 0, "its job waits");
    run_sql(&world.pool, DIE).await;
    assert_eq!(service.run_once().await.unwrap().runs.scans, 1);
    let ended = world.run_of(run.id).await;
    assert_eq!((ended.status, ended.error_class.as_deref()), (RunStatus::Error, Some("worker_lost")));
    assert_eq!(ended.error.as_deref(), Some("it fell silent"));
    assert_eq!(world.events().await, ["scan.failed"]);
    assert_eq!(service.run_once().await.unwrap().runs.scans, 0, "once");
}

#[tokio::test]
async fn drift_whose_job_was_cancelled_is_an_error_and_the_scan_stays_done() {
    let world = World::idle(NOWHERE).await;
    let run = world.request_scan(&[]).await;
    run_sql(
        &world.pool,
        "UPDATE scan_run SET status = 'done', started_at = now(), finished_at = now(), drift_status = 'running',
                             drift_job_id = job_id",
    )
    .await;
    control::cancel(&mut *world.conn().await, run.job_id.unwrap(), "by the test").await.unwrap();
    let ended = service(&world, Config::default().batches).run_once().await.unwrap();
    assert_eq!((ended.runs.scans, ended.runs.drifts), (0, 1));
    let run = world.run_of(run.id).await;
    assert_eq!((run.status, run.drift_status), (RunStatus::Done, Some(RunStatus::Error)));
}

#[tokio::test]
async fn many_are_ended_a_few_at_a_time_each_once_by_two_at_once() {
    let world = World::idle(NOWHERE).await;
    for _ in 0..25 {
        world.request_scan(&[]).await;
    }
    run_sql(&world.pool, DIE).await;
    let few = service(&world, Batches { rows: 4, most: 2 }).run_once().await.unwrap();
    assert_eq!((few.runs.scans, few.has_more), (8, true));
    let (one, two) = (service(&world, Batches { rows: 4, most: 10 }), service(&world, Batches { rows: 4, most: 10 }));
    let (one, two) = tokio::join!(one.run_once(), two.run_once());
    assert_eq!(one.unwrap().runs.scans + two.unwrap().runs.scans, 17);
    assert_eq!(world.number("SELECT count(*) FROM scan_run WHERE status = 'error'").await, 25);
    assert_eq!(world.events().await.len(), 25, "one each");
}
