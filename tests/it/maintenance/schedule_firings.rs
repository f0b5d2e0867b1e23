//! What became of schedules' firings: ninety days.

use scheduler::maintenance::schedule_firings::{Config, Forgotten, ScheduleFirings};
use scheduler::maintenance::{Batches, Ground, Service as _};
use sqlx::PgPool;

use super::{ONE_TEN, TENS, number, run_sql};
use crate::support::TestDb;

/// 25 firings of more than ninety days ago, and 5 that are younger.
const FIRINGS: &str = "
    INSERT INTO schedule_firing (schedule_id, scheduled_for, org_id, trigger, outcome, fired_at)
    SELECT gen_random_uuid(), now(), gen_random_uuid(), 'cron', 'no_accounts',
           now() - CASE WHEN n <= 25 THEN interval '90 days 1 second' + n / 3 * interval '1 minute' ELSE interval '89 days' END
      FROM generate_series(1, 30) n";

fn service(pool: &PgPool, batches: Batches) -> ScheduleFirings {
    ScheduleFirings::new(&Ground::new(pool.clone()), Config { batches, ..Config::default() }).unwrap()
}

#[tokio::test]
async fn what_is_over_goes_and_what_is_not_stays() {
    let db = TestDb::new().await;
    run_sql(&db.pool, FIRINGS).await;
    assert_eq!(service(&db.pool, TENS).run_once().await.unwrap(), Forgotten { firings: 25, has_more: false });
    assert_eq!(service(&db.pool, TENS).run_once().await.unwrap(), Forgotten::default());
    assert_eq!(number(&db.pool, "SELECT count(*) FROM schedule_firing").await, 5);
}

#[tokio::test]
async fn a_run_ends_at_its_bound_and_says_that_there_is_more() {
    let db = TestDb::new().await;
    run_sql(&db.pool, FIRINGS).await;
    let service = service(&db.pool, ONE_TEN);
    for (firings, has_more) in [(10, true), (10, true), (5, false), (0, false)] {
        assert_eq!(service.run_once().await.unwrap(), Forgotten { firings, has_more });
    }
}

#[tokio::test]
async fn days_that_cannot_be_are_refused() {
    let db = TestDb::new().await;
    for days in [0, 3_651] {
        let refused = ScheduleFirings::new(&Ground::new(db.pool.clone()), Config { days, ..Config::default() });
        assert_eq!(refused.unwrap_err().field, "days");
    }
}
