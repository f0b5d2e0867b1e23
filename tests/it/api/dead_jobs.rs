//! Dead letters over HTTP: what operators may, and what an organisation may with its own.

use jobs::domain::{Plan, Role, Scope};
use jobs::ids::JobId;
use serde_json::{Value, json};
use uuid::Uuid;

use super::fixture::Fixture;
use super::snapshot::assert_answer;

const DEAD: &str = "/api/v2/admin/dead-jobs";
const REPLAYS: &str = "/api/v2/admin/dead-jobs/replays";

/// A dead job of a tenant, and its id.
async fn bury(fixture: &Fixture, tenant: Uuid, payload: &str) -> Uuid {
    let id = JobId::new().uuid();
    sqlx::query(
        "INSERT INTO dead_job (id, tenant, kind, queue, priority, attempt, max_attempts, payload, reason, error_class, error,
                               errors, died_at)
         VALUES ($1, $2, 'scan', 'scans', 50, 5, 5, $3, 'attempts_exhausted', 'timeout', 'too long',
                 '[{\"attempt\": 5, \"error\": \"too long\"}]', now())",
    )
    .bind(id)
    .bind(tenant)
    .bind(payload)
    .execute(&fixture.db.pool)
    .await
    .unwrap();
    id
}

fn scan(org: Uuid) -> String {
    json!({"org_id": org, "scan_id": Uuid::from_u128(1), "newer": 1}).to_string()
}

#[tokio::test]
async fn only_operators_see_them_all() {
    let fixture = Fixture::new().await;
    let org = fixture.org("acme", Plan::Enterprise).await;
    assert_eq!(fixture.api.get(DEAD).await.status, 401);
    let owner = fixture.caller(org, Role::Owner).await;
    for path in [DEAD, REPLAYS, &format!("{DEAD}/{}", Uuid::now_v7())] {
        assert_eq!(owner.get(path).await.status, 403, "{path}");
    }
    assert_eq!(owner.post(REPLAYS, &json!({"filter": {}})).await.status, 403);
}

#[tokio::test]
async fn an_operator_lists_shows_replays_and_discards() {
    let fixture = Fixture::new().await;
    let org = fixture.org("acme", Plan::Enterprise).await;
    let operator = fixture.operator().await;
    let id = bury(&fixture, org.uuid(), &scan(org.uuid())).await;
    let odd = bury(&fixture, Uuid::nil(), "no json").await;
    let page = operator.get(&format!("{DEAD}?limit=1")).await.expect(200);
    assert_eq!(page["dead_jobs"][0]["id"], json!(odd));
    let cursor = page["next_cursor"].as_str().unwrap();
    assert_answer!(operator.get(&format!("{DEAD}?limit=1&cursor={cursor}")).await);
    for (query, count) in [
        (format!("org_id={org}"), 1),
        (format!("org_id={}", Uuid::nil()), 1),
        ("kind=scan&reason=attempts_exhausted&error_class=timeout&queue=scans".to_owned(), 2),
        ("died_until=2020-01-01T00:00:00Z".to_owned(), 0),
    ] {
        let found = operator.get(&format!("{DEAD}?{query}")).await.expect(200);
        assert_eq!(found["dead_jobs"].as_array().unwrap().len(), count, "{query}");
    }
    for wrong in ["reason=bad_luck", "died_since=yesterday", "org_id=acme", "limit=0", "cursor=x", "colour=red"] {
        assert_eq!(operator.get(&format!("{DEAD}?{wrong}")).await.status, 400, "{wrong}");
    }
    assert_answer!(operator.get(&format!("{DEAD}/{id}")).await);
    let shown = operator.get(&format!("{DEAD}/{odd}")).await.expect(200);
    assert_eq!((&shown["payload"], &shown["payload_text"]), (&Value::Null, &json!("no json")));

    let replay = format!("{DEAD}/{id}/replay");
    let replayed = operator.post(&replay, &json!({})).await;
    let new = replayed.body["id"].as_str().unwrap().to_owned();
    assert_eq!(replayed.header("location"), format!("/api/v2/admin/jobs/{new}"));
    assert_answer!(replayed);
    let again = operator.post(&replay, &json!({})).await.expect(409);
    assert!(again["error"].as_str().unwrap().contains(&new), "{again}");
    let alive = operator.post(&format!("{DEAD}/{new}/replay"), &json!({})).await.expect(404);
    assert!(alive["error"].as_str().unwrap().contains("not dead"), "{alive}");
    assert_eq!(operator.post(&format!("{DEAD}/{}/replay", Uuid::now_v7()), &json!({})).await.status, 404);

    let discard = async |id: Uuid, body: Value| operator.post(&format!("{DEAD}/{id}/discard"), &body).await;
    let running = discard(id, json!({"reason": "enough"})).await.expect(409);
    assert!(running["error"].as_str().unwrap().contains(&new), "{running}");
    assert_eq!(discard(odd, json!({"reason": " "})).await.status, 422);
    assert_eq!(discard(odd, json!({})).await.status, 400);
    assert_eq!(discard(odd, json!({"reason": "nobody knows what it was"})).await.status, 204);
    assert_eq!(discard(odd, json!({"reason": "again"})).await.status, 404);
    assert_eq!(fixture.audited(org).await, ["dead_job.replayed"]);
    let kept: Value = sqlx::query_scalar("SELECT details FROM audit_event WHERE action = 'dead_job.discarded'")
        .fetch_one(&fixture.db.pool)
        .await
        .unwrap();
    assert_eq!((&kept["why"], &kept["kind"]), (&json!("nobody knows what it was"), &json!("scan")));
}

