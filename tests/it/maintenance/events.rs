//! Events past their days go with all that was made of them; what is younger, or not over, stays.

use jobs::db::webhook_endpoint::Activity;
use scheduler::maintenance::events::{Config, Events, Forgotten};
use scheduler::maintenance::{Batches, Ground, Service as _};
use sqlx::PgPool;

use super::{ONE_TEN, TENS, number, org, run_sql};
use crate::jobs::deliver_webhook::scene::Scene;
use crate::support::{Receiver, TestDb, eventually};

fn service(pool: &PgPool, batches: Batches) -> Events {
    Events::new(&Ground::new(pool.clone()), Config { batches, ..Config::default() }).unwrap()
}

/// Makes all events and deliveries 31 days older: their ids are their time.
async fn age(pool: &PgPool) {
    run_sql(
        pool,
        "CREATE TEMP TABLE older AS
           SELECT id AS was, (left(uuid_v7_floor(now() - interval '31 days')::text, 13) || substr(id::text, 14))::uuid AS id
             FROM (SELECT id FROM event UNION SELECT id FROM webhook_delivery) ids;
         UPDATE event e SET id = o.id FROM older o WHERE e.id = o.was;
         UPDATE webhook_delivery d SET id = o.id FROM older o WHERE d.id = o.was;
         UPDATE webhook_delivery d SET event_id = o.id FROM older o WHERE d.event_id = o.was;
         UPDATE webhook_attempt a SET delivery_id = o.id FROM older o WHERE a.delivery_id = o.was;
         UPDATE job j SET unique_key = o.id::text, payload = replace(payload, o.was::text, o.id::text)
           FROM older o WHERE j.unique_key = o.was::text;
         DROP TABLE older",
    )
    .await;
}

#[tokio::test]
async fn a_delivery_that_waits_for_its_paused_endpoint_goes_with_its_event_and_so_does_its_job() {
    let scene = Scene::idle().await;
    let pool = &scene.world.pool;
    let subscriber = scene.subscriber("http://127.0.0.1:9/hook", &["scan.*"]).await;
    scene.set(&subscriber, Activity::Paused).await;
    scene.send(&subscriber).await;
    assert_eq!(service(pool, TENS).run_once().await.unwrap(), Forgotten::default(), "it is young");
    age(pool).await;
    let gone = service(pool, TENS).run_once().await.unwrap();
    assert_eq!(gone, Forgotten { events: 1, deliveries: 1, ..Forgotten::default() });
    assert_eq!(number(pool, "SELECT count(*) FROM job").await, 0, "it would wait for ever");
    assert_eq!(number(pool, "SELECT count(*) FROM dead_job").await, 0);
}

#[tokio::test]
async fn a_job_that_is_being_run_meanwhile_finds_nothing_to_send_and_ends() {
    let receiver = Receiver::content().await;
    let mut scene = Scene::idle().await;
    let subscriber = scene.subscriber(&receiver.url, &["scan.*"]).await;
    scene.send(&subscriber).await;
    age(&scene.world.pool).await;
    // In the hands of a worker, as far as anybody can see.
    let claimed = "UPDATE job SET claimed_by = gen_random_uuid(), claimed_at = now(), claim_no = 1, attempt = 1";
    run_sql(&scene.world.pool, claimed).await;
    let gone = service(&scene.world.pool, TENS).run_once().await.unwrap();
    assert_eq!(gone, Forgotten { events: 1, deliveries: 1, ..Forgotten::default() });
    assert_eq!(scene.world.number("SELECT count(*) FROM job").await, 1, "it is that worker's");
    run_sql(&scene.world.pool, "UPDATE job SET claimed_by = NULL, claimed_at = NULL, attempt = 0").await;
    scene.world.start_worker();
    eventually("its job ends", async || (scene.world.number("SELECT count(*) FROM job").await == 0).then_some(()))
        .await;
    assert_eq!((receiver.count(), scene.world.number("SELECT count(*) FROM dead_job").await), (0, 0));
}

