//! Looking at live jobs: what is found, and what is visited for it.

use super::{Note, claim, enqueue, note, worker};
use crate::support::TestDb;
use jobs::ids::JobId;
use jobs::queue::live::{self, Filter, Part, Slice, State, WINDOW};
use jobs::queue::sight::{Sight, look};
use sqlx::{PgPool, raw_sql};
use uuid::Uuid;

const FIRST: Slice = Slice { before: None, limit: 50 };

fn ids(part: &Part) -> Vec<JobId> {
    part.jobs.iter().map(|job| job.id).collect()
}

/// 100,000 waiting jobs of ten other tenants, with ids in the order of their making.
async fn crowd(pool: &PgPool) {
    raw_sql(
        "INSERT INTO job (id, tenant, priority, max_attempts, kind, queue, payload)
         SELECT (lpad(to_hex(n), 12, '0') || '7000800000000000' || lpad('', 4, '0'))::uuid,
                ('00000000-0000-4000-8000-' || lpad(to_hex(n % 10), 12, '0'))::uuid, 10 * (n % 3), 3, 'crowd',
                'queue_' || n % 4, '{}'
           FROM generate_series(1, 100000) AS n;
         ANALYZE job",
    )
    .execute(pool)
    .await
    .unwrap();
}

/// Rows of `job` visited by sequential scans and through indexes, while `work` was done.
async fn visited<T>(pool: &PgPool, work: impl AsyncFnOnce(&mut sqlx::PgConnection) -> T) -> (T, i64, i64) {
    let mut tx = pool.begin().await.unwrap();
    let sql = "SELECT seq_tup_read, coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables WHERE relname = 'job'";
    let before: (i64, i64) = sqlx::query_as(sql).fetch_one(&mut *tx).await.unwrap();
    let result = work(&mut tx).await;
    let after: (i64, i64) = sqlx::query_as(sql).fetch_one(&mut *tx).await.unwrap();
    (result, after.0 - before.0, after.1 - before.1)
}

#[tokio::test]
async fn a_tenants_jobs_are_found_among_a_hundred_thousand_of_others() {
    let db = TestDb::new().await;
    crowd(&db.pool).await;
    let tenant = Uuid::now_v7();
    let mut mine = Vec::new();
    for n in 0..60 {
        mine.push(enqueue(&db.pool, &Note { tenant: Some(tenant), ..note(n) }).await);
    }
    mine.reverse();
    for filter in [
        Filter::default(),
        Filter { queue: Some("test"), ..Filter::default() },
        Filter { kind: Some("test_note"), state: Some(State::Ready), ..Filter::default() },
    ] {
        let list = async |conn: &mut sqlx::PgConnection| live::list_of(conn, tenant, filter, FIRST).await.unwrap();
        let (part, scanned, fetched) = visited(&db.pool, list).await;
        assert_eq!(ids(&part), mine[..50], "{filter:?}");
        assert_eq!(part.next, Some(mine[49]));
        assert_eq!(scanned, 0, "no sequential scan: {filter:?}");
        // Its own sixty, and a probe for each of the thirteen lanes.
        assert!(fetched <= 60 + 2 * 14, "{fetched} rows visited: {filter:?}");
        let second = Slice { before: part.next, ..FIRST };
        let rest = live::list_of(&mut db.pool.acquire().await.unwrap(), tenant, filter, second).await.unwrap();
        assert_eq!((ids(&rest).as_slice(), rest.next), (&mine[50..], None));
    }
    let nobody = async |conn: &mut sqlx::PgConnection| {
        live::list_of(conn, Uuid::now_v7(), Filter { queue: Some("no_such"), ..Filter::default() }, FIRST)
            .await
            .unwrap()
    };
    let (part, scanned, fetched) = visited(&db.pool, nobody).await;
    assert_eq!((part.jobs.len(), scanned), (0, 0));
    assert!(fetched <= 2, "{fetched}");
}

