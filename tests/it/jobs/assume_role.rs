//! Roles are assumed for the organisation that registered them, and for nobody else.

use std::sync::{Arc, Mutex};

use jobs::domain::{CredentialType, RunStatus, StateSourceKind};
use jobs::ids::{LiveResourceId, OrgId};
use jobs::kinds::enrich_resource::EnrichResource;
use jobs::kinds::refresh_state_source::RefreshStateSource;
use jobs::kinds::validate_account::ValidateAccount;
use serde_json::json;
use uuid::Uuid;
use workers::cloud::aws::AccessKey;

use super::validate_account::{self, register};
use super::world::{World, done, failure};
use crate::support::faults::Proxy;
use crate::support::moto::{Moto, Server};

/// The account of the role.
const ACCOUNT: &str = "210987654321";
const ROLE: &str = r#"{"role_arn":"arn:aws:iam::210987654321:role/plumbline"}"#;

/// A proxy before AWS, and the bodies of the calls of `AssumeRole` that came through it.
async fn watched(upstream: &str) -> (Proxy, Arc<Mutex<Vec<String>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let proxy = Proxy::start(upstream, move |call| {
        if call.action == "AssumeRole" {
            log.lock().unwrap().push(call.body.clone());
        }
        None
    })
    .await;
    (proxy, seen)
}

/// A world whose installation has an identity that assumes roles.
async fn world(endpoint: &str) -> World {
    let mut world = World::idle(endpoint).await;
    let key = AccessKey { access_key_id: "own".to_owned(), secret_access_key: "own".to_owned(), session_token: None };
    world.services.cloud.base_credentials = Some(key);
    world.start_worker();
    world
}

fn registration(world: &World, claimed: &str) -> ValidateAccount {
    ValidateAccount {
        external_account_id: claimed.to_owned(),
        credential_type: CredentialType::AssumeRole,
        ..validate_account::job(world)
    }
}

#[tokio::test]
async fn every_call_for_a_role_carries_the_organisation_s_id() {
    let moto = Moto::start(Server::Plain, "aws-core", &[]);
    let (proxy, seen) = watched(&moto.url).await;
    let world = world(&proxy.url).await;
    let expected = format!("&ExternalId={}", world.org);
    let calls = |what: &str| {
        let bodies = std::mem::take(&mut *seen.lock().unwrap());
        assert!(!bodies.is_empty(), "{what} assumed no role");
        assert!(bodies.iter().all(|body| format!("{body}&").contains(&format!("{expected}&"))), "{what}: {bodies:?}");
    };
    let job = registration(&world, ACCOUNT);
    done(register(&world, &job, ROLE).await);
    calls("validation");

    let account = job.account_id;
    let run = world.request_scan_of(account, &["us-east-1"]).await;
    assert_eq!(world.ended(run.id).await.status, RunStatus::Done);
    calls("scan");

    let vpc: Uuid = sqlx::query_scalar("SELECT id FROM live_resource WHERE provider_type = 'aws_vpc' LIMIT 1")
        .fetch_one(&world.pool)
        .await
        .unwrap();
    done(world.run(&EnrichResource { org_id: world.org, resource_id: LiveResourceId::from(vpc) }).await);
    calls("enrichment");

    let place = json!({"bucket": "states", "key": "a.tfstate", "region": "us-east-1"});
    let source = world.add_source(StateSourceKind::S3, Some(account), &place).await;
    let refresh = RefreshStateSource { org_id: world.org, state_source_id: source, artifact: None };
    assert_eq!(failure(world.run(&refresh).await).0, "state_missing");
    calls("state");
}

#[tokio::test]
async fn somebody_else_s_external_id_or_account_is_refused_before_anybody_is_asked() {
    let world = world("http://127.0.0.1:9").await;
    let refusal = async |claimed: &str, credential: &str| {
        let (class, message, details) = failure(register(&world, &registration(&world, claimed), credential).await);
        (class, details.and_then(|details| details["field"].as_str().map(str::to_owned)).unwrap_or_default(), message)
    };
    let role = "arn:aws:iam::210987654321:role/plumbline";
    let foreign = json!({"role_arn": role, "external_id": OrgId::new().to_string()}).to_string();
    let (class, field, message) = refusal(ACCOUNT, &foreign).await;
    assert_eq!((class.as_str(), field.as_str()), ("credential_malformed", "credential_ref"));
    assert!(message.contains(&world.org.to_string()) && message.contains("sts:ExternalId"), "{message}");

    let (class, field, message) = refusal(ACCOUNT, r#"{"role_arn":"plumbline-reader"}"#).await;
    assert_eq!((class.as_str(), field.as_str()), ("credential_malformed", "credential_ref"), "{message}");
    let (class, field, message) = refusal("123456789012", ROLE).await;
    assert_eq!((class.as_str(), field.as_str()), ("account_mismatch", "external_account_id"), "{message}");
    assert!(message.contains(ACCOUNT) && message.contains("123456789012"), "{message}");

    // One that was registered before external ids were checked.
    let old = world.add_account_of(CredentialType::AssumeRole, ACCOUNT, &foreign).await;
    let run = world.request_scan_of(old, &[]).await;
    assert_eq!(world.ended(run.id).await.error_class.as_deref(), Some("credential_malformed"));
    let place = json!({"bucket": "states", "key": "a.tfstate", "region": "us-east-1"});
    let source = world.add_source(StateSourceKind::S3, Some(old), &place).await;
    let refresh = RefreshStateSource { org_id: world.org, state_source_id: source, artifact: None };
    assert_eq!(failure(world.run(&refresh).await).0, "backend_credentials");
}
