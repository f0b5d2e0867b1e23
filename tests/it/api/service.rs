//! What every answer has, whatever was asked.

use jobs::domain::{Plan, Role};
use reqwest::Method;

use super::fixture::Fixture;
use super::snapshot::assert_answer;

#[tokio::test]
async fn a_living_service_says_so_without_a_credential() {
    let fixture = Fixture::new().await;
    let health = fixture.api.get("/api/v2/health").await;
    assert_eq!(health.header("cache-control"), "no-store");
    assert_eq!(health.header("x-content-type-options"), "nosniff");
    assert_eq!(health.expect(200), fixture.api.get("/healthz").await.expect(200));
    assert_answer!(fixture.api.get("/readyz").await);
}

#[tokio::test]
async fn a_service_without_its_tables_is_alive_and_not_ready() {
    let fixture = Fixture::new().await;
    sqlx::query("DELETE FROM _sqlx_migrations").execute(&fixture.db.pool).await.unwrap();
    fixture.api.get("/healthz").await.expect(200);
    assert_answer!(fixture.api.get("/readyz").await);
}

#[tokio::test]
async fn a_harmless_request_id_is_kept_and_any_other_replaced() {
    let fixture = Fixture::new().await;
    let with_id = |id: &'static str| {
        let request = fixture.api.request(Method::GET, "/api/v2/nowhere").header("x-request-id", id);
        fixture.api.send(request)
    };
    let kept = with_id("trace-1:a.b_c").await;
    assert_eq!(kept.header("x-request-id"), "trace-1:a.b_c");
    assert_eq!(kept.body["request_id"], "trace-1:a.b_c");
    for bad in ["a b", "<script>", ""] {
        let replaced = with_id(bad).await;
        assert_eq!(replaced.header("x-request-id").len(), 36, "{bad}");
        assert_eq!(replaced.body["request_id"], replaced.header("x-request-id"));
    }
}

#[tokio::test]
async fn an_unknown_path_and_a_wrong_method_are_problems_too() {
    let fixture = Fixture::new().await;
    assert_answer!(fixture.api.get("/api/v2/nowhere").await);
    assert_answer!(fixture.api.delete("/api/v2/health").await);
}

#[tokio::test]
async fn head_is_get_without_a_body_and_a_slash_at_the_end_changes_nothing() {
    let fixture = Fixture::new().await;
    let org = fixture.org("acme", Plan::Free).await;
    let caller = fixture.caller(org, Role::Viewer).await;
    let path = format!("/api/v2/orgs/{org}");
    let head = caller.send(caller.request(Method::HEAD, &path)).await;
    assert_eq!((head.status.as_u16(), head.body.is_null()), (200, true));
    assert_eq!(head.header("content-type"), "application/json; charset=utf-8");
    let missing = caller.send(caller.request(Method::HEAD, "/api/v2/nowhere")).await;
    assert_eq!((missing.status.as_u16(), missing.body.is_null()), (404, true));
    caller.get(&format!("{path}/")).await.expect(200);
}

#[tokio::test]
async fn metrics_count_by_template_and_never_by_id() {
    let fixture = Fixture::new().await;
    let org = fixture.org("acme", Plan::Free).await;
    let caller = fixture.caller(org, Role::Viewer).await;
    caller.get(&format!("/api/v2/orgs/{org}")).await.expect(200);
    let metrics = fixture.api.get("/metrics").await.expect(200);
    let text = metrics.as_str().unwrap();
    assert!(text.contains(r#"route="/api/v2/orgs/{id}""#), "{text}");
    assert!(!text.contains(&org.to_string()), "{text}");
}
