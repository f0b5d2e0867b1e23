//! Uploads that nobody forgot; what else is in the store is nobody's business here.

use std::path::Path;
use std::time::Duration;

use jobs::artifacts::{Key, PAGE, Store};
use jobs::ids::{OrgId, StateSourceId};
use scheduler::maintenance::artifacts::{Artifacts, Config, Forgotten};
use scheduler::maintenance::{Ground, Service as _};
use uuid::{NoContext, Timestamp, Uuid};

use crate::support::TestDb;

/// The key of an upload so many days ago.
fn key(days: u64) -> Key {
    let at = chrono::Utc::now() - Duration::from_hours(24 * days);
    let id = Uuid::new_v7(Timestamp::from_unix(NoContext, at.timestamp().unsigned_abs(), at.timestamp_subsec_nanos()));
    format!("states/{}/{}/{id}", OrgId::new(), StateSourceId::new()).parse().unwrap()
}

fn put(root: &Path, key: &str) {
    let place = root.join(key);
    std::fs::create_dir_all(place.parent().unwrap()).unwrap();
    std::fs::write(place, "sealed").unwrap();
}

/// A database, a store and the service.
async fn scene(pages: u32) -> (TestDb, tempfile::TempDir, Artifacts) {
    let (db, folder) = (TestDb::new().await, tempfile::tempdir().unwrap());
    let store = Store::open(folder.path().to_str().unwrap()).await.unwrap();
    let config = Config { pages, ..Config::default() };
    let service = Artifacts::new(&Ground::new(db.pool.clone()), store, config).unwrap();
    (db, folder, service)
}

#[tokio::test]
async fn an_upload_goes_when_no_dead_letter_can_be_replayed_that_reads_it_and_nothing_else_does() {
    let (_db, folder, service) = scene(100).await;
    let root = folder.path();
    assert_eq!(service.run_once().await.unwrap(), Forgotten::default(), "an empty store");
    let (old, young) = (key(32), key(30));
    let odd = [
        format!("packs/{}/{}/{}", OrgId::new(), StateSourceId::new(), old.upload_id().unwrap()),
        format!("states/{}/{}/{}", OrgId::new(), StateSourceId::new(), Uuid::new_v4()),
        "states/readme.txt".to_owned(),
    ];
    for key in odd.iter().map(String::as_str).chain([old.as_str(), young.as_str()]) {
        put(root, key);
    }
    assert_eq!(service.run_once().await.unwrap(), Forgotten { uploads: 1, has_more: false });
    assert!(!root.join(old.as_str()).exists());
    for key in odd.iter().map(String::as_str).chain([young.as_str()]) {
        assert!(root.join(key).exists(), "{key} is gone");
    }
    assert_eq!(service.run_once().await.unwrap(), Forgotten::default());
}

#[tokio::test]
async fn a_run_that_ends_at_its_bound_is_gone_on_with_and_a_whole_walk_begins_anew() {
    let (_db, folder, service) = scene(1).await;
    let (org, source) = (OrgId::new(), StateSourceId::new());
    let id = key(40).upload_id().unwrap().as_u128();
    for n in 0..PAGE as u128 + 10 {
        put(folder.path(), &format!("states/{org}/{source}/{}", Uuid::from_u128(id + n)));
    }
    for (uploads, has_more) in [(1_000, true), (10, false), (0, false)] {
        assert_eq!(service.run_once().await.unwrap(), Forgotten { uploads, has_more });
    }
    put(folder.path(), key(40).as_str());
    assert_eq!(service.run_once().await.unwrap().uploads, 1);
}

#[tokio::test]
async fn two_at_once_and_a_store_that_is_gone_do_no_harm() {
    let (db, folder, one) = scene(100).await;
    for _ in 0..50 {
        put(folder.path(), key(40).as_str());
    }
    let store = Store::open(folder.path().to_str().unwrap()).await.unwrap();
    let two = Artifacts::new(&Ground::new(db.pool.clone()), store, Config::default()).unwrap();
    let (one, two) = tokio::join!(one.run_once(), two.run_once());
    assert!(one.unwrap().uploads + two.unwrap().uploads >= 50, "what is gone already counts as deleted");
    let states = folder.path().join("states");
    std::fs::remove_dir_all(&states).unwrap();
    std::fs::write(&states, "a file where the folder was").unwrap();
    let store = Store::open(folder.path().to_str().unwrap()).await.unwrap();
    let broken = Artifacts::new(&Ground::new(db.pool.clone()), store, Config::default()).unwrap();
    let error = broken.run_once().await.unwrap_err();
    assert!(error.to_string().contains("cannot be listed"), "{error}");
}