#[tokio::test]
async fn a_walk_over_all_jobs_visits_a_window_and_misses_nothing() {
    let db = TestDb::new().await;
    crowd(&db.pool).await;
    let first = async |conn: &mut sqlx::PgConnection| live::list_all(conn, Filter::default(), FIRST).await.unwrap();
    let (part, scanned, fetched) = visited(&db.pool, first).await;
    assert_eq!((part.jobs.len(), scanned), (50, 0));
    assert!(fetched <= 110, "{fetched} rows visited");

    // One of 100,000, and the oldest of them.
    let rare = "UPDATE job SET kind = 'rare' WHERE id = (SELECT id FROM job ORDER BY id LIMIT 1) RETURNING id";
    let rare: Uuid = sqlx::query_scalar(rare).fetch_one(&db.pool).await.unwrap();
    let filter = Filter { kind: Some("rare"), ..Filter::default() };
    let (mut slice, mut found, mut calls) = (FIRST, Vec::new(), 0);
    loop {
        let walk = async |conn: &mut sqlx::PgConnection| live::list_all(conn, filter, slice).await.unwrap();
        let (part, scanned, fetched) = visited(&db.pool, walk).await;
        assert_eq!(scanned, 0);
        // The window, walked once for its rows and once for where it ends.
        assert!(fetched <= 2 * WINDOW + 10, "{fetched} rows visited");
        found.extend(ids(&part));
        calls += 1;
        match part.next {
            Some(next) => slice.before = Some(next),
            None => break,
        }
    }
    assert_eq!(found, [JobId::from(rare)]);
    assert!(calls <= 100_000 / WINDOW + 1, "{calls} calls");
}

#[tokio::test]
async fn a_cursor_neither_skips_nor_repeats_while_jobs_come_and_go() {
    let db = TestDb::new().await;
    let mut all = Vec::new();
    for n in 0..6 {
        all.push(enqueue(&db.pool, &note(n)).await);
    }
    let mut conn = db.pool.acquire().await.unwrap();
    let slice = Slice { before: None, limit: 2 };
    let filter = Filter { kind: Some("test_note"), ..Filter::default() };
    let first = live::list_all(&mut conn, filter, slice).await.unwrap();
    assert_eq!(ids(&first), [all[5], all[4]]);
    enqueue(&db.pool, &note(7)).await;
    sqlx::query("DELETE FROM job WHERE id = ANY($1)")
        .bind([all[4].uuid(), all[3].uuid()].as_slice())
        .execute(&db.pool)
        .await
        .unwrap();
    let second = live::list_all(&mut conn, filter, Slice { before: first.next, ..slice }).await.unwrap();
    assert_eq!(ids(&second), [all[2], all[1]]);
    let third = live::list_all(&mut conn, filter, Slice { before: second.next, ..slice }).await.unwrap();
    assert_eq!((ids(&third), third.next), (vec![all[0]], None));
}

#[tokio::test]
async fn every_state_is_told_apart() {
    let db = TestDb::new().await;
    let worker = worker(&db.pool).await;
    let running = enqueue(&db.pool, &note(1)).await;
    claim(&db.pool, worker, 1).await;
    let ready = enqueue(&db.pool, &note(2)).await;
    let mut conn = db.pool.acquire().await.unwrap();
    let tomorrow = chrono::Utc::now() + chrono::Duration::days(1);
    let later = jobs::queue::Options { run_at: Some(tomorrow), ..Default::default() };
    let scheduled = jobs::queue::enqueue_with(&mut conn, &note(3), &later).await.unwrap().id;
    for (state, id) in [(State::Running, running), (State::Ready, ready), (State::Scheduled, scheduled)] {
        let filter = Filter { state: Some(state), ..Filter::default() };
        let all = live::list_all(&mut conn, filter, FIRST).await.unwrap();
        assert_eq!(ids(&all), [id], "{state:?}");
        let of = live::list_of(&mut conn, Uuid::nil(), filter, FIRST).await.unwrap();
        assert_eq!(ids(&of), [id], "{state:?}");
        assert!(all.jobs[0].enqueued_at.is_some() && all.jobs[0].org_id.is_none());
    }
    assert_eq!(look(&mut conn, JobId::new()).await.unwrap(), Sight::Unknown);
    assert!(matches!(look(&mut conn, running).await.unwrap(), Sight::Lives { .. }));
}
