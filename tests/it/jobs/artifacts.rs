//! Artifacts in a bucket, over S3's protocol: whole or not at all, as in a folder.

use std::io;

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use jobs::artifacts::{Error, Key, PAGE, Page, S3, Store};

use crate::support::moto::{Moto, Server};

async fn store(moto: &Moto) -> Store {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    http.put(format!("{}/artifacts", moto.url)).send().await.unwrap().error_for_status().unwrap();
    let shared = aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(&moto.url)
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .load()
        .await;
    Store::S3(S3::new(&shared, "artifacts", "some/prefix"))
}

/// That many bytes in odd pieces.
fn body(length: usize) -> BoxStream<'static, io::Result<Bytes>> {
    let piece = 100_003;
    let pieces = (0..length).step_by(piece).map(move |at| Ok(Bytes::from(vec![b'x'; piece.min(length - at)])));
    stream::iter(pieces).boxed()
}

async fn length(store: &Store, key: &Key) -> usize {
    let body = store.get_stream(key).await.unwrap();
    body.try_fold(0, |total, piece| async move { Ok(total + piece.len()) }).await.unwrap()
}

#[tokio::test]
async fn a_bucket_keeps_whole_artifacts_only_small_or_in_parts() {
    let moto = Moto::start(Server::Plain, "aws-core", &[]);
    let store = store(&moto).await;
    let key: Key = "states/a/b".parse().unwrap();
    assert!(matches!(store.get_stream(&key).await, Err(Error::NotFound(missing)) if missing == key));

    for size in [100, 20 << 20] {
        let broken = body(size).chain(stream::iter([Err(io::Error::other("gone"))]));
        assert!(matches!(store.put_stream(&key, broken).await, Err(Error::Body(_))), "{size}");
        assert!(matches!(store.get_stream(&key).await, Err(Error::NotFound(_))), "{size}");
    }
    let uploads = reqwest::Client::builder().no_proxy().build().unwrap().get(format!("{}/artifacts?uploads", moto.url));
    let uploads = uploads.send().await.unwrap().text().await.unwrap();
    assert!(!uploads.contains("<Upload>"), "an unfinished upload was left to be paid for: {uploads}");

    for size in [0, 100, 8 << 20, 20 << 20] {
        assert_eq!(store.put_stream(&key, body(size)).await.unwrap(), size as u64);
        assert_eq!(length(&store, &key).await, size);
    }
    store.delete(&key).await.unwrap();
    store.delete(&key).await.unwrap();
    assert!(matches!(store.get_stream(&key).await, Err(Error::NotFound(_))));
}

#[tokio::test]
async fn a_bucket_is_listed_page_by_page_below_its_prefix() {
    let moto = Moto::start(Server::Plain, "aws-core", &[]);
    let store = store(&moto).await;
    let states: Key = "states".parse().unwrap();
    assert_eq!(store.list(&states, None).await.unwrap(), Page { keys: Vec::new(), next: None });
    let mut put: Vec<Key> = (0..PAGE + 5).map(|n| format!("states/o/s/{n:05}").parse().unwrap()).collect();
    put.push("states-of-mind/x".parse().unwrap());
    for keys in put.chunks(50) {
        let puts = keys.iter().map(|key| store.put_stream(key, body(1)));
        futures::future::try_join_all(puts).await.unwrap();
    }
    put.pop();
    // What others put there: outside of our prefix, and below it under a name that is no key.
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    for name in ["states/o/s/other", "some/prefix/states/o/s/00000%20copy"] {
        http.put(format!("{}/artifacts/{name}", moto.url)).body("x").send().await.unwrap().error_for_status().unwrap();
    }

    let first = store.list(&states, None).await.unwrap();
    assert_eq!(first.keys.len(), PAGE - 1, "one of the page is not ours");
    store.delete(first.keys.last().unwrap()).await.unwrap();
    let second = store.list(&states, first.next.as_ref()).await.unwrap();
    assert_eq!((second.keys.len(), &second.next), (6, &None));
    assert_eq!([first.keys, second.keys].concat(), put);
}
