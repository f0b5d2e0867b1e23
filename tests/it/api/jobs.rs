//! Live jobs, as operators and organisations see them.

use jobs::domain::{Plan, Role};
use jobs::ids::{JobId, OrgId};
use jobs::queue::{self, DeathReason, Failure, Settlement, Verdict};
use serde_json::{Value, json};
use uuid::Uuid;

use super::fixture::Fixture;
use super::queues::{claim, enqueue};
use crate::support::Api;

const JOBS: &str = "/api/v2/admin/jobs";

fn ids(answer: &Value) -> Vec<Uuid> {
    answer["jobs"].as_array().unwrap().iter().map(|job| job["id"].as_str().unwrap().parse().unwrap()).collect()
}

async fn cancel(operator: &Api, id: Uuid) -> crate::support::api::Answer {
    operator.post(&format!("{JOBS}/{id}/cancel"), &json!({})).await
}

/// Dies of its first attempt.
async fn die(fixture: &Fixture, org: OrgId) -> Uuid {
    let id = enqueue(fixture, org).await;
    let job = claim(fixture).await.remove(0);
    let failure = Failure::new("boom", "it broke");
    let verdict = Verdict::Dead { reason: DeathReason::FailedForGood, failure };
    let batch = [Settlement { claim: job.claim, has_trail: job.has_trail, verdict }];
    queue::settle(&mut fixture.db.pool.acquire().await.unwrap(), &batch).await.unwrap();
    id
}

#[tokio::test]
async fn filters_that_can_find_nothing_are_refused() {
    let fixture = Fixture::new().await;
    let operator = fixture.operator().await;
    let org = fixture.org("acme", Plan::Enterprise).await;
    let viewer = fixture.caller(org, Role::Viewer).await;
    let own = format!("/api/v2/orgs/{org}/jobs");
    for (query, status, field) in [
        ("queue=scnas", 422, "queue"),
        ("kind=scna", 422, "kind"),
        ("queue=drift&kind=scan", 422, "kind"),
        ("state=dead", 400, "state"),
        ("state=ready&state=running", 400, "state"),
        ("cursor=zzz", 400, "cursor"),
        ("limit=1000", 400, "limit"),
        ("qeue=scans", 400, "qeue"),
    ] {
        for (caller, path) in [(&operator, JOBS), (&viewer, own.as_str())] {
            let refused = caller.get(&format!("{path}?{query}")).await.expect(status);
            assert_eq!(refused["field"], field, "{query}: {refused}");
        }
    }
    assert_eq!(operator.get(&format!("{JOBS}?org_id=acme")).await.expect(400)["field"], "org_id");
    assert_eq!(viewer.get(&format!("{own}?org_id={org}")).await.expect(400)["field"], "org_id");
    // Another version's kind, in a queue that there is.
    assert_eq!(ids(&operator.get(&format!("{JOBS}?queue=scans&kind=scan_v9")).await.expect(200)), Vec::<Uuid>::new());
}

#[tokio::test]
async fn an_organisation_sees_its_own_and_nothing_else() {
    let fixture = Fixture::new().await;
    let (org, theirs) = (fixture.org("acme", Plan::Free).await, fixture.org("theirs", Plan::Free).await);
    let (mine, foreign) = (enqueue(&fixture, org).await, enqueue(&fixture, theirs).await);
    let viewer = fixture.caller(org, Role::Viewer).await;
    let own = format!("/api/v2/orgs/{org}/jobs");
    assert_eq!(ids(&viewer.get(&own).await.expect(200)), [mine]);
    assert_eq!(ids(&viewer.get(&format!("{own}?kind=scan&state=ready&queue=scans")).await.expect(200)), [mine]);
    assert_eq!(ids(&viewer.get(&format!("{own}?state=running")).await.expect(200)), Vec::<Uuid>::new());
    viewer.get(&format!("{own}/{foreign}")).await.expect(404);
    viewer.get(&format!("{own}/{}", JobId::new())).await.expect(404);
    viewer.get(&format!("{own}/nonsense")).await.expect(404);
    viewer.get(&format!("/api/v2/orgs/{theirs}/jobs")).await.expect(404);
    let job = viewer.get(&format!("{own}/{mine}")).await.expect(200);
    assert_eq!((&job["state"], &job["payload"]["org_id"]), (&json!("ready"), &json!(org)));

    sqlx::query("UPDATE job SET kind = 'scan_v9' WHERE id = $1").bind(mine).execute(&fixture.db.pool).await.unwrap();
    assert!(viewer.get(&format!("{own}/{mine}")).await.expect(200)["payload"].is_null(), "another version's kind");
    let operator = fixture.operator().await;
    assert!(operator.get(&format!("{JOBS}/{mine}")).await.expect(200)["payload"].is_string());

    let dead = die(&fixture, theirs).await;
    viewer.get(&format!("{own}/{dead}")).await.expect(404);
}

