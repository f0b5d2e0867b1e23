//! Dead letters past their time, and batches of replays that nobody asks for or works on.

use scheduler::maintenance::dead_letters::{Config, DeadLetters, LookedAfter};
use scheduler::maintenance::{Batches, Ground, Service as _};
use sqlx::PgPool;

use super::{ONE_TEN, TENS, number, run_sql};
use crate::support::TestDb;

/// Of two kinds, one of which nobody knows any more: 12 each that are past their 30 days, 2 that are not, 1 that is being replayed.
const BURY: &str = "
    INSERT INTO dead_job (id, tenant, kind, queue, priority, attempt, max_attempts, payload, reason, error_class, error, died_at,
                          replay_job_id, replayed_at)
    SELECT gen_random_uuid(), gen_random_uuid(), kind, 'q', 50, 1, 1, '{}', 'worker_lost', 'x', 'x',
           now() - CASE WHEN n <= 13 THEN interval '31 days' ELSE interval '29 days' END,
           CASE WHEN n = 13 THEN gen_random_uuid() END, CASE WHEN n = 13 THEN now() END
      FROM generate_series(1, 15) n, unnest(ARRAY['scan', 'of_another_version']) AS kind";

fn service(pool: &PgPool, batches: Batches) -> DeadLetters {
    DeadLetters::new(&Ground::new(pool.clone()), Config { batches, ..Config::default() }).unwrap()
}

#[tokio::test]
async fn the_young_and_the_replayed_stay_whatever_their_kind() {
    let db = TestDb::new().await;
    run_sql(&db.pool, BURY).await;
    let done = service(&db.pool, TENS).run_once().await.unwrap();
    assert_eq!(done, LookedAfter { dead_jobs: 24, ..LookedAfter::default() });
    assert_eq!(number(&db.pool, "SELECT count(*) FROM dead_job").await, 6);
    assert_eq!(number(&db.pool, "SELECT count(*) FROM dead_job WHERE replay_job_id IS NOT NULL").await, 2);
    assert_eq!(service(&db.pool, TENS).run_once().await.unwrap(), LookedAfter::default());
}

#[tokio::test]
async fn a_run_ends_at_its_bound_between_kinds_and_within_one() {
    let db = TestDb::new().await;
    run_sql(&db.pool, BURY).await;
    let service = service(&db.pool, ONE_TEN);
    for (dead_jobs, has_more) in [(10, true), (2, true), (10, true), (2, false), (0, false)] {
        assert_eq!(service.run_once().await.unwrap(), LookedAfter { dead_jobs, has_more, ..LookedAfter::default() });
    }
}

#[tokio::test]
async fn a_batch_that_still_counts_on_a_dead_job_is_told() {
    let db = TestDb::new().await;
    run_sql(&db.pool, BURY).await;
    run_sql(
        &db.pool,
        r#"INSERT INTO replay_batch (id, filter, created_by, origin, total)
           VALUES ('00000000-0000-7000-8000-000000000001', '{}', '{"kind":"operator","id":"o","display":"o"}', '{}', 30);
           INSERT INTO replay_batch_item (batch_id, seq, dead_job_id)
           SELECT '00000000-0000-7000-8000-000000000001', row_number() OVER (), id FROM dead_job;
           INSERT INTO job (id, tenant, priority, max_attempts, kind, queue, payload, unique_key)
           VALUES (gen_random_uuid(), '00000000-0000-0000-0000-000000000000', 50, 3, 'replay_dead_jobs', 'q', '{}',
                   '00000000-0000-7000-8000-000000000001')"#,
    )
    .await;
    assert_eq!(service(&db.pool, TENS).run_once().await.unwrap().dead_jobs, 24);
    assert_eq!(number(&db.pool, "SELECT count(*) FROM replay_batch_item WHERE skipped = 'expired'").await, 24);
}

#[tokio::test]
async fn batches_go_a_month_after_their_end_with_all_their_items() {
    let db = TestDb::new().await;
    run_sql(
        &db.pool,
        "INSERT INTO replay_batch (id, state, filter, created_by, origin, created_at, finished_at)
           SELECT ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'done', '{}', '{}', '{}', now(),
                  now() - CASE n WHEN 1 THEN interval '29 days' ELSE interval '31 days' END
             FROM generate_series(1, 3) n;
           INSERT INTO replay_batch_item (batch_id, seq, dead_job_id, skipped)
           SELECT b.id, n, gen_random_uuid(), 'expired' FROM replay_batch b, generate_series(1, 15) n",
    )
    .await;
    let few = service(&db.pool, ONE_TEN).run_once().await.unwrap();
    assert_eq!(few, LookedAfter { items: 10, has_more: true, ..LookedAfter::default() });
    assert_eq!(number(&db.pool, "SELECT count(*) FROM replay_batch").await, 3, "a batch goes with its last item");
    let rest = service(&db.pool, TENS).run_once().await.unwrap();
    assert_eq!(rest, LookedAfter { batches: 2, items: 20, ..LookedAfter::default() });
    assert_eq!(number(&db.pool, "SELECT count(*) FROM replay_batch_item").await, 15);
}