/// So many events of so many days ago, each with a delivery that was taken at the second attempt.
async fn happen(pool: &PgPool, events: i32, days: i32) {
    let org = org(pool, "free").await;
    sqlx::query(
        "WITH happened AS (
           INSERT INTO event (id, org_id, event_type, data)
           SELECT (left(uuid_v7_floor(now() - make_interval(days => $3))::text, 13) || substr(gen_random_uuid()::text, 14))::uuid,
                  $1, 'scan.completed', '{}' FROM generate_series(1, $2)
           RETURNING id),
         sent AS (
           INSERT INTO webhook_delivery (id, org_id, endpoint_id, event_id, event_type, trigger, state, job_id, next_attempt_at,
                                         delivered_at)
           SELECT id, $1, $1, id, 'scan.completed', 'event', 'delivered', gen_random_uuid(), NULL, now() FROM happened)
         INSERT INTO webhook_attempt (delivery_id, number, org_id, trigger)
         SELECT id, n, $1, 'event' FROM happened, generate_series(1, 2) n",
    )
    .bind(org.uuid())
    .bind(events)
    .bind(days)
    .execute(pool)
    .await
    .unwrap();
}

#[tokio::test]
async fn what_is_past_its_days_goes_and_what_is_not_stays_with_its_log() {
    let db = TestDb::new().await;
    happen(&db.pool, 25, 31).await;
    happen(&db.pool, 3, 29).await;
    let gone = service(&db.pool, TENS).run_once().await.unwrap();
    assert_eq!(gone, Forgotten { events: 25, deliveries: 25, attempts: 50, replays: 0, has_more: false });
    assert_eq!(service(&db.pool, TENS).run_once().await.unwrap(), Forgotten::default());
    let kept = "SELECT count(*) FROM event e JOIN webhook_delivery d ON d.event_id = e.id
                  JOIN webhook_attempt a ON a.delivery_id = d.id";
    assert_eq!(number(&db.pool, kept).await, 6);
    assert_eq!(number(&db.pool, "SELECT count(*) FROM webhook_attempt").await, 6);
}

#[tokio::test]
async fn days_are_what_is_set() {
    let db = TestDb::new().await;
    happen(&db.pool, 2, 29).await;
    let service = |days| Events::new(&Ground::new(db.pool.clone()), Config { days, ..Config::default() }).unwrap();
    assert_eq!(service(3_650).run_once().await.unwrap(), Forgotten::default());
    assert_eq!(service(28).run_once().await.unwrap().events, 2);
}

#[tokio::test]
async fn a_run_ends_at_its_bound_in_each_table_and_the_next_ones_leave_nothing_behind() {
    let db = TestDb::new().await;
    happen(&db.pool, 20, 40).await;
    let service = service(&db.pool, ONE_TEN);
    let first = service.run_once().await.unwrap();
    assert_eq!(first, Forgotten { events: 10, deliveries: 10, attempts: 10, replays: 0, has_more: true });
    while service.run_once().await.unwrap().has_more {}
    for table in ["event", "webhook_delivery", "webhook_attempt"] {
        let left = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
        assert_eq!(sqlx::query_scalar::<_, i64>(left).fetch_one(&db.pool).await.unwrap(), 0, "{table}");
    }
}

#[tokio::test]
async fn a_delivery_that_a_replay_made_late_outlives_its_event() {
    let db = TestDb::new().await;
    happen(&db.pool, 1, 31).await;
    run_sql(
        &db.pool,
        "DELETE FROM webhook_attempt;
         UPDATE webhook_delivery SET id = uuid_v7_floor(now() - interval '2 days')",
    )
    .await;
    let gone = service(&db.pool, TENS).run_once().await.unwrap();
    assert_eq!(gone, Forgotten { events: 1, ..Forgotten::default() });
    assert_eq!(number(&db.pool, "SELECT count(*) FROM webhook_delivery").await, 1);
}

#[tokio::test]
async fn replays_that_are_not_over_stay_however_old_they_are() {
    let db = TestDb::new().await;
    run_sql(
        &db.pool,
        "INSERT INTO webhook_replay (id, org_id, endpoint_id, since, until, which, state, reached_at, reached_id, created_by, origin,
                                     finished_at)
         SELECT uuid_v7_floor(now() - days * interval '1 day'), gen_random_uuid(), gen_random_uuid(), now() - interval '2 days', now(),
                'all', state, now(), gen_random_uuid(), '{}', '{}', CASE state WHEN 'running' THEN NULL ELSE now() END
           FROM (VALUES (31, 'done'), (32, 'cancelled'), (33, 'running'), (29, 'done')) AS r(days, state)",
    )
    .await;
    let gone = service(&db.pool, TENS).run_once().await.unwrap();
    assert_eq!(gone, Forgotten { replays: 2, ..Forgotten::default() });
    assert_eq!(number(&db.pool, "SELECT count(*) FROM webhook_replay WHERE state = 'running'").await, 1);
}
