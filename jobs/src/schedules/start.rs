//! Starting the scans of firings, many at a time: by schedulers when they are due, and for people who ask.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::Error;
use crate::db::schedule::{self, NewFiring, NewScheduledScan, Schedule};
use crate::db::{org, scan_run};
use crate::domain::{FiringOutcome, FiringTrigger, Plan};
use crate::ids::{CloudAccountId, OrgId, ScanId, ScheduleId};
use crate::kinds::scan::Scan;
use crate::plan::{self, Exceeded};
use crate::queue::enqueue_many;

/// A firing to be: of a schedule that is locked.
#[derive(Debug)]
pub(super) struct Intent<'a> {
    pub(super) schedule: &'a Schedule,
    pub(super) trigger: FiringTrigger,
    pub(super) scheduled_for: DateTime<Utc>,
    pub(super) missed_count: i32,
    pub(super) missed_since: Option<DateTime<Utc>>,
    /// Whether it comes too late to start anything.
    pub(super) is_stale: bool,
}

/// Why a firing starts nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It is too late.
    Missed,
    /// There is nothing to scan.
    NoAccounts,
    /// Its last scans have not ended: so many.
    StillRunning(usize),
    /// The plan has no room.
    PlanLimit(Exceeded),
}

impl Refusal {
    const fn outcome(self) -> FiringOutcome {
        match self {
            Self::Missed => FiringOutcome::Missed,
            Self::NoAccounts => FiringOutcome::NoAccounts,
            Self::StillRunning(_) => FiringOutcome::StillRunning,
            Self::PlanLimit(_) => FiringOutcome::PlanLimit,
        }
    }

    /// For a person.
    pub(super) fn reason(self) -> String {
        match self {
            Self::Missed => "no scheduler was running when it was due, and now it is too late".to_owned(),
            Self::NoAccounts => "there is no cloud account to scan: register one".to_owned(),
            Self::StillRunning(_) => "the schedule's last scan has not ended yet".to_owned(),
            Self::PlanLimit(exceeded) => exceeded.message("concurrent scans"),
        }
    }
}

/// What becomes of a firing.
#[derive(Debug)]
pub(super) enum Decision {
    /// Scans of these accounts; so many more are being scanned still.
    Start { accounts: Vec<CloudAccountId>, passed_over: usize },
    /// None.
    Refuse(Refusal),
}

/// What came of an intent.
#[derive(Debug)]
pub(super) enum Came {
    /// These scans.
    Started(Vec<ScanId>),
    /// None.
    Refused(Refusal),
    /// The schedule had fired for that time.
    Already,
}

/// Decides what becomes of each intent, in their order, and carries it out in the caller's transaction. Organisations whose plan limits scans
/// are locked, in the order of their ids, so that two callers do not wait for each other crosswise.
pub(super) async fn start(conn: &mut PgConnection, intents: &[Intent<'_>]) -> Result<Vec<Came>, Error> {
    let schedules: Vec<ScheduleId> = intents.iter().map(|intent| intent.schedule.id).collect();
    let orgs: BTreeSet<OrgId> = intents.iter().map(|intent| intent.schedule.org_id).collect();
    let mut rooms = rooms(conn, orgs).await?;
    let mut targets: HashMap<ScheduleId, Vec<schedule::Target>> = HashMap::new();
    for target in schedule::targets(conn, &schedules).await? {
        targets.entry(target.schedule_id).or_default().push(target);
    }
    let decisions: Vec<Decision> = intents
        .iter()
        .map(|intent| {
            let targets = targets.get(&intent.schedule.id).map_or(&[][..], Vec::as_slice);
            decide(intent, targets, rooms.get_mut(&intent.schedule.org_id))
        })
        .collect();
    carry_out(conn, intents, decisions).await
}

/// An organisation's concurrent scans.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    plan: Plan,
    used: i64,
}

impl Room {
    fn take(&mut self, more: usize) -> Result<(), Exceeded> {
        let more = i64::try_from(more).unwrap_or(i64::MAX);
        plan::check_room(self.plan, plan::limits(self.plan).concurrent_scans, (self.used, more))?;
        self.used += more;
        Ok(())
    }
}

