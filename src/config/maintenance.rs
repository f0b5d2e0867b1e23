//! What the scheduler deletes when its time is over, and how gently.

use scheduler::maintenance::Settings;

/// Retention.
#[derive(Debug, Clone, Copy, clap::Args)]
#[command(next_help_heading = "Maintenance")]
pub struct Maintenance {
    /// How long events, webhook deliveries and their attempts are kept and can be replayed, in days, 1 to 3650.
    #[arg(long, env = "PLUMBLINE_EVENT_DAYS", value_name = "DAYS", default_value_t = 30,
          value_parser = clap::value_parser!(u16).range(1..=3_650), hide_env_values = true)]
    event_days: u16,

    /// How long it is kept what became of schedules' firings, in days, 1 to 3650.
    #[arg(long, env = "PLUMBLINE_FIRING_DAYS", value_name = "DAYS", default_value_t = 90,
          value_parser = clap::value_parser!(u16).range(1..=3_650), hide_env_values = true)]
    firing_days: u16,

    /// Rows that one statement deletes at most, 1 to 10000. Fewer make shorter transactions, and more of them.
    #[arg(long, env = "PLUMBLINE_MAINTENANCE_BATCH", value_name = "ROWS", default_value_t = 1_000,
          value_parser = clap::value_parser!(u32).range(1..=10_000), hide_env_values = true)]
    maintenance_batch: u32,
}

impl Maintenance {
    /// The services' settings.
    #[must_use]
    pub const fn settings(self) -> Settings {
        Settings { event_days: self.event_days, firing_days: self.firing_days, rows: self.maintenance_batch }
    }
}
