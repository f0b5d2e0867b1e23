//! Times that processes of one machine can compare, and how a set of them is summed up.

use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

/// Nanoseconds of the machine's monotonic clock, the same in every process until it starts anew.
pub fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    u64::try_from(now.tv_sec).unwrap_or_default() * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or_default()
}

/// The time from one reading to a later one, in milliseconds; negative when it was an earlier one.
#[allow(clippy::cast_precision_loss, reason = "differences of minutes, in nanoseconds, fit")]
pub fn ms_between(from_ns: u64, to_ns: u64) -> f64 {
    if to_ns >= from_ns { (to_ns - from_ns) as f64 / 1e6 } else { -((from_ns - to_ns) as f64 / 1e6) }
}

/// The smallest of the values that a share `q` of them does not exceed (nearest rank); sorts them.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a rank")]
pub fn quantile(values: &mut [f64], q: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let rank = ((values.len() as f64 * q).ceil() as usize).max(1) - 1;
    values.get(rank).copied()
}

/// p50, p95, p99 and the largest of times in milliseconds, as fields that begin with `prefix`.
pub fn summary(prefix: &str, mut times: Vec<f64>) -> Value {
    let field = |q| quantile(&mut times.clone(), q).map(|ms| (ms * 1000.0).round() / 1000.0);
    let summary = json!({
        format!("{prefix}p50_ms"): field(0.5), format!("{prefix}p95_ms"): field(0.95),
        format!("{prefix}p99_ms"): field(0.99), format!("{prefix}max_ms"): field(1.0),
    });
    times.clear();
    summary
}

/// Rounded to one decimal.
pub fn rounded(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// So many in so much time.
#[allow(clippy::cast_precision_loss, reason = "counts of a benchmark")]
pub fn per(count: usize, divisor: f64) -> f64 {
    rounded(count as f64 / divisor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_the_nearest_rank() {
        let mut values: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(quantile(&mut values, 0.5), Some(50.0));
        assert_eq!(quantile(&mut values, 0.99), Some(99.0));
        assert_eq!(quantile(&mut values, 1.0), Some(100.0));
        assert_eq!(quantile(&mut [], 0.5), None);
    }
}