/// The rooms of those organisations whose plan has a limit.
async fn rooms(conn: &mut PgConnection, orgs: BTreeSet<OrgId>) -> sqlx::Result<BTreeMap<OrgId, Room>> {
    let is_limited = |plan: Plan| plan::limits(plan).concurrent_scans.is_some();
    let orgs: Vec<OrgId> = orgs.into_iter().collect();
    let plans = org::plans(conn, &orgs).await?;
    let limited: Vec<OrgId> = plans.into_iter().filter(|(_, plan)| is_limited(*plan)).map(|(id, _)| id).collect();
    if limited.is_empty() {
        return Ok(BTreeMap::new());
    }
    let locked = org::lock_many(conn, &limited).await?;
    let used: HashMap<OrgId, i64> = scan_run::count_open_of(conn, &limited).await?.into_iter().collect();
    let room = |(id, plan)| (id, Room { plan, used: used.get(&id).copied().unwrap_or_default() });
    Ok(locked.into_iter().map(room).collect())
}

/// What becomes of an intent, and what room it takes.
fn decide(intent: &Intent<'_>, targets: &[schedule::Target], room: Option<&mut Room>) -> Decision {
    if intent.is_stale {
        return Decision::Refuse(Refusal::Missed);
    }
    if targets.is_empty() {
        return Decision::Refuse(Refusal::NoAccounts);
    }
    let accounts: Vec<CloudAccountId> =
        targets.iter().filter(|target| !target.still_running).map(|target| target.cloud_account_id).collect();
    let passed_over = targets.len() - accounts.len();
    if accounts.is_empty() {
        return Decision::Refuse(Refusal::StillRunning(passed_over));
    }
    match room.map_or(Ok(()), |room| room.take(accounts.len())) {
        Ok(()) => Decision::Start { accounts, passed_over },
        Err(exceeded) => Decision::Refuse(Refusal::PlanLimit(exceeded)),
    }
}

/// Writes the firings down and starts the scans of those that had not been.
async fn carry_out(
    conn: &mut PgConnection,
    intents: &[Intent<'_>],
    decisions: Vec<Decision>,
) -> Result<Vec<Came>, Error> {
    let firings: Vec<NewFiring> = intents.iter().zip(&decisions).map(|(intent, made)| firing(intent, made)).collect();
    let new: HashSet<ScheduleId> = schedule::insert_firings(conn, &firings).await?.into_iter().collect();
    let mut scans = Vec::new();
    let mut came = Vec::with_capacity(intents.len());
    for (intent, decision) in intents.iter().zip(decisions) {
        let Schedule { id: schedule_id, org_id, .. } = *intent.schedule;
        came.push(match decision {
            _ if !new.contains(&schedule_id) => Came::Already,
            Decision::Refuse(refusal) => Came::Refused(refusal),
            Decision::Start { accounts, .. } => {
                let ids: Vec<ScanId> = accounts.iter().map(|_| ScanId::new()).collect();
                let jobs = ids.iter().map(|scan_id| Scan { org_id, scan_id: *scan_id });
                scans.extend(jobs.zip(accounts).map(|(job, account)| (job, account, intent)));
                Came::Started(ids)
            }
        });
    }
    let jobs: Vec<Scan> = scans.iter().map(|(job, ..)| *job).collect();
    let enqueued = enqueue_many(conn, &jobs).await?;
    let new = |((job, cloud_account_id, intent), enqueued): (&(Scan, CloudAccountId, &Intent<'_>), _)| {
        let enqueued: crate::queue::Enqueued = enqueued;
        NewScheduledScan {
            id: job.scan_id,
            job_id: enqueued.id,
            schedule_id: intent.schedule.id,
            scheduled_for: intent.scheduled_for,
            cloud_account_id: *cloud_account_id,
        }
    };
    let runs: Vec<NewScheduledScan> = scans.iter().zip(enqueued).map(new).collect();
    schedule::insert_scans(conn, &runs).await?;
    Ok(came)
}

fn firing(intent: &Intent<'_>, decision: &Decision) -> NewFiring {
    let (outcome, scans, passed_over) = match decision {
        Decision::Start { accounts, passed_over } => (FiringOutcome::Started, accounts.len(), *passed_over),
        Decision::Refuse(refusal @ Refusal::StillRunning(running)) => (refusal.outcome(), 0, *running),
        Decision::Refuse(refusal) => (refusal.outcome(), 0, 0),
    };
    NewFiring {
        schedule_id: intent.schedule.id,
        scheduled_for: intent.scheduled_for,
        org_id: intent.schedule.org_id,
        trigger: intent.trigger,
        outcome,
        scans,
        passed_over,
        missed_count: intent.missed_count,
        missed_since: intent.missed_since,
    }
}