#[tokio::test]
async fn a_batch_is_previewed_created_watched_and_cancelled() {
    let fixture = Fixture::new().await;
    let operator = fixture.operator().await;
    let org = fixture.org("acme", Plan::Enterprise).await;
    for _ in 0..12 {
        bury(&fixture, org.uuid(), &scan(org.uuid())).await;
    }
    let filter = json!({"kind": "scan", "org_id": org});
    for (body, field) in [
        (json!({"filter": {}, "rate": 0}), "rate"),
        (json!({"filter": {}, "rate": -1}), "rate"),
        (json!({"filter": {"kind": "other"}}), "filter"),
        (json!({"filter": {"kind": "other"}, "dry_run": true}), "filter"),
        (json!({"filter": {"reason": "bad_luck"}}), "filter.reason"),
        (json!({"filter": {"org_id": "acme"}}), "filter.org_id"),
        (json!({"filter": {}, "note": ""}), "note"),
    ] {
        let refused = operator.post(REPLAYS, &body).await.expect(422);
        assert!(refused["error"].as_str().unwrap().starts_with(field), "{body}: {refused}");
    }
    assert_eq!(operator.post(REPLAYS, &json!({"filter": {"colour": "red"}})).await.status, 400);
    assert_eq!(operator.post(REPLAYS, &json!({})).await.status, 400);
    let preview = operator.post(REPLAYS, &json!({"filter": filter, "dry_run": true})).await.expect(200);
    assert_eq!((&preview["count"], &preview["or_more"]), (&json!(12), &json!(false)));
    assert_eq!(preview["newest"].as_array().unwrap().len(), 10);
    assert_eq!(operator.get(REPLAYS).await.expect(200)["replays"], json!([]));

    let wanted = json!({"filter": filter, "rate": 50, "note": "the cloud is back"});
    let keyed = || operator.request(reqwest::Method::POST, REPLAYS).header("Idempotency-Key", "once").json(&wanted);
    let created = operator.send(keyed()).await;
    let place = created.header("location").to_owned();
    assert_eq!(operator.send(keyed()).await.header("location"), place, "once");
    assert_answer!(created);
    let batch = operator.get(&place).await.expect(200);
    assert_eq!((&batch["state"], &batch["total"]), (&json!("waiting"), &json!(12)));
    assert_eq!(operator.get(REPLAYS).await.expect(200)["replays"], json!([batch]));
    let cancelled = operator.post(&format!("{place}/cancel"), &json!({})).await.expect(200);
    assert_eq!(cancelled["state"], "cancelled");
    assert_answer!(operator.post(&format!("{place}/cancel"), &json!({})).await);
    let nowhere = format!("{REPLAYS}/{}", Uuid::now_v7());
    assert_eq!(operator.get(&nowhere).await.status, 404);
    assert_eq!(operator.post(&format!("{nowhere}/cancel"), &json!({})).await.status, 404);
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM job").fetch_one(&fixture.db.pool).await.unwrap();
    assert_eq!(left, 0, "its job went with it");
}

#[tokio::test]
async fn an_organisation_sees_and_replays_its_own_and_nobody_elses() {
    let fixture = Fixture::new().await;
    let org = fixture.org("acme", Plan::Enterprise).await;
    let other = fixture.org("other", Plan::Enterprise).await;
    let own = bury(&fixture, org.uuid(), &scan(org.uuid())).await;
    let odd = bury(&fixture, org.uuid(), r#"{"secret": "hunter2"}"#).await;
    let theirs = bury(&fixture, other.uuid(), &scan(other.uuid())).await;
    let platforms = bury(&fixture, Uuid::nil(), "{}").await;
    let caller = fixture.caller(org, Role::Member).await;
    let path = format!("/api/v2/orgs/{org}/dead-jobs");
    let listed = caller.get(&path).await.expect(200);
    let ids: Vec<_> = listed["dead_jobs"].as_array().unwrap().iter().map(|job| job["id"].clone()).collect();
    assert_eq!(ids, [json!(odd), json!(own)]);
    assert_eq!(caller.get(&format!("{path}?org_id={other}")).await.status, 400, "no such filter");
    for id in [theirs, platforms, Uuid::now_v7()] {
        assert_eq!(caller.get(&format!("{path}/{id}")).await.status, 404);
        assert_eq!(caller.post(&format!("{path}/{id}/replay"), &json!({})).await.status, 404);
    }
    let shown = caller.get(&format!("{path}/{own}")).await.expect(200);
    assert_eq!(shown["payload"]["org_id"], json!(org), "{shown}");
    let withheld = caller.get(&format!("{path}/{odd}")).await.expect(200);
    assert!(withheld["payload"].is_null() && withheld["payload_text"].is_null(), "{withheld}");

    let reader = fixture.key(org, Role::Member, &[Scope::Read]).await;
    let replay = format!("{path}/{own}/replay");
    let refused = fixture.api.with_key(&reader.raw).post(&replay, &json!({})).await.expect(403);
    assert_eq!(refused["error_class"], "insufficient_scope");
    assert_eq!(fixture.caller(org, Role::Viewer).await.post(&replay, &json!({})).await.status, 403);
    let replayed = caller.post(&replay, &json!({})).await;
    let job = replayed.body["id"].as_str().unwrap().to_owned();
    assert_eq!(replayed.header("location"), format!("/api/v2/orgs/{org}/jobs/{job}"));
    replayed.expect(202);
    assert_eq!(caller.post(&replay, &json!({})).await.expect(409)["error_class"], "replay_running");
    assert_eq!(fixture.audited(org).await, ["dead_job.replayed"]);
}
