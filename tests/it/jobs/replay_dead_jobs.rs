//! Batches of replays: each dead job once or not at all, whatever dies in the middle; at their pace; until somebody cancels.

use jobs::audit::{Actor, ActorKind, By, Origin};
use jobs::dead_letters::{self, BatchError};
use jobs::domain::BatchState;
use jobs::ids::ReplayBatchId;
use jobs::kinds::Job as _;
use jobs::kinds::replay_dead_jobs::ReplayDeadJobs;
use jobs::queue::control;
use jobs::queue::dead::{self, Filter};
use jobs::queue::replay_batch::{self, Cancelling, CreateError, NewBatch, ReplayBatch};
use scheduler::maintenance::dead_letters::{Config, DeadLetters, LookedAfter};
use scheduler::maintenance::{Ground, Service as _};
use uuid::Uuid;

use super::world::World;
use crate::support::process::{MASTER_KEY, Running};
use crate::support::{Plumbline, eventually};

/// Nothing here asks a cloud.
const NOWHERE: &str = "http://127.0.0.1:9";

fn actor() -> Actor {
    Actor { kind: ActorKind::Operator, id: "op".to_owned(), display: "on-call".to_owned() }
}

/// Buries jobs of a tenant, of a queue that nobody serves: their replays stay where they can be counted.
async fn bury(world: &World, tenant: Uuid, count: i32) {
    sqlx::query(
        "INSERT INTO dead_job (id, tenant, kind, queue, priority, attempt, max_attempts, payload, reason, error_class, error,
                               died_at)
         SELECT gen_random_uuid(), $1, 'lost', 'nowhere', 50, 3, 3, '{}', 'attempts_exhausted', 'boom', 'x',
                now() - n * interval '1 second'
           FROM generate_series(1, $2) n",
    )
    .bind(tenant)
    .bind(count)
    .execute(&world.pool)
    .await
    .unwrap();
}

async fn create(world: &World, filter: &Filter, rate: Option<f64>) -> Result<ReplayBatch, BatchError> {
    let mut tx = world.pool.begin().await.unwrap();
    let new = NewBatch { filter, rate, note: Some("mended"), actor: &actor(), origin: &Origin::default() };
    let batch = dead_letters::replay_many(&mut tx, &new).await?;
    tx.commit().await.unwrap();
    Ok(batch)
}

/// A batch of everything that is dead.
async fn begin(world: &World, rate: Option<f64>) -> ReplayBatchId {
    create(world, &Filter::default(), rate).await.unwrap().id
}

async fn batch(world: &World, id: ReplayBatchId) -> ReplayBatch {
    replay_batch::get(&mut *world.conn().await, id).await.unwrap().expect("a batch")
}

async fn ended(world: &World, id: ReplayBatchId) -> ReplayBatch {
    eventually("the batch ends", async || Some(batch(world, id).await).filter(|batch| batch.finished_at.is_some()))
        .await
}

async fn in_the_middle(world: &World, id: ReplayBatchId) -> ReplayBatch {
    eventually("the batch is in its middle", async || {
        Some(batch(world, id).await).filter(|batch| batch.handled > 0 && batch.handled < batch.total)
    })
    .await
}

/// Each dead job has one replay, no more.
async fn each_once(world: &World) {
    let dead = world.number("SELECT count(*) FROM dead_job").await;
    let replays = world.number("SELECT count(*) FROM job WHERE replay_of IS NOT NULL").await;
    let replayed = world.number("SELECT count(DISTINCT replay_of) FROM job WHERE replay_of IS NOT NULL").await;
    assert_eq!((replays, replayed), (dead, dead));
}

