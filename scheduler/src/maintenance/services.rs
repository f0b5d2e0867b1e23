//! All services of a process.

use jobs::artifacts::Store;
use sqlx::PgPool;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::account_registrations::{self, AccountRegistrations};
use super::artifacts::{self, Artifacts};
use super::dead_letters::{self, DeadLetters};
use super::events::{self, Events};
use super::idempotency_keys::{self, IdempotencyKeys};
use super::rescuer::{self, Rescuer};
use super::scans::{self, Scans};
use super::schedule_firings::{self, ScheduleFirings};
use super::stuck_runs::{self, StuckRuns};
use super::webhook_deliveries::{self, WebhookDeliveries};
use super::webhook_endpoints::{self, WebhookEndpoints};
use super::{Batches, Ground, InvalidConfig, repeat};

/// What operators may set of the services; each service's `Config` has the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How long events are kept, in days.
    pub event_days: u16,
    /// How long schedules' firings are kept, in days.
    pub firing_days: u16,
    /// Rows of one statement.
    pub rows: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            event_days: events::Config::default().days,
            firing_days: schedule_firings::Config::default().days,
            rows: Batches::default().rows,
        }
    }
}

/// Every service, ready to run.
#[derive(Debug)]
pub struct Services {
    account_registrations: AccountRegistrations,
    artifacts: Artifacts,
    dead_letters: DeadLetters,
    events: Events,
    idempotency_keys: IdempotencyKeys,
    rescuer: Rescuer,
    scans: Scans,
    schedule_firings: ScheduleFirings,
    stuck_runs: StuckRuns,
    webhook_deliveries: WebhookDeliveries,
    webhook_endpoints: WebhookEndpoints,
}

impl Services {
    /// With these settings.
    ///
    /// # Errors
    /// A setting that cannot be.
    pub fn new(pool: PgPool, store: Store, settings: Settings) -> Result<Self, InvalidConfig> {
        let ground = &Ground::new(pool);
        let Settings { event_days, firing_days, rows } = settings;
        let sized = |batches: Batches| Batches { rows, ..batches };
        let usual = sized(Batches::default());
        let rescue = rescuer::Config::default();
        Ok(Self {
            account_registrations: AccountRegistrations::new(
                ground,
                account_registrations::Config { batches: usual, ..account_registrations::Config::default() },
            )?,
            artifacts: Artifacts::new(ground, store, artifacts::Config::default())?,
            dead_letters: DeadLetters::new(
                ground,
                dead_letters::Config { batches: usual, ..dead_letters::Config::default() },
            )?,
            events: Events::new(
                ground,
                events::Config { days: event_days, batches: usual, ..events::Config::default() },
            )?,
            idempotency_keys: IdempotencyKeys::new(
                ground,
                idempotency_keys::Config { batches: usual, ..idempotency_keys::Config::default() },
            )?,
            rescuer: Rescuer::new(ground, rescuer::Config { batches: sized(rescue.batches), ..rescue })?,
            scans: Scans::new(ground, scans::Config { batches: usual, ..scans::Config::default() })?,
            schedule_firings: ScheduleFirings::new(
                ground,
                schedule_firings::Config { days: firing_days, batches: usual, ..schedule_firings::Config::default() },
            )?,
            // Each of their rows is an event with its deliveries, or a chain of an audit log: not what is set for deleting.
            stuck_runs: StuckRuns::new(ground, stuck_runs::Config::default())?,
            webhook_deliveries: WebhookDeliveries::new(ground, webhook_deliveries::Config::default())?,
            webhook_endpoints: WebhookEndpoints::new(ground, webhook_endpoints::Config::default())?,
        })
    }

    /// Runs each of them, as tasks, until `stop`.
    pub(crate) fn spawn(self, tasks: &mut JoinSet<()>, stop: &CancellationToken) {
        tasks.spawn(repeat(self.account_registrations, stop.clone()));
        tasks.spawn(repeat(self.artifacts, stop.clone()));
        tasks.spawn(repeat(self.dead_letters, stop.clone()));
        tasks.spawn(repeat(self.events, stop.clone()));
        tasks.spawn(repeat(self.idempotency_keys, stop.clone()));
        tasks.spawn(repeat(self.rescuer, stop.clone()));
        tasks.spawn(repeat(self.scans, stop.clone()));
        tasks.spawn(repeat(self.schedule_firings, stop.clone()));
        tasks.spawn(repeat(self.stuck_runs, stop.clone()));
        tasks.spawn(repeat(self.webhook_deliveries, stop.clone()));
        tasks.spawn(repeat(self.webhook_endpoints, stop.clone()));
    }
}
