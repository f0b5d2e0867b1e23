//! What came of attempts: many in one statement, with how their endpoints fare.

use std::time::Duration;

use sqlx::PgConnection;
use uuid::Uuid;

use crate::domain::Trigger;
use crate::ids::{DeliveryId, OrgId, WebhookEndpointId};
use crate::kinds::Job as _;
use crate::kinds::deliver_webhook::DeliverWebhook;
use crate::queue::Claim;

/// From so many failures in a row on, one delivery at a time, until one succeeds.
pub const THROTTLED_FROM: i32 = 5;
/// An endpoint is disabled that has failed so many deliveries since its last success …
pub const DISABLED_FROM: i32 = 50;
/// … and whose failures began so many days ago.
pub const DISABLED_AFTER_DAYS: i32 = 5;

/// An attempt, as it went.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// Why it was made.
    pub trigger: Trigger,
    /// Attempts of the same job before it that nobody wrote down: their workers were lost.
    pub unrecorded: i16,
    /// How long it took.
    pub duration: Duration,
    /// Status of the answer.
    pub response_status: Option<u16>,
    /// The beginning of its body, 4096 bytes at most, without NUL.
    pub response_excerpt: Option<String>,
    /// Class and message of the failure; `None` of a success.
    pub failure: Option<(&'static str, String)>,
}

/// What becomes of the delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// It was taken.
    Delivered,
    /// It is tried again after this time.
    Retry(Duration),
    /// It is given up.
    Dead,
}

/// What an attempt says of its endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Faring {
    /// It works.
    Well,
    /// It fails.
    Failing,
    /// Nothing: the failure is ours, or it was a test.
    Unknown,
}

/// An attempt to write down.
#[derive(Debug, Clone)]
pub struct Record {
    /// The organisation.
    pub org_id: OrgId,
    /// The delivery.
    pub delivery_id: DeliveryId,
    /// The endpoint.
    pub endpoint_id: WebhookEndpointId,
    /// The right to say what becomes of the delivery. One that has taken it is believed without.
    pub claim: Claim,
    /// The attempt.
    pub attempt: Attempt,
    /// What becomes of the delivery.
    pub then: Then,
    /// What it says of the endpoint.
    pub faring: Faring,
    /// The receiver asked that nothing be sent to it for so long.
    pub hold_up: Option<Duration>,
}

/// The columns of a batch.
#[derive(Default)]
struct Columns {
    orgs: Vec<Uuid>,
    deliveries: Vec<Uuid>,
    endpoints: Vec<Uuid>,
    jobs: Vec<Uuid>,
    workers: Vec<Uuid>,
    claim_nos: Vec<i32>,
    triggers: Vec<String>,
    unrecorded: Vec<i16>,
    durations_ms: Vec<i32>,
    statuses: Vec<Option<i16>>,
    excerpts: Vec<Option<String>>,
    classes: Vec<Option<String>>,
    errors: Vec<Option<String>>,
    states: Vec<String>,
    delays_ms: Vec<Option<i64>>,
    farings: Vec<i16>,
    hold_ups_ms: Vec<Option<i64>>,
}

fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl Columns {
    fn push(&mut self, record: &Record) {
        let (attempt, claim) = (&record.attempt, record.claim);
        self.orgs.push(record.org_id.uuid());
        self.deliveries.push(record.delivery_id.uuid());
        self.endpoints.push(record.endpoint_id.uuid());
        self.jobs.push(claim.id.uuid());
        self.workers.push(claim.worker);
        self.claim_nos.push(claim.claim_no);
        self.triggers.push(attempt.trigger.as_str().to_owned());
        self.unrecorded.push(attempt.unrecorded);
        self.durations_ms.push(i32::try_from(attempt.duration.as_millis()).unwrap_or(i32::MAX));
        self.statuses.push(attempt.response_status.and_then(|status| i16::try_from(status).ok()));
        self.excerpts.push(attempt.response_excerpt.clone());
        self.classes.push(attempt.failure.as_ref().map(|(class, _)| (*class).to_owned()));
        self.errors.push(attempt.failure.as_ref().map(|(_, error)| error.clone()));
        let (state, delay) = match record.then {
            Then::Delivered => ("delivered", None),
            Then::Retry(delay) => ("failed", Some(ms(delay))),
            Then::Dead => ("dlq", None),
        };
        self.states.push(state.to_owned());
        self.delays_ms.push(delay);
        self.farings.push(match record.faring {
            Faring::Well => 1,
            Faring::Failing => -1,
            Faring::Unknown => 0,
        });
        self.hold_ups_ms.push(record.hold_up.map(ms));
    }
}

