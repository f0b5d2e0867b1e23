//! Tables full of what maintenance shall delete, for its benchmark: each filled by one statement, none of them as production would.

use sqlx::PgConnection;
use uuid::Uuid;

/// The organisation and account of a number, of ten.
const OWNERS: &str = "
    INSERT INTO org (id, slug, display_name, plan)
    SELECT ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'bench-' || n, 'Bench', 'free'
      FROM generate_series(0, 9) n;
    INSERT INTO cloud_account (id, org_id, provider, external_account_id, display_name, credential_type, credential,
                               default_region)
    SELECT o.id, o.id, 'aws', o.slug, o.slug, 'access_key', '', 'us-east-1' FROM org o";

/// Fills every table with so many rows past their time: events with a delivery and an attempt each, dead jobs, idempotency keys
/// and scan runs, of which each eleventh has a drift snapshot with five items.
///
/// # Errors
/// The database's.
pub async fn fill(conn: &mut PgConnection, rows: i64) -> sqlx::Result<()> {
    sqlx::raw_sql(OWNERS).execute(&mut *conn).await?;
    sqlx::query!(
        "INSERT INTO event (id, org_id, event_type, data, occurred_at)
         SELECT uuid_v7_floor(t.at), ('00000000-0000-7000-8000-' || lpad((n % 10)::text, 12, '0'))::uuid, 'scan.completed',
                jsonb_build_object('scan_id', gen_random_uuid(), 'note', repeat('x', 200)), t.at
           FROM generate_series(1, $1::bigint) n, LATERAL (SELECT now() - interval '60 days' + n * interval '1 ms' AS at) t",
        rows,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "INSERT INTO webhook_delivery (id, org_id, endpoint_id, event_id, event_type, trigger, state, attempts, logged, job_id,
                                       next_attempt_at, delivered_at)
         SELECT e.id, e.org_id, $1, e.id, e.event_type, 'event', 'delivered', 1, 1, gen_random_uuid(), NULL, e.occurred_at
           FROM event e",
        Uuid::now_v7(),
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "INSERT INTO webhook_attempt (delivery_id, number, org_id, trigger, started_at, duration_ms, response_status,
                                      response_excerpt)
         SELECT id, 1, org_id, 'event', delivered_at, 12, 200, repeat('ok ', 30) FROM webhook_delivery"
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "INSERT INTO dead_job (id, tenant, kind, queue, priority, attempt, max_attempts, payload, reason, error_class, error,
                               died_at)
         SELECT uuid_v7_floor(t.at), ('00000000-0000-7000-8000-' || lpad((n % 10)::text, 12, '0'))::uuid, 'bench_' || n % 5,
                'nowhere', 50, 3, 3, '{\"n\": 1}', 'attempts_exhausted', 'boom', 'it broke', t.at
           FROM generate_series(1, $1::bigint) n, LATERAL (SELECT now() - interval '60 days' + n * interval '1 ms' AS at) t",
        rows,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "INSERT INTO idempotency_key (principal, key, request_hash, attempt_id, locked_until, status, body, created_at, expires_at)
         SELECT 'key/' || n % 100, gen_random_uuid()::text, sha256('x'), gen_random_uuid(), t.at, 201,
                convert_to(repeat('x', 300), 'UTF8'), t.at, t.at + interval '1 day'
           FROM generate_series(1, $1::bigint) n, LATERAL (SELECT now() - interval '9 days' + n * interval '1 ms' AS at) t",
        rows,
    )
    .execute(&mut *conn)
    .await?;
    fill_scans(conn, rows).await
}

/// The same of outcomes. They stand apart because workers, too, forget them beside their jobs.
///
/// # Errors
/// The database's.
pub async fn fill_outcomes(conn: &mut PgConnection, rows: i64) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO job_outcome (job_id, state, result, finished_at, expires_at)
         SELECT uuid_v7_floor(t.at), 'done', '{\"found\": true}', t.at, t.at + interval '5 minutes'
           FROM generate_series(1, $1::bigint) n, LATERAL (SELECT now() - interval '9 days' + n * interval '1 ms' AS at) t",
        rows,
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn fill_scans(conn: &mut PgConnection, rows: i64) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO scan_run (id, org_id, cloud_account_id, provider, scan_type, status, drift_status, created_at, started_at,
                               finished_at)
         SELECT uuid_v7_floor(t.at), o.id, o.id, 'aws', 'manual', 'done', 'done', t.at, t.at, t.at
           FROM generate_series(1, $1::bigint) n, LATERAL (SELECT now() - interval '60 days' + n * interval '1 ms' AS at) t,
                LATERAL (SELECT ('00000000-0000-7000-8000-' || lpad((n % 10)::text, 12, '0'))::uuid AS id) o",
        rows,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "INSERT INTO drift_snapshot (id, org_id, scan_run_id, cloud_account_id, total_iac, total_live, matched_count,
                                     changed_count, missing_count, extra_count, unchecked_count, unknown_count,
                                     parse_failure_count, coverage_pct, risk_level, report, every_region, created_at)
         SELECT r.id, r.org_id, r.id, r.cloud_account_id, 9, 9, 4, 5, 0, 0, 0, 0, 0, 50, 'low', '{}', true, r.created_at
           FROM (SELECT *, row_number() OVER (ORDER BY id) AS nth FROM scan_run) r WHERE r.nth % 11 = 0"
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "INSERT INTO drift_item (snapshot_id, ordinal, org_id, kind, severity, provider_type, item)
         SELECT d.id, n, d.org_id, 'changed', 'low', 'aws_vpc', jsonb_build_object('note', repeat('x', 300))
           FROM drift_snapshot d, generate_series(0, 4) n"
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Leaves the filled tables as autovacuum would.
///
/// # Errors
/// The database's.
pub async fn settle(conn: &mut PgConnection) -> sqlx::Result<()> {
    let tables =
        "VACUUM (ANALYZE) org, cloud_account, event, webhook_delivery, webhook_attempt, dead_job, idempotency_key, job_outcome, scan_run,
                  drift_snapshot, drift_item, job";
    sqlx::raw_sql(tables).execute(conn).await?;
    Ok(())
}
