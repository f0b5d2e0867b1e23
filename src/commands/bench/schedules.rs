//! `plumbline bench schedules`: many schedules of one minute, and several schedulers of which some come to harm.

use super::clock::summary;
use super::ground::{Begin, Ground};
use super::latency::merge;
use super::process::Process;
use crate::commands::scratch::Scratch;
use crate::config::Database;
use anyhow::{Context as _, Result};
use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use jobs::cron::Timetable;
use jobs::db::schedule::{self, Settings, measure};
use jobs::db::{cloud_account, org};
use jobs::domain::{CredentialType, Plan, Provider};
use jobs::ids::{CloudAccountId, OrgId, ScheduleId};
use jobs::schedules::timing;
use rustix::process::Signal;
use serde_json::json;
use sqlx::{Connection as _, PgConnection};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How late schedules fire that are all due in the same minute, while schedulers are killed and stopped.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  plumbline bench schedules --schedules 5000 --schedulers 4 --kill 2 --stop-seconds 60"
)]
pub struct Args {
    /// Schedules, each of an account of its organisation.
    #[arg(long, default_value_t = 5_000)]
    schedules: usize,
    /// Organisations that they belong to.
    #[arg(long, default_value_t = 50)]
    orgs: usize,
    /// Scheduler processes.
    #[arg(long, default_value_t = 4)]
    schedulers: usize,
    /// So many of them are killed while schedules fire.
    #[arg(long, default_value_t = 2)]
    kill: usize,
    /// One more is stopped (SIGSTOP) while schedules fire, and goes on after so many seconds; 0: none is.
    #[arg(long, default_value_t = 60)]
    stop_seconds: u64,
    #[command(flatten)]
    database: Database,
}

/// How long what is due may take before it counts as missing.
const PATIENCE: Duration = Duration::from_mins(3);
/// Between two looks at how far it is.
const LOOK: Duration = Duration::from_millis(50);
/// How long whoever is left may fire something twice before the end is counted.
const AFTERMATH: Duration = Duration::from_secs(3);
/// Time to create the schedules and to start the schedulers.
const LEAD: TimeDelta = TimeDelta::seconds(20);

pub async fn run(args: &Args) -> Result<()> {
    let victims = args.kill + usize::from(args.stop_seconds > 0);
    anyhow::ensure!(victims < args.schedulers, "of {} schedulers one must be left unharmed", args.schedulers);
    let scratch = Scratch::new("bench-schedules")?;
    let ground = Ground::open(&args.database, Begin::Empty).await?;
    let mut conn = ground.connect().await?;
    let minute =
        (schedule::now(&mut conn).await? + LEAD).duration_trunc(TimeDelta::minutes(1))? + TimeDelta::minutes(1);
    create(&mut conn, args, minute).await?;
    let mut schedulers = Vec::new();
    for number in 0..args.schedulers {
        let name = format!("scheduler-{number}");
        schedulers.push(Process::start(&ground, &scratch, (&name, &["scheduler"]), &[]).await?);
    }
    let due = args.schedules;
    let lead = (minute - schedule::now(&mut conn).await?).to_std().unwrap_or_default();
    until_fired(&mut conn, 1, lead + PATIENCE).await?;

    // Spread over the half minute in which they fire.
    let step = |nth: usize| due * nth / (victims + 2);
    let stopped = if args.stop_seconds > 0 { schedulers.pop() } else { None };
    let mut stopped_at = None;
    for nth in 1..=victims {
        until_fired(&mut conn, step(nth), PATIENCE).await?;
        match (&stopped, stopped_at) {
            (Some(stopped), None) => {
                stopped.signal(Signal::STOP);
                stopped_at = Some(Instant::now());
            }
            _ => schedulers.pop().context("a scheduler to kill")?.kill().await?,
        }
    }
    let all = until_fired(&mut conn, due, PATIENCE).await;
    if let (Some(stopped), Some(at)) = (stopped, stopped_at) {
        tokio::time::sleep_until(at + Duration::from_secs(args.stop_seconds)).await;
        stopped.signal(Signal::CONT);
        schedulers.push(stopped);
    }
    sleep(AFTERMATH).await;
    for scheduler in schedulers {
        scheduler.stop().await?;
    }
    if let Err(late) = all {
        eprintln!("{late}");
    }

    let firings = measure::firings(&mut conn).await?;
    let late = |firing: &measure::FiredAt| {
        (firing.fired_at - firing.scheduled_for - timing::spread(firing.schedule_id)).as_seconds_f64() * 1e3
    };
    let early = firings.iter().filter(|firing| late(firing) < 0.0).count();
    let written = measure::written(&mut conn).await?;
    let mut line = json!({
        "metric": "schedules", "schedules": due, "orgs": args.orgs, "schedulers": args.schedulers, "killed": args.kill,
        "stopped_s": args.stop_seconds, "firings": firings.len(), "early": early, "schedules_that_fired": written.schedules,
        "scans": written.scans, "jobs": written.jobs, "audited": written.audited,
    });
    merge(&mut line, summary("late_", firings.iter().map(late).collect()));
    println!("{line}");
    conn.close().await?;
    ground.close().await
}

/// Creates the schedules, all for this minute of the day.
async fn create(conn: &mut PgConnection, args: &Args, minute: DateTime<Utc>) -> Result<()> {
    let line = minute.format("%-M %-H * * *").to_string();
    let timetable = timing::read(&line, "UTC")?;
    let mut tx = conn.begin().await?;
    let mut orgs = Vec::new();
    for number in 0..args.orgs.max(1) {
        let slug = format!("bench-{number}");
        let new = org::NewOrg { slug: &slug, display_name: &slug, plan: Plan::Enterprise };
        let org = org::insert(&mut tx, &new).await?.id;
        orgs.push((org, account(&mut tx, org).await?));
    }
    for number in 0..args.schedules {
        let (org_id, account) = orgs[number % orgs.len()];
        insert(&mut tx, (org_id, account), (&line, &timetable)).await?;
    }
    Ok(tx.commit().await?)
}

async fn account(conn: &mut PgConnection, org_id: OrgId) -> Result<CloudAccountId> {
    let new = cloud_account::NewCloudAccount {
        id: CloudAccountId::new(),
        org_id,
        provider: Provider::Aws,
        external_account_id: "123456789012",
        display_name: "bench",
        credential_type: CredentialType::AccessKey,
        credential: &[],
        default_region: "us-east-1",
    };
    Ok(cloud_account::insert(conn, &new).await?.id)
}

async fn insert(
    conn: &mut PgConnection,
    (org_id, account): (OrgId, CloudAccountId),
    (line, timetable): (&str, &Timetable),
) -> Result<()> {
    let settings = Settings {
        cloud_account_id: Some(account),
        name: "bench",
        schedule: line,
        timezone: "UTC",
        filter_regions: &[],
        notify_webhook_config_ids: &[],
        notify_slack_channel: None,
        enabled: true,
    };
    let (id, now) = (ScheduleId::new(), schedule::now(conn).await?);
    schedule::insert(conn, (org_id, id, "bench"), settings, timing::next_run(timetable, id, now)).await?;
    Ok(())
}

async fn until_fired(conn: &mut PgConnection, least: usize, patience: Duration) -> Result<()> {
    let fired = async {
        while usize::try_from(measure::count_firings(conn).await?)? < least {
            sleep(LOOK).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(patience, fired).await.with_context(|| format!("{least} schedules have not fired in time"))?
}
