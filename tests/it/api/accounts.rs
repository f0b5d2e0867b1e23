//! `POST /orgs/{id}/accounts` and `GET /orgs/{id}/accounts/registrations/{registration_id}`, with a real worker before moto.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::join;
use jobs::domain::{Plan, Role};
use jobs::ids::{CloudAccountId, JobId, OrgId};
use jobs::queue;
use reqwest::Method;
use serde_json::{Value, json};

use super::fixture::Fixture;
use crate::support::api::Answer;
use crate::support::faults::{Fault, Proxy};
use crate::support::moto::{Moto, Server};
use crate::support::process::Running;
use crate::support::{Api, Plumbline, eventually};

/// The account that moto takes every key for.
const ACCOUNT: &str = "123456789012";

/// An API, a worker, and a cloud that is held up or refuses as the test likes.
struct Scene {
    // Stopped before its database is dropped.
    _worker: Running,
    fixture: Fixture,
    cloud: Proxy,
    is_slow: Arc<AtomicBool>,
    is_refusing: Arc<AtomicBool>,
    _moto: Moto,
}

impl Scene {
    /// An API that waits so long.
    async fn new(await_seconds: &str) -> Self {
        let moto = Moto::start(Server::Plain, "aws-core", &[]);
        let (is_slow, is_refusing) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (slow, refusing) = (Arc::clone(&is_slow), Arc::clone(&is_refusing));
        let cloud = Proxy::start(&moto.url, move |_| {
            let refused = refusing.load(Ordering::Relaxed).then_some(Fault::Denied);
            refused.or_else(|| slow.load(Ordering::Relaxed).then_some(Fault::Throttled))
        })
        .await;
        let fixture = Fixture::with(|command| command.env("PLUMBLINE_AWAIT_SECONDS", await_seconds)).await;
        let worker = worker(&fixture, &cloud.url);
        Self { _worker: worker, fixture, cloud, is_slow, is_refusing, _moto: moto }
    }

    /// A person of a new organisation.
    async fn person(&self, plan: Plan) -> Person {
        Person::new(&self.fixture, "acme", plan).await
    }
}

fn worker(fixture: &Fixture, endpoint: &str) -> Running {
    let folder = fixture.artifacts.path().to_str().unwrap();
    Plumbline::new(&["worker"])
        .database(&fixture.db)
        .env("PLUMBLINE_ARTIFACTS", folder)
        .env("AWS_ENDPOINT_URL", endpoint)
        .start()
}

/// A member of an organisation.
#[derive(Clone)]
struct Person {
    api: Api,
    org: OrgId,
}

impl Person {
    async fn new(fixture: &Fixture, slug: &str, plan: Plan) -> Self {
        let org = fixture.org(slug, plan).await;
        let token = fixture.token(org, &format!("member@{slug}.example"), Role::Member).await;
        Self { api: fixture.api.with_token(&token), org }
    }

    fn path(&self) -> String {
        format!("/api/v2/orgs/{}/accounts", self.org)
    }

    async fn register(&self, body: &Value) -> Answer {
        self.api.post(&self.path(), body).await
    }

    async fn register_once(&self, key: &str, body: &Value) -> Answer {
        let request = self.api.request(Method::POST, &self.path()).header("Idempotency-Key", key);
        self.api.send(request.json(body)).await
    }

    async fn accounts(&self) -> Value {
        self.api.get(&self.path()).await.expect(200)["accounts"].clone()
    }

    /// Polls a registration until it has ended.
    async fn ended(&self, place: &str) -> Value {
        eventually("the registration ends", async || {
            let registration = self.api.get(place).await.expect(200);
            (registration["status"] != "pending").then_some(registration)
        })
        .await
    }
}

fn body() -> Value {
    json!({
        "display_name": "production",
        "provider": "aws",
        "external_account_id": ACCOUNT,
        "credential_type": "access_key",
        "credential_ref": r#"{"access_key_id":"test","secret_access_key":"test"}"#,
    })
}

fn body_with(field: &str, value: &str) -> Value {
    let mut body = body();
    body[field] = json!(value);
    body
}

async fn count(fixture: &Fixture, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(&fixture.db.pool).await.unwrap()
}

/// Credentials that registrations still hold.
const CREDENTIALS: &str = "SELECT count(credential) FROM account_registration";
const REGISTRATIONS: &str = "SELECT count(*) FROM account_registration";

#[tokio::test]
async fn an_account_is_there_when_the_answer_comes_and_cannot_be_registered_twice() {
    let scene = Scene::new("25").await;
    let person = scene.person(Plan::Team).await;
    let first = person.register_once("k-1", &body()).await;
    let account = first.body.clone();
    assert_eq!((first.status.as_u16(), &account["external_account_id"]), (201, &json!(ACCOUNT)), "{account}");
    assert_eq!(first.header("location"), format!("{}/{}", person.path(), account["id"].as_str().unwrap()));
    assert_eq!(person.api.get(first.header("location")).await.expect(200), account);
    let again = person.register_once("k-1", &body()).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.expect(201), account);

    let second = person.register(&body()).await.expect(409);
    assert_eq!((&second["error_class"], &second["field"]), (&json!("account_exists"), &json!("external_account_id")));
    assert_eq!(scene.fixture.audited(person.org).await, ["cloud_account.created"]);
    // The registration can be polled, too, though nobody was told of it.
    let place = format!("{}/registrations/{}", person.path(), account["id"].as_str().unwrap());
    assert_eq!(person.api.get(&place).await.expect(200)["account"], account);
}

