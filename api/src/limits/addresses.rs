//! Refused credentials by the peer's address, in memory of this process.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Allowance;

/// Refusals that an address may have at once, and again in every window.
const BURST: u32 = 300;
const WINDOW: Duration = Duration::from_mins(1);
/// Addresses that are remembered; when there are more, those whose bucket is full again are forgotten.
const REMEMBERED: usize = 50_000;

/// When each address' bucket will be full again.
#[derive(Debug, Default)]
pub struct Addresses(Mutex<HashMap<IpAddr, Instant>>);

impl Addresses {
    /// Counts a refusal.
    ///
    /// # Errors
    /// The state of the address' bucket, with [`Allowance::refused_for`] set, when it has had too many: then this one is not
    /// counted, so that whoever waits as long as told is heard again.
    pub fn count(&self, ip: IpAddr) -> Result<(), Allowance> {
        self.count_at(ip, Instant::now())
    }

    fn count_at(&self, ip: IpAddr, now: Instant) -> Result<(), Allowance> {
        let each = WINDOW / BURST;
        let mut buckets = self.lock();
        if buckets.len() >= REMEMBERED && !buckets.contains_key(&ip) {
            buckets.retain(|_, full_at| *full_at > now);
            if buckets.len() >= REMEMBERED {
                return Ok(());
            }
        }
        let full_at = buckets.entry(ip).or_insert(now);
        let full_in = full_at.saturating_duration_since(now);
        if let Some(over) = (full_in + each).checked_sub(WINDOW).filter(|over| !over.is_zero()) {
            Err(Allowance { limit: BURST, remaining: 0, full_in, refused_for: Some(over) })
        } else {
            *full_at = now + full_in + each;
            Ok(())
        }
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
            addresses.count_at(guesser, now).unwrap();
        }
        let refused = addresses.count_at(guesser, now).unwrap_err();
        assert_eq!((refused.limit, refused.remaining), (BURST, 0));
        assert!(refused.refused_for.is_some_and(|wait| wait <= WINDOW / BURST));
        addresses.count_at(other, now).unwrap();
        addresses.count_at(guesser, now + WINDOW / BURST * 2).unwrap();
    }
}
