//! Deliveries whose job died without a word: its worker was lost, or its handler, during the last attempt.

use sqlx::PgConnection;

use crate::kinds::Job as _;
use crate::kinds::deliver_webhook::DeliverWebhook;

/// Looked back so far; whoever reconciles does it far more often.
const BACK_HOURS: i32 = 24;

/// Gives up the deliveries whose job is dead and that do not say so, and writes their last attempt down; says how many, up
/// to `most`.
///
/// # Errors
/// The database's.
pub async fn reconcile(conn: &mut PgConnection, most: i64) -> sqlx::Result<u64> {
    let given_up = sqlx::query!(
        "WITH forgotten AS MATERIALIZED (
           SELECT d.id, d.org_id, d.logged, x.error
             FROM dead_job x JOIN webhook_delivery d ON d.id = x.unique_key::uuid AND d.job_id = x.id
            WHERE x.kind = $1 AND x.died_at > now() - make_interval(hours => $2) AND x.replay_job_id IS NULL
              AND d.state IN ('pending', 'failed') AND d.cancelled_because IS NULL
            ORDER BY d.id LIMIT $3 FOR UPDATE OF d SKIP LOCKED),
         logged AS (
           INSERT INTO webhook_attempt (delivery_id, number, org_id, trigger, error_class, error)
           SELECT id, logged + 1, org_id, 'retry', 'unrecorded', error FROM forgotten)
         UPDATE webhook_delivery d SET state = 'dlq', next_attempt_at = NULL, logged = f.logged + 1, attempts = attempts + 1
           FROM forgotten f WHERE d.id = f.id",
        DeliverWebhook::KIND,
        BACK_HOURS,
        most,
    )
    .execute(conn)
    .await?;
    Ok(given_up.rows_affected())
}