#[tokio::test]
async fn operators_page_through_all_while_jobs_come_and_go() {
    let fixture = Fixture::new().await;
    let operator = fixture.operator().await;
    let org = fixture.org("acme", Plan::Free).await;
    let mut all = Vec::new();
    for _ in 0..5 {
        all.push(enqueue(&fixture, org).await);
    }
    let first = operator.get(&format!("{JOBS}?limit=2&queue=scans")).await.expect(200);
    assert_eq!(ids(&first), [all[4], all[3]]);
    enqueue(&fixture, org).await;
    sqlx::query("DELETE FROM job WHERE id = $1").bind(all[3]).execute(&fixture.db.pool).await.unwrap();
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = operator.get(&format!("{JOBS}?limit=2&queue=scans&cursor={cursor}")).await.expect(200);
    assert_eq!(ids(&second), [all[2], all[1]]);
    let cursor = second["next_cursor"].as_str().unwrap();
    let last = operator.get(&format!("{JOBS}?limit=2&queue=scans&cursor={cursor}")).await.expect(200);
    assert_eq!((ids(&last), &last["next_cursor"]), (vec![all[0]], &Value::Null));
    assert_eq!(ids(&operator.get(&format!("{JOBS}?org_id={}", Uuid::nil())).await.expect(200)), Vec::<Uuid>::new());
    assert_eq!(ids(&operator.get(&format!("{JOBS}?org_id={org}&state=ready&limit=1")).await.expect(200)).len(), 1);
}

#[tokio::test]
async fn what_does_not_live_is_not_cancelled() {
    let fixture = Fixture::new().await;
    let operator = fixture.operator().await;
    let org = fixture.org("acme", Plan::Free).await;
    let unknown = cancel(&operator, Uuid::now_v7()).await.expect(404);
    assert!(unknown["error"].as_str().unwrap().contains("never was"), "{unknown}");
    operator.post(&format!("{JOBS}/nonsense/cancel"), &json!({})).await.expect(404);
    let dead = die(&fixture, org).await;
    let refused = cancel(&operator, dead).await.expect(404);
    assert!(refused["error"].as_str().unwrap().contains("dead"), "{refused}");
    let shown = operator.get(&format!("{JOBS}/{dead}")).await.expect(200);
    assert_eq!((&shown["state"], &shown["error_class"]), (&json!("dead"), &json!("boom")));
    let ended = Uuid::now_v7();
    sqlx::query("INSERT INTO job_outcome (job_id, state, expires_at) VALUES ($1, 'done', now() + interval '1 hour')")
        .bind(ended)
        .execute(&fixture.db.pool)
        .await
        .unwrap();
    let refused = cancel(&operator, ended).await.expect(404);
    assert!(refused["error"].as_str().unwrap().contains("ended"), "{refused}");
    assert_eq!(operator.get(&format!("{JOBS}/{ended}")).await.expect(200)["state"], "done");
    operator.get(&format!("{JOBS}/{}", Uuid::now_v7())).await.expect(404);
    assert_eq!(fixture.audited(org).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_waiting_job_is_cancelled_at_once_and_a_running_one_is_told() {
    let fixture = Fixture::new().await;
    let operator = fixture.operator().await;
    let org = fixture.org("acme", Plan::Free).await;
    let waiting = enqueue(&fixture, org).await;
    let answer = cancel(&operator, waiting).await.expect(200);
    assert_eq!(answer, json!({"id": waiting, "state": "cancelled"}));
    cancel(&operator, waiting).await.expect(404);

    let running = enqueue(&fixture, org).await;
    let job = claim(&fixture).await.remove(0);
    for _ in 0..2 {
        let answer = cancel(&operator, running).await;
        assert_eq!(answer.header("location"), format!("{JOBS}/{running}"));
        assert_eq!(answer.expect(202)["state"], "cancel_requested");
    }
    let shown = operator.get(&format!("{JOBS}/{running}")).await.expect(200);
    assert_eq!(shown["state"], "running");
    assert!(shown["job"]["cancel_requested_at"].is_string() && shown["job"]["worker_id"].is_string());
    let failure = Failure::new("boom", "x");
    let verdict = Verdict::Retry { delay: std::time::Duration::ZERO, failure };
    let batch = [Settlement { claim: job.claim, has_trail: job.has_trail, verdict }];
    queue::settle(&mut fixture.db.pool.acquire().await.unwrap(), &batch).await.unwrap();
    cancel(&operator, running).await.expect(404);
    assert_eq!(fixture.audited(org).await, ["job.cancelled", "job.cancel_requested"], "once each");
}

#[tokio::test]
async fn the_failed_attempts_of_a_job_are_shown() {
    let fixture = Fixture::new().await;
    let operator = fixture.operator().await;
    let org = fixture.org("acme", Plan::Free).await;
    let id = enqueue(&fixture, org).await;
    let job = claim(&fixture).await.remove(0);
    let failure = Failure::new("throttled", "the cloud said no");
    let verdict = Verdict::Retry { delay: std::time::Duration::from_hours(1), failure };
    let batch = [Settlement { claim: job.claim, has_trail: job.has_trail, verdict }];
    queue::settle(&mut fixture.db.pool.acquire().await.unwrap(), &batch).await.unwrap();
    let shown = operator.get(&format!("{JOBS}/{id}")).await.expect(200);
    assert_eq!((&shown["state"], &shown["job"]["attempt"]), (&json!("scheduled"), &json!(1)));
    let attempt = &shown["attempts"][0];
    assert_eq!((&attempt["error_class"], &attempt["error"]), (&json!("throttled"), &json!("the cloud said no")));
    assert_eq!(attempt["attempt"], 1);
}
