//! Waiting for a condition, with a bound; tests do not sleep otherwise.

use std::time::{Duration, Instant};

/// How long a condition may take, on a machine that compiles at the same time.
const PATIENCE: Duration = Duration::from_mins(2);

/// Asks until there is an answer; fails the test, naming `what`, when there is none within two minutes.
pub async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(start.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