/// Rows of `dead_job.replayed`, in chains whose links all fit.
async fn audited(world: &World) -> i64 {
    let broken = world.number(
        "SELECT count(*) FROM audit_event e LEFT JOIN audit_event before ON before.chain_id = e.chain_id AND before.seq = e.seq - 1
          WHERE e.prev_hash <> coalesce(before.hash, decode(repeat('00', 32), 'hex'))",
    );
    assert_eq!(broken.await, 0);
    let off = world.number(
        "SELECT count(*) FROM audit_chain c
          WHERE head_seq <> (SELECT count(*) FROM audit_event e WHERE e.chain_id = c.id)
             OR head_hash <> coalesce((SELECT hash FROM audit_event e WHERE e.chain_id = c.id AND e.seq = c.head_seq),
                                      decode(repeat('00', 32), 'hex'))",
    );
    assert_eq!(off.await, 0);
    world.number("SELECT count(*) FROM audit_event WHERE action = 'dead_job.replayed'").await
}

#[tokio::test]
async fn what_matches_nothing_is_no_batch() {
    let world = World::idle(NOWHERE).await;
    bury(&world, Uuid::nil(), 1).await;
    let none = Filter { kind: Some("other".to_owned()), ..Filter::default() };
    let refused = create(&world, &none, None).await.unwrap_err();
    assert!(matches!(refused, BatchError::Create(CreateError::NothingMatches)), "{refused}");
    assert_eq!(world.number("SELECT count(*) FROM replay_batch").await, 0);
    assert_eq!(world.number("SELECT count(*) FROM job").await, 0);
    let mut conn = world.conn().await;
    assert_eq!(replay_batch::cancel(&mut conn, ReplayBatchId::new()).await.unwrap(), Cancelling::Absent);
}

#[tokio::test]
async fn two_tenants_jobs_are_replayed_and_written_down_in_their_own_chains() {
    let world = World::new(NOWHERE).await;
    let stranger = Uuid::now_v7();
    bury(&world, world.org.uuid(), 700).await;
    bury(&world, Uuid::nil(), 30).await;
    bury(&world, stranger, 3).await;
    let id = begin(&world, None).await;
    bury(&world, Uuid::nil(), 5).await;
    let done = ended(&world, id).await;
    assert_eq!((done.state, done.total, done.replayed, done.skipped()), (BatchState::Done, 733, 733, 0));
    assert_eq!(world.number("SELECT count(*) FROM dead_job WHERE replay_job_id IS NULL").await, 5, "dead too late");
    assert_eq!(audited(&world).await, 733);
    let chain = async |id: Uuid| -> Vec<(String, i64)> {
        sqlx::query_as("SELECT action, count(*) FROM audit_event WHERE chain_id = $1 GROUP BY action ORDER BY action")
            .bind(id)
            .fetch_all(&world.pool)
            .await
            .unwrap()
    };
    assert_eq!(chain(world.org.uuid()).await, [("dead_job.replayed".to_owned(), 700)]);
    let of_the_platform = chain(Uuid::nil()).await;
    let expected = [("dead_job.replayed", 33), ("replay_batch.created", 1), ("replay_batch.finished", 1)];
    assert_eq!(of_the_platform, expected.map(|(action, count)| (action.to_owned(), count)), "who is gone has no chain");
    let by = "SELECT count(*) FROM audit_event WHERE actor_id = 'op' AND details ->> 'batch_id' IS NOT NULL";
    assert_eq!(world.number(by).await, 733, "by its creator, with the batch");
}

