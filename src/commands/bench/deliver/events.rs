//! Events, each recorded in a transaction of its own, as production does; and who must get them.

use super::endpoints::{EVENT, Endpoint, Interest, Manner};
use super::received::Expected;
use crate::commands::bench::clock::{ms_between, now_ns, per};
use crate::commands::bench::ground::Ground;
use anyhow::Result;
use jobs::domain::{Provider, ScanType};
use jobs::events::{NewEvent, Tell, data, record};
use jobs::ids::{CloudAccountId, EventId, OrgId, ScanId};
use jobs::webhooks::signature::message_id;
use sqlx::{Connection as _, PgConnection};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// What an event can be about.
#[derive(Debug, Clone)]
pub struct Topic {
    org_id: OrgId,
    account: CloudAccountId,
    /// Numbers of the endpoints that must get it: none where only endpoints ask for it that never answer.
    receivers: Vec<usize>,
}

/// What events for these endpoints can be about.
pub fn topics(endpoints: &[Endpoint], interest: Interest) -> Arc<[Topic]> {
    let mut topics: Vec<Topic> = Vec::new();
    for Endpoint { place, org_id, account, .. } in endpoints {
        let receiver = (place.manner == Manner::Answers).then_some(place.number);
        match topics.last_mut() {
            Some(topic) if interest == Interest::Everything && topic.org_id == *org_id => {
                topic.receivers.extend(receiver);
            }
            _ => topics.push(Topic { org_id: *org_id, account: *account, receivers: receiver.into_iter().collect() }),
        }
    }
    topics.into()
}

/// How fast events are recorded.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    /// As fast as the connections can.
    Free,
    /// So many a second, whatever becomes of them.
    PerSecond(u64),
}

impl Pace {
    /// How long after the beginning event `i` is due.
    fn due(self, i: usize) -> Duration {
        match self {
            Self::Free => Duration::ZERO,
            Self::PerSecond(rate) => {
                Duration::from_nanos(u64::try_from(i).unwrap_or(u64::MAX).saturating_mul(1_000_000_000) / rate.max(1))
            }
        }
    }
}

/// So many events, in turn about each topic.
#[derive(Debug, Clone)]
pub struct Load {
    pub topics: Arc<[Topic]>,
    pub events: usize,
    pub pace: Pace,
    /// Connections that record them.
    pub connections: usize,
}

/// What was recorded.
#[derive(Debug, Default)]
pub struct Sent {
    /// Messages that must arrive, with the time of the commit.
    pub expected: Expected,
    /// How long each transaction took, in milliseconds.
    pub took_ms: Vec<f64>,
    /// Events a second, from the first transaction's beginning to the last one's end.
    pub rate: f64,
}

/// One event that was recorded, of topic `topic`.
struct Noted {
    topic: usize,
    id: EventId,
    begin_ns: u64,
    commit_ns: u64,
}

/// Records events.
pub async fn send(ground: &Ground, load: &Load) -> Result<Sent> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut connections = Vec::new();
    for _ in 0..load.connections {
        connections.push(ground.connect().await?);
    }
    let start = now_ns();
    let tasks: Vec<_> = connections
        .into_iter()
        .map(|conn| tokio::spawn(send_some(conn, load.clone(), Arc::clone(&next), start)))
        .collect();
    let (mut sent, mut span) = (Sent::default(), (u64::MAX, 0));
    for task in tasks {
        for noted in task.await?? {
            span = (span.0.min(noted.begin_ns), span.1.max(noted.commit_ns));
            sent.took_ms.push(ms_between(noted.begin_ns, noted.commit_ns));
            for receiver in &load.topics[noted.topic].receivers {
                sent.expected.insert((*receiver, message_id(noted.id)), noted.commit_ns);
            }
        }
    }
    sent.rate = per(load.events, ms_between(span.0, span.1) / 1e3);
    Ok(sent)
}

/// Takes the next event as long as there is one.
async fn send_some(mut conn: PgConnection, load: Load, next: Arc<AtomicUsize>, start: u64) -> Result<Vec<Noted>> {
    let mut noted = Vec::new();
    loop {
        let i = next.fetch_add(1, Ordering::Relaxed);
        if i >= load.events {
            return Ok(noted);
        }
        let due = Duration::from_nanos(start) + load.pace.due(i);
        tokio::time::sleep(due.saturating_sub(Duration::from_nanos(now_ns()))).await;
        let topic = i % load.topics.len();
        let begin_ns = now_ns();
        let mut tx = conn.begin().await?;
        let id = tell(&mut tx, &load.topics[topic]).await?;
        tx.commit().await?;
        noted.push(Noted { topic, id, begin_ns, commit_ns: now_ns() });
    }
}

/// Tells of a scan that never was.
async fn tell(conn: &mut PgConnection, topic: &Topic) -> Result<EventId> {
    let scan_id = ScanId::new();
    let data = serde_json::to_value(data::Scan {
        scan_id,
        cloud_account_id: topic.account,
        provider: Provider::Aws,
        scan_type: ScanType::Scheduled,
        resource_count: Some(1_204),
        scan_error_count: 0,
        error_class: None,
        url: format!("/api/v2/orgs/{}/scans/{scan_id}", topic.org_id),
    })?;
    let cloud_account_id = Some(topic.account);
    let new = NewEvent { org_id: topic.org_id, event_type: EVENT, cloud_account_id, data: &data, also: &[] };
    Ok(record(conn, new, Tell::Subscribers).await?)
}
