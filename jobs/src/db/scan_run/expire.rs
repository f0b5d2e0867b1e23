//! Runs that are older than their organisation's history goes back.

use std::ops::AddAssign;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::db::batches::Batch;
use crate::plan::Plan;

/// Where to go on: after a run of an organisation. By default at the beginning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Place {
    org: Uuid,
    run: Option<(DateTime<Utc>, Uuid)>,
}

/// What was deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Expired {
    /// Runs.
    pub runs: u64,
    /// Their drift snapshots.
    pub snapshots: u64,
    /// The items of those.
    pub items: u64,
}

impl AddAssign for Expired {
    fn add_assign(&mut self, more: Self) {
        self.runs += more.runs;
        self.snapshots += more.snapshots;
        self.items += more.items;
    }
}

/// A run that is past its time.
struct Old {
    id: Uuid,
    place: Place,
    /// Whether nothing keeps it.
    goes: bool,
    /// Items of its drift.
    items: i64,
}

/// Deletes runs of a plan's organisations that were asked for longer than `history` ago, with their drift: runs and items up to `most`. A
/// run with more items than that loses some of them, and goes later. In a transaction.
///
/// What stays however old it is: a run that is not over or whose drift is not, an account's newest done run, the one that it names as
/// its last, and the one whose drift its posture shows.
///
/// # Errors
/// The database's.
pub async fn expire(
    conn: &mut PgConnection,
    (plan, history): (Plan, Duration),
    from: Place,
    most: i64,
) -> sqlx::Result<Batch<Place, Expired>> {
    let old = look(conn, (plan, history), from, most).await?;
    let (mut room, mut taken, mut ids) = (most, 0, Vec::new());
    for run in &old {
        if run.goes {
            room -= 1 + run.items;
            if room < 0 && !ids.is_empty() {
                break;
            }
            ids.push(run.id);
        }
        taken += 1;
    }
    let is_last = taken == old.len() && i64::try_from(old.len()).is_ok_and(|all| all < most);
    let next = if is_last { None } else { old[..taken].last().map(|run| run.place) };

    let ids = lock(conn, &ids).await?;
    let mut done = Expired { items: delete_items(conn, &ids, most).await?, ..Expired::default() };
    if done.items >= most.unsigned_abs() {
        // There may be more of them.
        return Ok(Batch { done, next: Some(from) });
    }
    done.snapshots = sqlx::query!("DELETE FROM drift_snapshot WHERE scan_run_id = ANY ($1)", &ids)
        .execute(&mut *conn)
        .await?
        .rows_affected();
    done.runs = sqlx::query!("DELETE FROM scan_run WHERE id = ANY ($1)", &ids).execute(conn).await?.rows_affected();
    Ok(Batch { done, next })
}

/// A page of runs that are past their time, also of those that stay.
async fn look(
    conn: &mut PgConnection,
    (plan, history): (Plan, Duration),
    from: Place,
    most: i64,
) -> sqlx::Result<Vec<Old>> {
    let (at, id) = from.run.unzip();
    // Organisation by organisation, each along its index from the oldest on: what others keep for ever is never looked at. The parts stand
    // apart to be done in this order: organisations are sorted before they are joined, and what may stay is told of a page, not of all. The
    // newest done run is the first of an index: asked whether there is a newer one, the planner would look for it through the table. The
    // lower limit is a row because of two limits of one column the planner believes that hardly anything lies between them.
    let old = sqlx::query!(
        r#"SELECT r.id AS "id!", r.org_id AS "org_id!", r.created_at AS "created_at!",
                  (r.status IN ('done', 'error') AND coalesce(r.drift_status, 'done') IN ('done', 'error')
                   AND r.id IS DISTINCT FROM (
                         SELECT n.id FROM scan_run n WHERE n.cloud_account_id = r.cloud_account_id AND n.status = 'done'
                          ORDER BY n.created_at DESC, n.id LIMIT 1)
                   AND NOT EXISTS (SELECT FROM cloud_account a WHERE a.id = r.cloud_account_id AND a.last_scan_id = r.id)
                   AND r.id IS DISTINCT FROM (
                         SELECT s.scan_run_id FROM drift_snapshot s WHERE s.cloud_account_id = r.cloud_account_id
                          ORDER BY s.every_region DESC, s.created_at DESC, s.id DESC LIMIT 1)) AS "goes!",
                  coalesce((SELECT d.changed_count + d.missing_count + d.extra_count
                              FROM drift_snapshot d WHERE d.scan_run_id = r.id), 0)::bigint AS "items!"
             FROM (SELECT id FROM org WHERE plan = $1 AND id >= $3 ORDER BY id) o CROSS JOIN LATERAL (
               SELECT r.id, r.org_id, r.cloud_account_id, r.created_at, r.status, r.drift_status FROM scan_run r
                WHERE r.org_id = o.id AND r.created_at < now() - make_interval(secs => $2)
                  AND (r.created_at, r.id) >= (CASE WHEN o.id = $3 THEN coalesce($4::timestamptz, '-infinity') ELSE '-infinity' END,
                                               '00000000-0000-0000-0000-000000000000')
                  AND NOT coalesce(o.id = $3 AND r.created_at = $4 AND r.id >= $5, false)
                ORDER BY r.created_at, r.id DESC LIMIT $6) r
            ORDER BY o.id LIMIT $6"#,
        plan.as_str(),
        history.as_secs_f64(),
        from.org,
        at,
        id,
        most,
    )
    .fetch_all(conn)
    .await?;
    let old = old.into_iter().map(|run| Old {
        id: run.id,
        place: Place { org: run.org_id, run: Some((run.created_at, run.id)) },
        goes: run.goes,
        items: run.items,
    });
    Ok(old.collect())
}

/// Locks those of these runs that are still over and that nobody else has locked.
async fn lock(conn: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        "SELECT id FROM scan_run
          WHERE id = ANY ($1) AND status IN ('done', 'error') AND coalesce(drift_status, 'done') IN ('done', 'error')
            FOR UPDATE SKIP LOCKED",
        ids,
    )
    .fetch_all(conn)
    .await
}

async fn delete_items(conn: &mut PgConnection, runs: &[Uuid], most: i64) -> sqlx::Result<u64> {
    let deleted = sqlx::query!(
        "DELETE FROM drift_item WHERE ctid = ANY (ARRAY(
           SELECT i.ctid FROM drift_snapshot d JOIN drift_item i ON i.snapshot_id = d.id
            WHERE d.scan_run_id = ANY ($1) LIMIT $2))",
        runs,
        most,
    )
    .execute(conn)
    .await?;
    Ok(deleted.rows_affected())
}
