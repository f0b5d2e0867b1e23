//! Claimed jobs that wait for a free slot of their process.
//!
//! They start by priority and, within one, tenant by tenant in turn: a job claimed just now does not wait for all that were
//! claimed ahead for a tenant with a backlog.

use std::collections::{BTreeMap, HashMap, VecDeque};

use uuid::Uuid;

use super::claim::Claimed;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    priorities: BTreeMap<i16, Turns>,
    len: usize,
}

/// The tenants of one priority.
#[derive(Debug, Default)]
struct Turns {
    jobs: HashMap<Uuid, VecDeque<Claimed>>,
    /// Every tenant with jobs, once, in the order of their turns.
    order: VecDeque<Uuid>,
}

impl Buffer {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn push(&mut self, job: Claimed) {
        let turns = self.priorities.entry(job.stream.priority).or_default();
        let tenant = job.stream.tenant;
        let jobs = turns.jobs.entry(tenant).or_default();
        if jobs.is_empty() {
            turns.order.push_back(tenant);
        }
        jobs.push_back(job);
        self.len += 1;
    }

    pub(super) fn pop(&mut self) -> Option<Claimed> {
        let mut first = self.priorities.first_entry()?;
        let turns = first.get_mut();
        let tenant = turns.order.pop_front()?;
        let jobs = turns.jobs.get_mut(&tenant)?;
        let job = jobs.pop_front()?;
        if jobs.is_empty() {
            turns.jobs.remove(&tenant);
        } else {
            turns.order.push_back(tenant);
        }
        if turns.order.is_empty() {
            first.remove();
        }
        self.len -= 1;
        Some(job)
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::super::claim::{Claim, Stream};
    use super::*;

    fn job(priority: i16, tenant: u128, n: i32) -> Claimed {
        Claimed {
            claim: Claim { id: crate::ids::JobId::new(), worker: Uuid::nil(), claim_no: n },
            stream: Stream { priority, tenant: Uuid::from_u128(tenant), ..Stream::default() },
            run_at: DateTime::default(),
            attempt: 1,
            max_attempts: 1,
            payload: String::new(),
            request_id: None,
            trace_parent: None,
            has_trail: false,
            ready_for: std::time::Duration::ZERO,
            received: std::time::Instant::now(),
        }
    }

    #[test]
    fn tenants_take_turns_within_a_priority_and_the_urgent_go_first() {
        let mut buffer = Buffer::default();
        for (priority, tenant, n) in [(50, 1, 1), (50, 1, 2), (50, 1, 3), (50, 2, 4), (0, 3, 5), (50, 2, 6)] {
            buffer.push(job(priority, tenant, n));
        }
        assert_eq!(buffer.len(), 6);
        let order: Vec<i32> = std::iter::from_fn(|| buffer.pop()).map(|job| job.claim.claim_no).collect();
        assert_eq!(order, [5, 1, 4, 2, 6, 3]);
        assert_eq!(buffer.len(), 0);
        assert!(buffer.pop().is_none());
    }
}
