//! What a measure needs, and what came of it.

use super::Args;
use super::endpoints::{self, Common, Endpoint, Interest, LOOPBACK, Manner, Place};
use super::receive::Counts;
use super::received::{Expected, Received};
use super::receiver::Receiver;
use crate::commands::bench::ground::{Begin, Ground};
use crate::commands::bench::process::Process;
use crate::commands::scratch::Scratch;
use anyhow::Result;
use jobs::crypto::Keyring;
use jobs::db::measure::{self, Deliveries};
use jobs::ids::OrgId;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// How long the last attempts may take to be written down after they arrived.
const PATIENCE: Duration = Duration::from_secs(30);

/// Between two looks at them.
const LOOK: Duration = Duration::from_millis(100);

/// A receiver, and endpoints that lead to it.
pub struct Stage<'a> {
    pub ground: Ground,
    pub receiver: Receiver,
    pub endpoints: Vec<Endpoint>,
    args: &'a Args,
    scratch: &'a Scratch,
    interest: Interest,
    master_key: String,
    keyring: Keyring,
    orgs: Vec<OrgId>,
}

impl<'a> Stage<'a> {
    /// Sets it up with these endpoints.
    pub async fn set(
        args: &'a Args,
        scratch: &'a Scratch,
        interest: Interest,
        places: impl Iterator<Item = Place> + Clone,
    ) -> Result<Self> {
        let ground = Ground::open(&args.database, Begin::Empty).await?;
        let master_key = Keyring::generate();
        let orgs = places.clone().map(|place| place.org + 1).max().unwrap_or_default();
        let mut this = Self {
            receiver: Receiver::start(scratch).await?,
            endpoints: Vec::new(),
            keyring: Keyring::parse(&master_key, None)?,
            orgs: endpoints::create_orgs(&ground, orgs).await?,
            ground,
            args,
            scratch,
            interest,
            master_key,
        };
        this.add(places).await?;
        Ok(this)
    }

    /// Adds endpoints.
    pub async fn add(&mut self, places: impl Iterator<Item = Place>) -> Result<()> {
        let common = Common {
            receiver: self.receiver.address,
            keyring: &self.keyring,
            interest: self.interest,
            fixed: self.args.fixed,
        };
        let added = endpoints::create(&self.ground, common, &self.orgs, places).await?;
        self.receiver.tell(&added).await?;
        self.endpoints.extend(added);
        Ok(())
    }

    /// Starts the worker.
    pub async fn work(&self) -> Result<Process> {
        let concurrency = self.args.fixed.concurrency.to_string();
        let args = ["worker", "--concurrency", &concurrency];
        let settings = [("PLUMBLINE_MASTER_KEY", &*self.master_key), ("PLUMBLINE_ALLOW_NETWORKS", LOOPBACK)];
        Process::start(&self.ground, self.scratch, ("worker", &args), &settings).await
    }

    /// What is written down of endpoints that answer.
    async fn deliveries(&self) -> Result<Deliveries> {
        let answering = self.endpoints.iter().filter(|endpoint| endpoint.place.manner == Manner::Answers);
        let ids: Vec<_> = answering.map(|endpoint| endpoint.id).collect();
        Ok(measure::deliveries(&mut *self.ground.pool.acquire().await?, &ids).await?)
    }

    /// Waits until so many messages have arrived and are written down as delivered.
    pub async fn until_delivered(&mut self, messages: usize) -> Result<()> {
        self.receiver.wait_for(messages).await?;
        let (since, messages) = (Instant::now(), i64::try_from(messages)?);
        // Those that are not by then are missing in the outcome.
        while self.deliveries().await?.delivered < messages && since.elapsed() < PATIENCE {
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Ends it, after the worker; `expected` is what must have arrived.
    pub async fn finish(self, expected: &[&Expected]) -> Result<Outcome> {
        let deliveries = self.deliveries().await?;
        let (received, counts) = self.receiver.finish().await?;
        let messages: usize = expected.iter().map(|these| these.len()).sum();
        let arrived: usize = expected.iter().map(|these| received.waits_ms(these).len()).sum();
        let outcome = Outcome {
            messages,
            missing: messages - arrived,
            unknown: received.unknown(expected),
            received,
            counts,
            deliveries,
        };
        self.ground.close().await?;
        Ok(outcome)
    }
}

/// What arrived, and what is written down of it.
pub struct Outcome {
    pub received: Received,
    pub counts: Counts,
    messages: usize,
    missing: usize,
    unknown: usize,
    deliveries: Deliveries,
}

impl Outcome {
    /// What it says of every measure.
    pub fn fields(&self) -> Value {
        let Deliveries { planned, delivered, attempts } = self.deliveries;
        json!({
            "deliveries": self.messages, "missing": self.missing, "duplicates": self.received.duplicates,
            "unknown": self.unknown, "refused": self.counts.refused, "rows": planned, "rows_delivered": delivered,
            "rows_of_attempts": attempts, "verification_us": self.counts.verification_us,
        })
    }

    /// Fails unless every message arrived exactly once and is written down so.
    pub fn check(&self) -> Result<()> {
        let Deliveries { planned, delivered, attempts } = self.deliveries;
        let wrong = [self.missing, self.received.duplicates, self.unknown, self.counts.refused];
        let messages = i64::try_from(self.messages)?;
        anyhow::ensure!(
            wrong == [0; 4] && [planned, delivered, attempts] == [messages; 3],
            "not every message arrived exactly once and is written down so; see the fields from \"missing\" to \
             \"rows_of_attempts\""
        );
        Ok(())
    }
}
