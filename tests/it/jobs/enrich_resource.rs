//! Reading one resource again: what the cloud says now, or why not.

use jobs::db::live_resource::{self, LiveResource};
use jobs::db::page::Page;
use jobs::domain::EnrichmentStatus;
use jobs::ids::LiveResourceId;
use jobs::kinds::enrich_resource::{EnrichResource, Enriched};

use super::world::{World, done, failure};
use crate::support::faults::{Fault, Proxy};
use crate::support::moto::{Moto, Server};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A resource of a type, as the last scan found it.
async fn one(world: &World, provider_type: &str) -> LiveResource {
    let page = Page { limit: 1_000, offset: 0 };
    let listed = live_resource::list(&mut *world.conn().await, world.org, live_resource::Filter::default(), page).await;
    let mut rows = listed.unwrap().rows.into_iter();
    rows.find(|row| row.provider_type == provider_type).expect("a resource of the type")
}

async fn row(world: &World, id: LiveResourceId) -> LiveResource {
    live_resource::get(&mut *world.conn().await, world.org, id).await.unwrap().expect("a row")
}

#[tokio::test]
async fn a_resource_is_read_again_and_the_row_says_how_that_went() {
    let moto = Moto::start(Server::Fixture, "aws-core", &["apply"]);
    let denied = Arc::new(AtomicBool::new(true));
    let deny = Arc::clone(&denied);
    let proxy = Proxy::start(&moto.url, move |call| {
        (call.service == "dynamodb" && deny.load(Ordering::Relaxed)).then_some(Fault::Denied)
    })
    .await;
    denied.store(false, Ordering::Relaxed);
    let world = World::new(&proxy.url).await;
    world.scan(&["us-east-1"]).await;
    let table = one(&world, "aws_dynamodb_table").await;
    assert_eq!(table.enrichment_status, EnrichmentStatus::None);
    let job = EnrichResource { org_id: world.org, resource_id: table.id };

    denied.store(true, Ordering::Relaxed);
    let refused: Enriched = serde_json::from_value(done(world.run(&job).await)).unwrap();
    let Enriched::Failed { error_class, reason } = refused else { panic!("it was denied") };
    assert_eq!(error_class, "access_denied");
    let failed = row(&world, table.id).await;
    assert_eq!((failed.enrichment_status, failed.enrichment_failure_reason), (EnrichmentStatus::Failed, Some(reason)));
    assert_eq!(failed.properties, table.properties, "what was known stays");

    denied.store(false, Ordering::Relaxed);
    for _ in 0..2 {
        let enriched: Enriched = serde_json::from_value(done(world.run(&job).await)).unwrap();
        assert_eq!(enriched, Enriched::Enriched);
        let now = row(&world, table.id).await;
        assert_eq!((now.enrichment_status, now.enrichment_failure_reason), (EnrichmentStatus::Enriched, None));
        assert_eq!(now.properties, table.properties);
    }
}

#[tokio::test]
async fn what_is_not_there_is_said() {
    let moto = Moto::start(Server::Fixture, "aws-core", &["apply"]);
    let world = World::new(&moto.url).await;
    let unknown = EnrichResource { org_id: world.org, resource_id: LiveResourceId::new() };
    assert_eq!(failure(world.run(&unknown).await).0, "not_found");

    world.scan(&["us-east-1"]).await;
    let queue = one(&world, "aws_sqs_queue").await;
    sqlx::query("UPDATE live_resource SET provider_resource_id = provider_resource_id || '-gone' WHERE id = $1")
        .bind(queue.id.uuid())
        .execute(&world.pool)
        .await
        .unwrap();
    let job = EnrichResource { org_id: world.org, resource_id: queue.id };
    let gone: Enriched = serde_json::from_value(done(world.run(&job).await)).unwrap();
    assert!(matches!(gone, Enriched::Failed { error_class, .. } if error_class == "resource_gone"));
}
