//! Settings that cannot be are refused when a service is made, and named with their limits.

use std::time::Duration;

use jobs::artifacts::Store;
use scheduler::maintenance::account_registrations::{self, AccountRegistrations};
use scheduler::maintenance::artifacts::{self, Artifacts};
use scheduler::maintenance::dead_letters::{self, DeadLetters};
use scheduler::maintenance::events::{self, Events};
use scheduler::maintenance::idempotency_keys::{self, IdempotencyKeys};
use scheduler::maintenance::rescuer::{self, Rescuer};
use scheduler::maintenance::scans::{self, Scans};
use scheduler::maintenance::stuck_runs::{self, StuckRuns};
use scheduler::maintenance::webhook_deliveries::{self, WebhookDeliveries};
use scheduler::maintenance::webhook_endpoints::{self, WebhookEndpoints};
use scheduler::maintenance::{Batches, Ground, InvalidConfig, Services, Settings};
use sqlx::PgPool;

use crate::support::Plumbline;

const NO_ROWS: Batches = Batches { rows: 0, most: 1 };
const TOO_MANY_ROWS: Batches = Batches { rows: 10_001, most: 1 };
const NO_BATCHES: Batches = Batches { rows: 1, most: 0 };

/// Never connected.
fn pool() -> PgPool {
    jobs::db::pool::options().connect_lazy("postgres://127.0.0.1:9/none").unwrap()
}

async fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().to_str().unwrap()).await.unwrap();
    (folder, store)
}

/// What was refused.
#[track_caller]
fn refused<S>(made: &Result<S, InvalidConfig>) -> (&'static str, &'static str, i64) {
    let Err(InvalidConfig { service, field, given, least, most }) = made else { panic!("it was not refused") };
    assert!(!(least..=most).contains(&given), "{service}.{field}: {given} is within {least} to {most}");
    (service, field, *given)
}

/// Every service refuses batches that are empty, too large or none.
macro_rules! batches_are_checked {
    ($ground:expr, $($service:ident, $module:ident);+ $(;)?) => {$(
        let name = stringify!($module);
        for (batches, field, given) in
            [(NO_ROWS, "batches.rows", 0), (TOO_MANY_ROWS, "batches.rows", 10_001), (NO_BATCHES, "batches.most", 0)]
        {
            let config = $module::Config { batches, ..$module::Config::default() };
            assert_eq!(refused(&$service::new(&$ground, config)), (name, field, given));
        }
        for (every, seconds) in [(Duration::ZERO, 0), (Duration::from_hours(25), 90_000)] {
            let config = $module::Config { every, ..$module::Config::default() };
            assert_eq!(refused(&$service::new(&$ground, config)), (name, "every", seconds));
        }
        $service::new(&$ground, $module::Config::default()).unwrap();
    )+};
}

#[tokio::test]
async fn empty_and_huge_batches_and_intervals_are_refused_by_each_service() {
    let ground = Ground::new(pool());
    batches_are_checked!(
        ground,
        AccountRegistrations, account_registrations;
        DeadLetters, dead_letters;
        Events, events;
        IdempotencyKeys, idempotency_keys;
        Rescuer, rescuer;
        Scans, scans;
        StuckRuns, stuck_runs;
        WebhookDeliveries, webhook_deliveries;
    );
}

#[tokio::test]
async fn nothing_is_kept_for_less_than_a_day_and_no_lease_is_shorter_than_two_heartbeats() {
    let ground = Ground::new(pool());
    for days in [0, 3_651] {
        let config = events::Config { days, ..events::Config::default() };
        assert_eq!(refused(&Events::new(&ground, config)), ("events", "days", days.into()));
    }
    for seconds in [0, 9, 3_601] {
        let config = rescuer::Config { lease: Duration::from_secs(seconds), ..rescuer::Config::default() };
        let given = i64::try_from(seconds).unwrap();
        assert_eq!(refused(&Rescuer::new(&ground, config)), ("rescuer", "lease", given));
    }
    for most in [0, 10_001] {
        let config = webhook_endpoints::Config { most, ..webhook_endpoints::Config::default() };
        assert_eq!(refused(&WebhookEndpoints::new(&ground, config)), ("webhook_endpoints", "most", most.into()));
    }
}

#[tokio::test]
async fn an_upload_is_kept_for_as_long_as_a_dead_letter_that_reads_it() {
    let ground = Ground::new(pool());
    let (_folder, store) = store().await;
    let days = |days| artifacts::Config { days, ..artifacts::Config::default() };
    assert_eq!(refused(&Artifacts::new(&ground, store.clone(), days(30))), ("artifacts", "days", 30));
    assert_eq!(refused(&Artifacts::new(&ground, store.clone(), days(3_651))), ("artifacts", "days", 3_651));
    let pages = artifacts::Config { pages: 0, ..artifacts::Config::default() };
    assert_eq!(refused(&Artifacts::new(&ground, store.clone(), pages)), ("artifacts", "pages", 0));
    Artifacts::new(&ground, store, days(31)).unwrap();
}

#[tokio::test]
async fn what_operators_set_reaches_the_services() {
    let (_folder, store) = store().await;
    let made = |settings| Services::new(pool(), store.clone(), settings);
    let bad = made(Settings { event_days: 0, ..Settings::default() });
    assert_eq!(bad.unwrap_err().to_string(), "events: days is 0, and must be 1 to 3650");
    assert!(made(Settings { rows: 0, ..Settings::default() }).is_err());
    made(Settings::default()).unwrap();
}

#[test]
fn the_command_line_refuses_what_cannot_be() {
    for (name, value) in [
        ("PLUMBLINE_EVENT_DAYS", "0"),
        ("PLUMBLINE_EVENT_DAYS", "3651"),
        ("PLUMBLINE_MAINTENANCE_BATCH", "0"),
        ("PLUMBLINE_MAINTENANCE_BATCH", "10001"),
    ] {
        let output = Plumbline::new(&["scheduler"]).env(name, value).output();
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{name}={value}: {message}");
        assert!(message.contains(value), "{message}");
    }
}
