//! Whose credentials these are, and which field is to blame when they are not.

use jobs::domain::{CredentialType, Provider};
use jobs::ids::{CloudAccountId, OrgId};
use jobs::kinds::validate_account::{SealedCredential, ValidateAccount, Validated};
use jobs::queue::Waited;
use serde_json::json;

use super::world::{ACCESS_KEY, ACCOUNT, World, done, failure};
use crate::support::faults::{Fault, Proxy};
use crate::support::moto::{Moto, Server};

fn job(world: &World, credential: &str) -> ValidateAccount {
    let account_id = CloudAccountId::new();
    ValidateAccount {
        org_id: world.org,
        account_id,
        provider: Provider::Aws,
        external_account_id: ACCOUNT.to_owned(),
        credential_type: CredentialType::AccessKey,
        credential: SealedCredential::seal(&world.services.keyring, world.org, account_id, credential).unwrap(),
        default_region: None,
    }
}

/// The class of a failure and the field that it blames.
fn blamed(waited: Waited) -> (String, String) {
    let (class, message, details) = failure(waited);
    assert!(!message.contains("hunter2"), "{message}");
    let field = details.and_then(|details| details["field"].as_str().map(str::to_owned));
    (class, field.unwrap_or_default())
}

#[tokio::test]
async fn wrong_credentials_are_blamed_on_their_field_and_never_repeated() {
    let moto = Moto::start(Server::Plain, "aws-core", &[]);
    let world = World::new(&moto.url).await;

    let malformed = job(&world, r#"{"access_key_id":"test","secret":"hunter2"}"#);
    assert_eq!(blamed(world.run(&malformed).await), ("credential_malformed".into(), "credential_ref".into()));

    let other = ValidateAccount { external_account_id: "210987654321".to_owned(), ..job(&world, ACCESS_KEY) };
    assert_eq!(blamed(world.run(&other).await), ("account_mismatch".into(), "external_account_id".into()));

    let nowhere = ValidateAccount { default_region: Some("mars-1".to_owned()), ..job(&world, ACCESS_KEY) };
    assert_eq!(blamed(world.run(&nowhere).await), ("region_unknown".into(), "default_region".into()));

    let gcp = ValidateAccount { provider: Provider::Gcp, ..job(&world, ACCESS_KEY) };
    assert_eq!(blamed(world.run(&gcp).await), ("provider_unsupported".into(), "provider".into()));

    let moved = ValidateAccount { org_id: OrgId::new(), ..job(&world, ACCESS_KEY) };
    assert_eq!(failure(world.run(&moved).await).0, "credential_unreadable");
}

#[tokio::test]
async fn a_cloud_that_refuses_and_one_that_is_away_are_told_apart() {
    let moto = Moto::start(Server::Plain, "aws-core", &[]);
    let proxy = Proxy::start(&moto.url, |call| (call.service == "sts").then_some(Fault::Denied)).await;
    let world = World::new(&proxy.url).await;
    assert_eq!(
        blamed(world.run(&job(&world, ACCESS_KEY)).await),
        ("credential_invalid".into(), "credential_ref".into())
    );

    let world = World::new("http://127.0.0.1:9").await;
    let (class, _, details) = failure(world.run(&job(&world, ACCESS_KEY)).await);
    assert_eq!((class.as_str(), details), ("cloud_unreachable", None));
}

#[tokio::test]
async fn an_account_is_told_by_its_identity_and_regions_each_time_anew() {
    let moto = Moto::start(Server::Plain, "aws-core", &[]);
    let world = World::new(&moto.url).await;
    let job = ValidateAccount { default_region: Some("eu-west-1".to_owned()), ..job(&world, ACCESS_KEY) };
    for _ in 0..2 {
        let validated: Validated = serde_json::from_value(done(world.run(&job).await)).unwrap();
        assert_eq!((validated.external_account_id.as_str(), validated.default_region.as_str()), (ACCOUNT, "eu-west-1"));
        assert!(validated.principal.starts_with("arn:aws:"), "{}", validated.principal);
        assert!(validated.regions.contains(&"us-east-1".to_owned()) && validated.regions.is_sorted());
    }
    assert_eq!(world.number("SELECT count(*) FROM job").await, 0);
}

#[tokio::test]
async fn who_may_not_list_regions_can_still_be_an_account() {
    let moto = Moto::start(Server::Plain, "aws-core", &[]);
    let proxy = Proxy::start(&moto.url, |call| (call.action == "DescribeRegions").then_some(Fault::Denied)).await;
    let world = World::new(&proxy.url).await;
    let validated = done(world.run(&job(&world, ACCESS_KEY)).await);
    assert_eq!((&validated["default_region"], &validated["regions"]), (&json!("us-east-1"), &json!([])));
}