#[tokio::test]
async fn a_refusal_names_its_field_stores_nothing_and_frees_the_key() {
    let scene = Scene::new("25").await;
    let person = scene.person(Plan::Team).await;
    let mismatch = person.register_once("k-1", &body_with("external_account_id", "210987654321")).await.expect(400);
    assert_eq!(
        (&mismatch["error_class"], &mismatch["field"]),
        (&json!("account_mismatch"), &json!("external_account_id"))
    );
    let nowhere = person.register(&body_with("default_region", "mars-1")).await.expect(422);
    assert_eq!(nowhere["field"], "default_region");
    let malformed = person.register(&body_with("credential_ref", r#"{"secret":"hunter2"}"#)).await.expect(422);
    assert_eq!(
        (&malformed["error_class"], &malformed["field"]),
        (&json!("credential_malformed"), &json!("credential_ref"))
    );
    scene.is_refusing.store(true, Ordering::Relaxed);
    let refused = person.register(&body()).await.expect(422);
    assert_eq!((&refused["error_class"], &refused["field"]), (&json!("credential_invalid"), &json!("credential_ref")));
    scene.is_refusing.store(false, Ordering::Relaxed);

    assert_eq!(person.accounts().await, json!([]));
    assert!(scene.fixture.audited(person.org).await.is_empty());
    assert_eq!(count(&scene.fixture, CREDENTIALS).await, 0);
    person.register_once("k-1", &body()).await.expect(201);
}

#[tokio::test]
async fn a_full_plan_is_told_before_the_cloud_is_asked() {
    let scene = Scene::new("25").await;
    let person = scene.person(Plan::Free).await;
    person.register(&body()).await.expect(201);
    let asked = scene.cloud.calls.load(Ordering::Relaxed);
    let full = person.register(&body_with("external_account_id", "210987654321")).await.expect(402);
    assert_eq!((&full["code"], &full["limit"], &full["used"]), (&json!("plan_limit_exceeded"), &json!(1), &json!(1)));
    assert_eq!(scene.cloud.calls.load(Ordering::Relaxed), asked);
}

#[tokio::test]
async fn of_two_at_once_one_registers_and_the_other_is_told() {
    for (plan, status, class) in [(Plan::Team, 409, "account_exists"), (Plan::Free, 402, "plan_limit_exceeded")] {
        let scene = Scene::new("25").await;
        let person = scene.person(plan).await;
        scene.is_slow.store(true, Ordering::Relaxed);
        let (one, two) = (tokio::spawn(again(&person)), tokio::spawn(again(&person)));
        eventually("both wait", async || (count(&scene.fixture, REGISTRATIONS).await == 2).then_some(())).await;
        scene.is_slow.store(false, Ordering::Relaxed);
        let (one, two) = join(one, two).await;
        let mut both = [one.unwrap(), two.unwrap()];
        both.sort_by_key(|answer| answer.status);
        let [created, refused] = both;
        created.expect(201);
        assert_eq!(refused.body["error_class"], class);
        refused.expect(status);
        assert_eq!(scene.fixture.audited(person.org).await, ["cloud_account.created"]);
    }
}

fn again(person: &Person) -> impl Future<Output = Answer> + Send + 'static {
    let person = person.clone();
    async move { person.register(&body()).await }
}

#[tokio::test]
async fn a_slow_cloud_is_waited_for_elsewhere() {
    let scene = Scene::new("1").await;
    let person = scene.person(Plan::Team).await;
    let stranger = Person::new(&scene.fixture, "stranger", Plan::Team).await;
    scene.is_slow.store(true, Ordering::Relaxed);
    let accepted = person.register_once("k-1", &body()).await;
    let place = accepted.header("location").to_owned();
    assert!(place.starts_with(&format!("{}/registrations/", person.path())), "{place}");
    assert_eq!(accepted.header("retry-after"), "2");
    let pending = accepted.expect(202);
    assert_eq!(person.api.get(&place).await.expect(200), pending);
    assert_eq!((&pending["status"], &pending["account"]), (&json!("pending"), &Value::Null));
    assert_eq!(person.accounts().await, json!([]));
    let id = pending["id"].as_str().unwrap();
    for elsewhere in [
        place.clone(),
        format!("{}/registrations/{id}", stranger.path()),
        format!("{}/registrations/{}", stranger.path(), CloudAccountId::new()),
    ] {
        stranger.api.get(&elsewhere).await.expect(404);
    }

    scene.is_slow.store(false, Ordering::Relaxed);
    let done = person.ended(&place).await;
    assert_eq!((&done["status"], &done["account"]["id"]), (&json!("done"), &json!(id)), "{done}");
    assert!(done["finished_at"].is_string());
    assert_eq!(person.accounts().await, json!([done["account"]]));
    assert_eq!(count(&scene.fixture, CREDENTIALS).await, 0);
    let actors: Vec<(String, String)> =
        sqlx::query_as("SELECT action, actor_display FROM audit_event WHERE chain_id = $1 AND actor_id <> 'fixture'")
            .bind(person.org.uuid())
            .fetch_all(&scene.fixture.db.pool)
            .await
            .unwrap();
    assert_eq!(actors, [("cloud_account.created".to_owned(), "member@acme.example".to_owned())]);

    let repeated = person.register_once("k-1", &body()).await;
    assert_eq!(repeated.header("location"), place);
    assert_eq!(repeated.expect(202), pending);
}

#[tokio::test]
async fn a_registration_that_fails_later_says_why() {
    let scene = Scene::new("1").await;
    let person = scene.person(Plan::Team).await;
    scene.is_slow.store(true, Ordering::Relaxed);
    let accepted = person.register(&body()).await;
    let place = accepted.header("location").to_owned();
    accepted.expect(202);
    scene.is_refusing.store(true, Ordering::Relaxed);
    let failed = person.ended(&place).await;
    assert_eq!(
        (&failed["status"], &failed["error_class"], &failed["field"]),
        (&json!("failed"), &json!("credential_invalid"), &json!("credential_ref"))
    );
    assert!(failed["error"].is_string() && failed["finished_at"].is_string() && failed["account"].is_null());
    assert_eq!(person.accounts().await, json!([]));
    assert_eq!(count(&scene.fixture, CREDENTIALS).await, 0);
}

#[tokio::test]
async fn a_cloud_that_is_away_is_told_at_once() {
    let fixture = Fixture::new().await;
    let person = Person::new(&fixture, "acme", Plan::Team).await;
    let _worker = worker(&fixture, "http://127.0.0.1:9");
    let away = person.register(&body()).await.expect(502);
    assert_eq!(away["error_class"], "cloud_unreachable");
    assert_eq!(person.accounts().await, json!([]));
}

#[tokio::test]
async fn a_job_that_never_ran_to_its_end_is_a_registration_that_failed() {
    // Nobody works here, so the job is where the test wants it.
    let fixture = Fixture::with(|command| command.env("PLUMBLINE_AWAIT_SECONDS", "1")).await;
    let person = Person::new(&fixture, "acme", Plan::Team).await;
    for (class, shown) in [("", "cancelled"), ("worker_lost", "internal"), ("panic", "internal")] {
        let accepted = person.register(&body()).await;
        let place = accepted.header("location").to_owned();
        accepted.expect(202);
        let job: JobId = sqlx::query_scalar("SELECT id FROM job").fetch_one(&fixture.db.pool).await.unwrap();
        let mut conn = fixture.db.pool.acquire().await.unwrap();
        queue::control::cancel(&mut conn, job, "not wanted").await.unwrap();
        if !class.is_empty() {
            let died = "UPDATE job_outcome SET state = 'failed', error_class = $2, error = 'hunter2' WHERE job_id = $1";
            sqlx::query(died).bind(job.uuid()).bind(class).execute(&mut *conn).await.unwrap();
        }
        let failed = person.api.get(&place).await.expect(200);
        assert_eq!((&failed["status"], &failed["error_class"]), (&json!("failed"), &json!(shown)), "{failed}");
        assert!(failed["finished_at"].is_string() && !failed.to_string().contains("hunter2"), "{failed}");
        sqlx::query("DELETE FROM job_outcome").execute(&mut *conn).await.unwrap();
        person.api.get(&place).await.expect(404);
    }
}

#[tokio::test]
async fn whoever_hangs_up_finds_the_registration_by_its_key() {
    let fixture = Fixture::new().await;
    let person = Person::new(&fixture, "acme", Plan::Team).await;
    let impatient = tokio::spawn({
        let person = person.clone();
        async move { person.register_once("k-1", &body()).await }
    });
    eventually("it waits", async || (count(&fixture, REGISTRATIONS).await == 1).then_some(())).await;
    let told = person.register_once("k-1", &body()).await;
    assert_eq!(told.body["error_class"], "idempotency_key_in_use");
    told.expect(409);
    impatient.abort();

    let found = eventually("the key is answered", async || {
        let answer = person.register_once("k-1", &body()).await;
        (answer.status != 409).then_some(answer)
    })
    .await;
    assert_eq!(found.header("idempotency-replayed"), "true");
    let place = found.header("location").to_owned();
    assert_eq!(person.api.get(&place).await.expect(200), found.expect(202));
    assert_eq!(count(&fixture, REGISTRATIONS).await, 1);
}