#[tokio::test]
async fn what_cannot_be_replayed_is_skipped_and_told_why() {
    let mut world = World::idle(NOWHERE).await;
    bury(&world, Uuid::nil(), 7).await;
    sqlx::raw_sql(
        "UPDATE dead_job SET unique_key = 'same' WHERE id IN (SELECT id FROM dead_job ORDER BY died_at LIMIT 3);
         UPDATE dead_job SET unique_key = 'old' WHERE id = (SELECT id FROM dead_job ORDER BY died_at DESC LIMIT 1)",
    )
    .execute(&world.pool)
    .await
    .unwrap();
    let id = begin(&world, None).await;
    let mut conn = world.conn().await;
    let others = Filter { kind: Some("lost".to_owned()), ..Filter::default() };
    let newest = dead::list(&mut conn, &others, None, 7).await.unwrap();
    // The newest was past its time, the next ones are discarded and replayed by hand.
    sqlx::raw_sql("UPDATE dead_job SET died_at = now() - interval '40 days' WHERE unique_key = 'old'")
        .execute(&mut *conn)
        .await
        .unwrap();
    let expired = dead::expire(&mut conn, jobs::kinds::dead_retention, dead::Place::default(), 100).await.unwrap();
    assert_eq!(expired.done, 1);
    let by = By { actor: &actor(), origin: &Origin::default() };
    dead_letters::discard(&mut conn, by, newest[1].id, "not needed").await.unwrap();
    dead_letters::replay(&mut conn, by, newest[2].id).await.unwrap();
    drop(conn);
    world.start_worker();
    let done = ended(&world, id).await;
    let skipped = [done.superseded, done.already_replayed, done.discarded, done.expired];
    assert_eq!((done.replayed, skipped), (2, [2, 1, 1, 1]));
    let again = begin_again(&world).await;
    assert_eq!((again.replayed, again.superseded, again.already_replayed), (0, 2, 3), "nothing is replayed twice");
}

async fn begin_again(world: &World) -> ReplayBatch {
    let id = begin(world, None).await;
    ended(world, id).await
}

#[tokio::test]
async fn a_batch_run_again_by_its_dead_letter_or_twice_changes_nothing_more() {
    let world = World::new(NOWHERE).await;
    bury(&world, Uuid::nil(), 3).await;
    let id = begin(&world, None).await;
    let done = ended(&world, id).await;
    for _ in 0..2 {
        world.run(&ReplayDeadJobs { batch_id: id }).await;
        assert_eq!(batch(&world, id).await, done);
    }
    each_once(&world).await;
    world.run(&ReplayDeadJobs { batch_id: ReplayBatchId::new() }).await;
    assert_eq!(world.number("SELECT count(*) FROM dead_job WHERE kind = 'replay_dead_jobs'").await, 0, "forgotten");
}

#[tokio::test]
async fn a_cancelled_batch_stops_at_once_and_keeps_what_it_did() {
    let world = World::new(NOWHERE).await;
    bury(&world, world.org.uuid(), 200).await;
    let id = begin(&world, Some(20.0)).await;
    in_the_middle(&world, id).await;
    let by = By { actor: &actor(), origin: &Origin::default() };
    let mut tx = world.pool.begin().await.unwrap();
    let Cancelling::Cancelled(cancelled) = dead_letters::cancel_replays(&mut tx, by, id).await.unwrap() else {
        panic!("it runs")
    };
    tx.commit().await.unwrap();
    eventually("its job ends", async || {
        (world.number("SELECT count(*) FROM job WHERE kind = 'replay_dead_jobs'").await == 0).then_some(())
    })
    .await;
    assert_eq!(batch(&world, id).await, *cancelled, "nothing after it");
    let replays = world.number("SELECT count(*) FROM job WHERE replay_of IS NOT NULL").await;
    assert_eq!((cancelled.state, cancelled.replayed), (BatchState::Cancelled, replays));
    assert_eq!(audited(&world).await, replays);
    let over = dead_letters::cancel_replays(&mut *world.conn().await, by, id).await.unwrap();
    assert!(matches!(over, Cancelling::Over(_)));
    assert_eq!(world.number("SELECT count(*) FROM audit_event WHERE action = 'replay_batch.cancelled'").await, 1);
    assert_eq!(world.number("SELECT count(*) FROM dead_job WHERE kind = 'replay_dead_jobs'").await, 0);
}

