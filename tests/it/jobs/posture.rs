//! How accounts stand: by what is known of all their regions.

use jobs::db::drift_snapshot::{self, Posture};
use jobs::kinds::compute_drift::ComputeDrift;

use super::world::{World, done};
use crate::support::moto::{Moto, Server};

async fn posture(world: &World) -> Posture {
    let mut rows = drift_snapshot::posture(&mut *world.conn().await, world.org).await.unwrap();
    assert_eq!(rows.len(), 1);
    rows.remove(0)
}

#[tokio::test]
async fn a_scan_of_one_region_counts_only_until_there_is_one_of_all() {
    let moto = Moto::start(Server::Fixture, "aws-core", &["apply"]);
    let world = World::new(&moto.url).await;
    world.uploaded("aws-core").await;
    assert_eq!(posture(&world).await.scan_id, None);
    let narrow = world.scan(&["eu-west-1"]).await;
    assert_eq!(posture(&world).await.scan_id, Some(narrow.id), "better than nothing");
    let whole = world.scan(&["eu-west-1"]).await;
    // Reading every region of an emulator takes minutes; that the run was not limited is all that matters here.
    sqlx::query("UPDATE scan_run SET filter_regions = '{}' WHERE id = $1")
        .bind(whole.id.uuid())
        .execute(&world.pool)
        .await
        .unwrap();
    done(world.run(&ComputeDrift { org_id: world.org, scan_id: whole.id }).await);
    world.scan(&["eu-west-1"]).await;
    let kept = posture(&world).await;
    assert_eq!(kept.scan_id, Some(whole.id));
    assert_eq!(kept.coverage_pct, Some(world.drift(whole.id).await.coverage_pct));
}
