//! Cleaning up after the dead and the done. A service is a file with how often it runs and a `run_once` that says what it did;
//! the loop around it is here.

pub mod account_registrations;
pub mod idempotency_keys;
pub mod stuck_runs;
pub mod webhook_deliveries;

use jobs::retry::{Pauses, jittered};
use std::fmt::Debug;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Repeats a service: every so often, jittered, so that several schedulers do not come at the same moment; after an error with
/// the pauses of whoever waits for a database.
async fn repeat<T: Debug + Default + PartialEq, F: Future<Output = sqlx::Result<T>>>(
    name: &'static str,
    every: Duration,
    stop: &CancellationToken,
    run_once: impl Fn() -> F,
) {
    let mut pauses = Pauses::default();
    loop {
        let pause = match run_once().await {
            Ok(done) => {
                if done != T::default() {
                    tracing::info!(service = name, ?done, "maintained");
                }
                pauses.reset();
                jittered(every)
            }
            Err(error) => {
                tracing::warn!(service = name, %error, "maintenance failed, trying again");
                pauses.next_pause()
            }
        };
        if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            return;
        }
    }
}