#[tokio::test]
async fn a_batch_whose_job_was_cancelled_does_not_stay_open() {
    let world = World::idle(NOWHERE).await;
    bury(&world, Uuid::nil(), 2).await;
    let id = begin(&world, None).await;
    let upkeep = DeadLetters::new(&Ground::new(world.pool.clone()), Config::default()).unwrap();
    assert_eq!(upkeep.run_once().await.unwrap(), LookedAfter::default(), "its job waits");
    let job: Uuid = sqlx::query_scalar("SELECT id FROM job").fetch_one(&world.pool).await.unwrap();
    control::cancel(&mut *world.conn().await, job.into(), "by hand").await.unwrap();
    assert_eq!(upkeep.run_once().await.unwrap(), LookedAfter { cancelled: 1, ..LookedAfter::default() });
    assert_eq!(batch(&world, id).await.state, BatchState::Cancelled);
    assert_eq!(world.number("SELECT count(*) FROM job").await, 0);
}

#[tokio::test]
async fn the_rate_is_kept_and_a_higher_one_is_as_much_faster() {
    let world = World::new(NOWHERE).await;
    let mut took = Vec::new();
    for (count, rate) in [(40, 20.0), (40, 80.0)] {
        bury(&world, Uuid::nil(), count).await;
        let id = begin(&world, Some(rate)).await;
        let done = ended(&world, id).await;
        let spent = done.finished_at.unwrap() - done.started_at.unwrap();
        took.push(spent.as_seconds_f64());
        // The last slice comes when those before it have had their time.
        let least = f64::from(count) / rate - 0.25 - 0.01;
        assert!(spent.as_seconds_f64() >= least, "{count} jobs at {rate}/s in {spent}");
        sqlx::raw_sql("DELETE FROM dead_job; DELETE FROM job WHERE replay_of IS NOT NULL")
            .execute(&world.pool)
            .await
            .unwrap();
    }
    assert!(took[0] > took[1], "{took:?}");
}

fn worker(world: &World) -> Running {
    Plumbline::new(&["worker", "--queues", ReplayDeadJobs::QUEUE])
        .env("DATABASE_URL", &world.url)
        .env("PLUMBLINE_MASTER_KEY", MASTER_KEY)
        .env("PLUMBLINE_ARTIFACTS", world.folder.path().to_str().unwrap())
        .start()
}

#[tokio::test]
async fn a_worker_that_is_killed_in_the_middle_loses_and_doubles_nothing() {
    let world = World::idle(NOWHERE).await;
    bury(&world, world.org.uuid(), 300).await;
    bury(&world, Uuid::nil(), 100).await;
    let mut first = worker(&world);
    let id = begin(&world, Some(100.0)).await;
    in_the_middle(&world, id).await;
    first.kill();
    let left = batch(&world, id).await;
    assert!(left.handled < left.total, "it ended before it was killed, so this shows nothing");
    // As if its lease had run out: half a minute is not worth waiting for.
    let lapse = "UPDATE worker SET beat_at = now() - interval '1 hour'";
    sqlx::query(lapse).execute(&world.pool).await.unwrap();
    let _second = worker(&world);
    let done = ended(&world, id).await;
    assert_eq!((done.state, done.replayed, done.skipped()), (BatchState::Done, 400, 0));
    each_once(&world).await;
    assert_eq!(audited(&world).await, 400);
}

#[tokio::test]
async fn a_long_batch_waits_out_of_its_workers_hands() {
    let world = World::new(NOWHERE).await;
    bury(&world, Uuid::nil(), 3).await;
    let id = begin(&world, Some(0.1)).await;
    in_the_middle(&world, id).await;
    // The rate's next turn is an hour away, as after a clock that jumped: longer than an attempt may take.
    let later = "UPDATE replay_batch SET next_at = now() + interval '1 hour'";
    sqlx::query(later).execute(&world.pool).await.unwrap();
    let handed_over =
        "SELECT count(*) FROM job WHERE claimed_by IS NULL AND attempt = 0 AND run_at > now() + interval '50 minutes'";
    eventually("the job waits for its time", async || (world.number(handed_over).await == 1).then_some(())).await;
}
