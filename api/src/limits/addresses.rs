//! Refused credentials by the peer's address, in memory of this process.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::problem::Problem;

/// Refusals that an address may have at once, and again in every window.
const BURST: u32 = 300;
const WINDOW: Duration = Duration::from_mins(1);
/// Addresses that are remembered; when there are more, those whose bucket is full again are forgotten.
const REMEMBERED: usize = 50_000;

/// When each address' bucket will be full again.
#[derive(Debug, Default)]
pub struct Addresses(Mutex<HashMap<IpAddr, Instant>>);

impl Addresses {
    /// Whether an address may try at all.
    ///
    /// # Errors
    /// 429 when it had too many refusals.
    pub fn check(&self, ip: Option<IpAddr>) -> Result<(), Problem> {
        match ip {
            Some(ip) => self.check_at(ip, Instant::now()),
            None => Ok(()),
        }
    }

    /// Counts a refusal.
    pub fn count(&self, ip: Option<IpAddr>) {
        if let Some(ip) = ip {
            self.count_at(ip, Instant::now());
        }
    }

    fn check_at(&self, ip: IpAddr, now: Instant) -> Result<(), Problem> {
        let full_at = self.lock().get(&ip).copied().unwrap_or(now);
        let room = full_at.saturating_duration_since(now) + WINDOW / BURST;
        match room.checked_sub(WINDOW) {
            Some(over) if !over.is_zero() => {
                Err(Problem::RateLimited { what: "refused credentials from this address", retry_after: over })
            }
            _ => Ok(()),
        }
    }

    fn count_at(&self, ip: IpAddr, now: Instant) {
        let mut buckets = self.lock();
        if buckets.len() >= REMEMBERED && !buckets.contains_key(&ip) {
            buckets.retain(|_, full_at| *full_at > now);
            if buckets.len() >= REMEMBERED {
                return;
            }
        }
        let full_at = buckets.entry(ip).or_insert(now);
        *full_at = (*full_at).max(now) + WINDOW / BURST;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<IpAddr, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn an_address_that_guesses_is_stopped_and_others_are_not() {
        let (addresses, now) = (Addresses::default(), Instant::now());
        let guesser = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
        let other = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
        for _ in 0..BURST {
            addresses.check_at(guesser, now).unwrap();
            addresses.count_at(guesser, now);
        }
        assert_eq!(addresses.check_at(guesser, now).unwrap_err().class(), "rate_limited");
        addresses.check_at(other, now).unwrap();
        addresses.check_at(guesser, now + WINDOW / BURST * 2).unwrap();
    }
}
