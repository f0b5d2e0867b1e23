//! Whose credentials these are, which field is to blame when they are not, and that an account is registered once or not at
//! all.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jobs::audit::{Actor, ActorKind, Origin};
use jobs::db::account_registration::{self, NewAccountRegistration, Swept};
use jobs::db::cloud_account::{self, CloudAccount};
use jobs::db::page::Page;
use jobs::domain::{CredentialType, Provider};
use jobs::ids::{CloudAccountId, JobId, OrgId};
use jobs::kinds::validate_account::{SealedCredential, ValidateAccount};
use jobs::queue::{self, Waited};
use scheduler::maintenance::account_registrations::{AccountRegistrations, Config};
use scheduler::maintenance::{Ground, Service as _};
use serde_json::{Value, json};

use super::world::{ACCESS_KEY, ACCOUNT, World, done, failure};
use crate::support::eventually;
use crate::support::faults::{Fault, Proxy};
use crate::support::moto::{Moto, Server};

/// An organisation that has no account yet.
async fn newcomer(mut world: World, plan: &str) -> World {
    world.org = OrgId::new();
    sqlx::query("INSERT INTO org (id, slug, display_name, plan) VALUES ($1, 'newcomer', 'Newcomer', $2)")
        .bind(world.org.uuid())
        .bind(plan)
        .execute(&world.pool)
        .await
        .unwrap();
    world
}

/// The registration of [`ACCOUNT`] by an access key.
pub(super) fn job(world: &World) -> ValidateAccount {
    ValidateAccount {
        org_id: world.org,
        account_id: CloudAccountId::new(),
        provider: Provider::Aws,
        external_account_id: ACCOUNT.to_owned(),
        display_name: "production".to_owned(),
        credential_type: CredentialType::AccessKey,
        default_region: None,
        actor: Actor { kind: ActorKind::User, id: "u-1".to_owned(), display: "a@example.com".to_owned() },
        origin: Origin { request_id: Some("r-1".to_owned()), ip: Some("192.0.2.1".parse().unwrap()) },
    }
}

/// Asks for a registration as the API does.
async fn request(world: &World, job: &ValidateAccount, credential: &str) -> JobId {
    let sealed = SealedCredential::seal(&world.services.keyring, job.org_id, job.account_id, credential).unwrap();
    request_sealed(world, job, &sealed).await
}

async fn request_sealed(world: &World, job: &ValidateAccount, sealed: &SealedCredential) -> JobId {
    let mut tx = world.pool.begin().await.unwrap();
    let job_id = queue::enqueue(&mut tx, job).await.unwrap().id;
    let (id, org_id, credential) = (job.account_id, job.org_id, sealed.as_bytes());
    let new = NewAccountRegistration { id, org_id, job_id, credential };
    account_registration::insert(&mut tx, &new).await.unwrap();
    tx.commit().await.unwrap();
    job_id
}

/// Asks for a registration and waits for its end.
pub(super) async fn register(world: &World, job: &ValidateAccount, credential: &str) -> Waited {
    world.outcome(request(world, job, credential).await).await
}

async fn accounts(world: &World) -> Vec<CloudAccount> {
    let page = Page { limit: 10, offset: 0 };
    cloud_account::list(&mut *world.conn().await, world.org, page).await.unwrap().rows
}

/// Credentials that registrations still hold.
async fn credentials(world: &World) -> i64 {
    world.number("SELECT count(credential) FROM account_registration").await
}

/// The class of a failure and the field that it blames; nothing is left of the registration.
async fn blamed(world: &World, waited: Waited) -> (String, String) {
    let (class, message, details) = failure(waited);
    assert!(!message.contains("hunter2"), "{message}");
    assert_eq!((accounts(world).await, credentials(world).await), (vec![], 0), "{class}");
    let field = details.and_then(|details| details["field"].as_str().map(str::to_owned));
    (class, field.unwrap_or_default())
}

