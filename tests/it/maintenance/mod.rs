//! The scheduler's maintenance services: what they delete and mend, and above all what they leave alone.

mod artifacts;
mod config;
mod dead_letters;
mod events;
mod idempotency_keys;
mod plans;
mod rescuer;
mod scans;
mod schedule_firings;
mod share;
mod stuck_runs;
mod the_loop;
mod webhook_endpoints;

use jobs::ids::OrgId;
use scheduler::maintenance::Batches;
use sqlx::PgPool;
use uuid::Uuid;

/// Batches of ten rows, as many as it takes.
const TENS: Batches = Batches { rows: 10, most: 1_000 };
/// One batch of ten rows.
const ONE_TEN: Batches = Batches { rows: 10, most: 1 };

async fn number(pool: &PgPool, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(pool).await.unwrap()
}

async fn run_sql(pool: &PgPool, sql: &'static str) {
    sqlx::raw_sql(sql).execute(pool).await.unwrap();
}

/// An organisation on a plan.
async fn org(pool: &PgPool, plan: &str) -> OrgId {
    let id = OrgId::new();
    sqlx::query("INSERT INTO org (id, slug, display_name, plan) VALUES ($1, $2, 'Acme', $3)")
        .bind(id.uuid())
        .bind(format!("org-{}", id.uuid().simple()))
        .bind(plan)
        .execute(pool)
        .await
        .unwrap();
    id
}

/// An account of it.
async fn account(pool: &PgPool, org: OrgId) -> Uuid {
    let id = Uuid::now_v7();
    sqlx::query(
        "INSERT INTO cloud_account (id, org_id, provider, external_account_id, display_name, credential_type, credential,
                                    default_region)
         VALUES ($1, $2, 'aws', $1::text, 'production', 'access_key', '', 'us-east-1')",
    )
    .bind(id)
    .bind(org.uuid())
    .execute(pool)
    .await
    .unwrap();
    id
}