/// Writes attempts down, in one statement: the log, the deliveries, and the endpoints that begin or cease to fail. Answers with
/// the endpoints that have failed for so long that they should be disabled.
///
/// # Errors
/// The database's; then nothing is written.
pub async fn record(conn: &mut PgConnection, records: &[Record]) -> sqlx::Result<Vec<(OrgId, WebhookEndpointId)>> {
    let mut columns = Columns::default();
    for record in records {
        columns.push(record);
    }
    let overdue = sqlx::query!(
        r#"WITH given AS (
             SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::int[], $7::text[],
                                  $8::smallint[], $9::int[], $10::smallint[], $11::text[], $12::text[], $13::text[],
                                  $14::text[], $15::bigint[], $16::smallint[], $17::bigint[])
                      AS g(org_id, delivery_id, endpoint_id, job_id, worker, claim_no, trigger, unrecorded, duration_ms,
                           response_status, response_excerpt, error_class, error, state, delay_ms, faring, hold_up_ms)),
           -- Locked in the order of their ids, as a replay does.
           found AS MATERIALIZED (
             SELECT g.*, d.logged,
                    g.state = 'delivered' OR d.state <> 'delivered' AND EXISTS (
                      SELECT FROM job j WHERE j.id = g.job_id AND j.claimed_by = g.worker AND j.claim_no = g.claim_no) AS counts,
                    CASE WHEN d.job_id = g.job_id THEN d.attempts ELSE 0 END AS attempts
               FROM given g JOIN webhook_delivery d ON d.id = g.delivery_id AND d.org_id = g.org_id
              ORDER BY d.id FOR UPDATE OF d),
           moved AS (
             UPDATE webhook_delivery d
                SET logged = f.logged + f.unrecorded + 1,
                    state = CASE WHEN f.counts THEN f.state ELSE d.state END,
                    job_id = CASE WHEN f.counts THEN f.job_id ELSE d.job_id END,
                    attempts = CASE WHEN f.counts THEN f.attempts + f.unrecorded + 1 ELSE d.attempts END,
                    next_attempt_at = CASE WHEN f.counts THEN now() + f.delay_ms * interval '1 millisecond'
                                           ELSE d.next_attempt_at END,
                    delivered_at = CASE WHEN f.counts AND f.state = 'delivered' THEN now() ELSE d.delivered_at END,
                    cancelled_because = NULL
               FROM found f WHERE d.id = f.delivery_id),
           logged AS (
             INSERT INTO webhook_attempt (delivery_id, number, org_id, trigger, started_at, duration_ms, response_status,
                                          error_class, error, response_excerpt)
             SELECT f.delivery_id, f.logged + n, f.org_id, CASE WHEN n = 1 THEN f.trigger ELSE 'retry' END,
                    CASE WHEN this THEN now() - f.duration_ms * interval '1 millisecond' END,
                    CASE WHEN this THEN f.duration_ms END, CASE WHEN this THEN f.response_status END,
                    CASE WHEN this THEN f.error_class ELSE 'unrecorded' END,
                    CASE WHEN this THEN f.error
                         ELSE 'the worker was lost before it could write down what came of it: the endpoint may have got it' END,
                    CASE WHEN this THEN f.response_excerpt END
               FROM found f, generate_series(1, f.unrecorded + 1) AS n, LATERAL (SELECT n > f.unrecorded AS this) AS which),
           faring AS (
             SELECT org_id, endpoint_id, bool_or(faring > 0) AS is_well, count(*) FILTER (WHERE faring < 0) AS failures,
                    count(*) FILTER (WHERE faring < 0 AND logged = 0) AS deliveries, max(hold_up_ms) AS hold_up_ms
               FROM found GROUP BY org_id, endpoint_id),
           changing AS MATERIALIZED (
             SELECT ep.id, ep.consecutive_failures, f.is_well, f.failures, f.deliveries
               FROM faring f JOIN webhook_endpoint ep ON ep.id = f.endpoint_id
              WHERE CASE WHEN f.is_well THEN ep.consecutive_failures > 0 OR ep.failing_since IS NOT NULL
                                          OR coalesce(ep.last_success_at < now() - interval '1 minute', true)
                         ELSE f.failures > 0 END
              ORDER BY ep.id FOR UPDATE OF ep),
           changed AS (
             UPDATE webhook_endpoint ep
                SET consecutive_failures = CASE WHEN c.is_well THEN 0 ELSE c.consecutive_failures + c.failures END,
                    failed_deliveries = CASE WHEN c.is_well THEN 0 ELSE ep.failed_deliveries + c.deliveries END,
                    failing_since = CASE WHEN NOT c.is_well THEN coalesce(ep.failing_since, now()) END,
                    last_success_at = CASE WHEN c.is_well THEN now() ELSE ep.last_success_at END
               FROM changing c WHERE ep.id = c.id
             RETURNING ep.id, ep.org_id, ep.max_in_flight, ep.failed_deliveries, ep.failing_since, ep.disabled_at,
                       c.consecutive_failures AS before, ep.consecutive_failures AS after),
           paced AS (
             UPDATE group_limit g
                SET max_running = CASE WHEN g.max_running = 0 THEN 0
                                       WHEN c.after >= $19 THEN 1
                                       WHEN c.before >= $19 THEN c.max_in_flight
                                       ELSE g.max_running END,
                    next_at = greatest(g.next_at, now() + coalesce(f.hold_up_ms, 0) * interval '1 millisecond')
               FROM faring f LEFT JOIN changed c ON c.id = f.endpoint_id
              WHERE g.kind = $18 AND g.tenant = f.org_id AND g.concurrency_group = f.endpoint_id::text
                AND (f.hold_up_ms > 0 OR (c.before >= $19) <> (c.after >= $19)))
           SELECT id AS "id: WebhookEndpointId", org_id AS "org_id: OrgId" FROM changed
            WHERE failed_deliveries >= $20 AND failing_since < now() - make_interval(days => $21) AND disabled_at IS NULL"#,
        &columns.orgs,
        &columns.deliveries,
        &columns.endpoints,
        &columns.jobs,
        &columns.workers,
        &columns.claim_nos,
        &columns.triggers,
        &columns.unrecorded,
        &columns.durations_ms,
        &columns.statuses as &[Option<i16>],
        &columns.excerpts as &[Option<String>],
        &columns.classes as &[Option<String>],
        &columns.errors as &[Option<String>],
        &columns.states,
        &columns.delays_ms as &[Option<i64>],
        &columns.farings,
        &columns.hold_ups_ms as &[Option<i64>],
        DeliverWebhook::KIND,
        THROTTLED_FROM,
        DISABLED_FROM,
        DISABLED_AFTER_DAYS,
    )
    .fetch_all(conn)
    .await?;
    Ok(overdue.into_iter().map(|endpoint| (endpoint.org_id, endpoint.id)).collect())
}

/// Ends a delivery that will not be sent, for a reason.
///
/// # Errors
/// The database's.
pub async fn cancel(conn: &mut PgConnection, org_id: OrgId, id: DeliveryId, because: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE webhook_delivery SET state = 'failed', next_attempt_at = NULL, cancelled_because = $3
          WHERE org_id = $1 AND id = $2 AND state IN ('pending', 'failed', 'dlq')",
        org_id.uuid(),
        id.uuid(),
        because,
    )
    .execute(conn)
    .await?;
    Ok(())
}