#[tokio::test]
async fn wrong_credentials_are_blamed_on_their_field_and_never_repeated() {
    let moto = Moto::start(Server::Plain, "aws-core", &[]);
    let world = newcomer(World::new(&moto.url).await, "team").await;

    let malformed = register(&world, &job(&world), r#"{"access_key_id":"test","secret":"hunter2"}"#).await;
    assert_eq!(blamed(&world, malformed).await, ("credential_malformed".into(), "credential_ref".into()));

    let other = ValidateAccount { external_account_id: "210987654321".to_owned(), ..job(&world) };
    let other = register(&world, &other, ACCESS_KEY).await;
    assert_eq!(blamed(&world, other).await, ("account_mismatch".into(), "external_account_id".into()));

    let nowhere = ValidateAccount { default_region: Some("mars-1".to_owned()), ..job(&world) };
    let nowhere = register(&world, &nowhere, ACCESS_KEY).await;
    assert_eq!(blamed(&world, nowhere).await, ("region_unknown".into(), "default_region".into()));

    let gcp = ValidateAccount { provider: Provider::Gcp, ..job(&world) };
    let gcp = register(&world, &gcp, ACCESS_KEY).await;
    assert_eq!(blamed(&world, gcp).await, ("provider_unsupported".into(), "provider".into()));

    let sealed = SealedCredential::seal(&world.services.keyring, world.org, CloudAccountId::new(), ACCESS_KEY).unwrap();
    let moved = request_sealed(&world, &job(&world), &sealed).await;
    assert_eq!(blamed(&world, world.outcome(moved).await).await.0, "credential_unreadable");

    assert_eq!(
        world.number("SELECT sum(attempt) FROM dead_job").await,
        1,
        "what the caller can mend is no dead letter; a credential that does not open is one"
    );
}

#[tokio::test]
async fn a_cloud_that_refuses_and_one_that_is_away_are_told_apart() {
    let moto = Moto::start(Server::Plain, "aws-core", &[]);
    let proxy = Proxy::start(&moto.url, |call| (call.service == "sts").then_some(Fault::Denied)).await;
    let world = newcomer(World::new(&proxy.url).await, "team").await;
    let refused = register(&world, &job(&world), ACCESS_KEY).await;
    assert_eq!(blamed(&world, refused).await, ("credential_invalid".into(), "credential_ref".into()));

    let world = newcomer(World::new("http://127.0.0.1:9").await, "team").await;
    let away = register(&world, &job(&world), ACCESS_KEY).await;
    assert_eq!(blamed(&world, away).await, ("cloud_unreachable".into(), String::new()));
}

/// Actor's kind and id, request, address, details.
type Audited = (String, String, Option<String>, Option<String>, Value);

#[tokio::test]
async fn an_account_is_registered_once_however_often_the_job_runs() {
    let moto = Moto::start(Server::Plain, "aws-core", &[]);
    let world = newcomer(World::new(&moto.url).await, "team").await;
    let job = ValidateAccount { default_region: Some("eu-west-1".to_owned()), ..job(&world) };
    assert_eq!(done(register(&world, &job, ACCESS_KEY).await), Value::Null);
    assert_eq!(done(world.run(&job).await), Value::Null, "the same again");

    let [account] = accounts(&world).await.try_into().unwrap();
    assert_eq!((account.id, account.default_region.as_str()), (job.account_id, "eu-west-1"));
    assert!(account.last_validated_at.is_some());
    let connected = world.services.connect(&mut *world.conn().await, world.org, account.id).await.ok().unwrap();
    assert_eq!(connected.credential.credential_ref, ACCESS_KEY);
    assert_eq!(credentials(&world).await, 0, "it was moved");

    let audited: Vec<Audited> = sqlx::query_as(
        "SELECT action, actor_display, request_id, ip::text, details FROM audit_event WHERE chain_id = $1",
    )
    .bind(world.org.uuid())
    .fetch_all(&world.pool)
    .await
    .unwrap();
    let [(action, actor, request_id, ip, details)] = audited.try_into().unwrap();
    assert_eq!((action.as_str(), actor.as_str()), ("cloud_account.created", "a@example.com"));
    assert_eq!(request_id.as_deref(), Some("r-1"));
    assert!(ip.is_some_and(|ip| ip.starts_with("192.0.2.1")));
    assert!(details["principal"].as_str().unwrap().starts_with("arn:aws:"), "{details}");
}

#[tokio::test]
async fn who_may_not_list_regions_can_still_be_an_account() {
    let moto = Moto::start(Server::Plain, "aws-core", &[]);
    let proxy = Proxy::start(&moto.url, |call| (call.action == "DescribeRegions").then_some(Fault::Denied)).await;
    let world = newcomer(World::new(&proxy.url).await, "team").await;
    done(register(&world, &job(&world), ACCESS_KEY).await);
    assert_eq!(accounts(&world).await[0].default_region, "us-east-1");
}

#[tokio::test]
async fn of_two_registrations_the_second_finds_the_account_or_the_plan_in_its_way() {
    let moto = Moto::start(Server::Plain, "aws-core", &[]);
    for (plan, class, details) in [
        ("team", "account_exists", json!({"field": "external_account_id"})),
        ("free", "plan_limit_exceeded", json!({"plan": "free", "limit": 1, "used": 1})),
    ] {
        let mut world = newcomer(World::idle(&moto.url).await, plan).await;
        let both = [request(&world, &job(&world), ACCESS_KEY).await, request(&world, &job(&world), ACCESS_KEY).await];
        world.start_worker();
        let mut refused = Vec::new();
        for id in both {
            if let Waited::Failed { error_class, details, .. } = world.outcome(id).await {
                refused.push((error_class, details));
            }
        }
        assert_eq!(refused, [(class.to_owned(), Some(details))]);
        assert_eq!((accounts(&world).await.len(), credentials(&world).await), (1, 0), "{plan}");
    }
}

#[tokio::test]
async fn a_passing_trouble_costs_attempts_and_keeps_the_credential() {
    let moto = Moto::start(Server::Plain, "aws-core", &[]);
    let away = Arc::new(AtomicBool::new(true));
    let is_away = Arc::clone(&away);
    let proxy = Proxy::start(&moto.url, move |_| is_away.swap(false, Ordering::Relaxed).then_some(Fault::HangUp)).await;
    let world = newcomer(World::new(&proxy.url).await, "team").await;
    done(register(&world, &job(&world), ACCESS_KEY).await);
    assert!(!away.load(Ordering::Relaxed), "the first call was hung up on");
    assert_eq!(accounts(&world).await.len(), 1);
}

#[tokio::test]
async fn a_job_that_is_cancelled_leaves_nothing_and_its_registration_is_forgotten_in_time() {
    let world = newcomer(World::idle("http://127.0.0.1:9").await, "team").await;
    let id = request(&world, &job(&world), ACCESS_KEY).await;
    let service = AccountRegistrations::new(&Ground::new(world.pool.clone()), Config::default()).unwrap();
    assert_eq!(service.run_once().await.unwrap().swept, Swept::default(), "it may still be done");

    queue::control::cancel(&mut *world.conn().await, id, "not wanted").await.unwrap();
    let swept = service.run_once().await.unwrap().swept;
    assert_eq!((swept, credentials(&world).await), (Swept { credentials: 1, registrations: 0 }, 0));

    let age = |statement| sqlx::query(statement).execute(&world.pool);
    age("UPDATE account_registration SET created_at = now() - interval '25 hours'").await.unwrap();
    assert_eq!(service.run_once().await.unwrap().swept, Swept::default(), "it can still be polled");
    age("UPDATE job_outcome SET expires_at = now()").await.unwrap();
    let swept = service.run_once().await.unwrap().swept;
    assert_eq!(swept, Swept { credentials: 0, registrations: 1 });
}

#[tokio::test]
async fn a_job_that_is_cancelled_while_the_cloud_is_asked_heeds_it() {
    let moto = Moto::start(Server::Plain, "aws-core", &[]);
    let proxy = Proxy::start(&moto.url, |_| Some(Fault::Throttled)).await;
    let world = newcomer(World::new(&proxy.url).await, "team").await;
    let id = request(&world, &job(&world), ACCESS_KEY).await;
    eventually("the cloud is asked", async || (proxy.calls.load(Ordering::Relaxed) > 0).then_some(())).await;
    queue::control::cancel(&mut *world.conn().await, id, "not wanted").await.unwrap();
    assert_eq!(world.outcome(id).await, Waited::Cancelled);
    assert_eq!(accounts(&world).await, []);
}
