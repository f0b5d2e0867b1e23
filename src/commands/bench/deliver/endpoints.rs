//! Organisations with webhook endpoints, as the API would create them.

use super::Fixed;
use crate::commands::bench::ground::Ground;
use anyhow::Result;
use jobs::addresses::Allowed;
use jobs::audit::{Actor, ActorKind, By, Origin};
use jobs::crypto::Keyring;
use jobs::db::org;
use jobs::db::webhook_endpoint::Settings;
use jobs::domain::Plan;
use jobs::events::EventType;
use jobs::ids::{CloudAccountId, OrgId, WebhookEndpointId};
use jobs::webhooks::secret::Secret;
use jobs::webhooks::{address, endpoint};
use sqlx::Connection as _;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// Where the receiver is, which an operator must allow.
pub const LOOPBACK: &str = "127.0.0.0/8";

/// What is told of, and which type every endpoint asks for.
pub const EVENT: EventType = EventType::ScanCompleted;

/// Whether an endpoint's receiver answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// At once.
    Answers,
    /// Never.
    Hangs,
}

impl Manner {
    /// What stands before the endpoint's number in its path.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Answers => "e",
            Self::Hangs => "hang",
        }
    }
}

/// Which events an endpoint asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Every one of its organisation, so that each goes to all endpoints.
    Everything,
    /// Those about a cloud account of its own, so that each goes to one endpoint.
    OwnAccount,
}

/// An endpoint that is not there yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its number, over all organisations.
    pub number: usize,
    /// Its organisation's.
    pub org: usize,
    pub manner: Manner,
}

/// An endpoint.
#[derive(Debug, Clone)]
pub struct Endpoint {
    pub place: Place,
    pub org_id: OrgId,
    pub id: WebhookEndpointId,
    /// The account that events for it alone are about.
    pub account: CloudAccountId,
    pub secret: Secret,
}

/// Places for so many endpoints, `per_org` in each organisation; those that hang stand evenly among the others.
pub fn places(answering: usize, hanging: usize, per_org: usize) -> Vec<Place> {
    let all = answering + hanging;
    let hangs = |number: usize| number * hanging / all != (number + 1) * hanging / all;
    let manner = |number| if hangs(number) { Manner::Hangs } else { Manner::Answers };
    (0..all).map(|number| Place { number, org: number / per_org, manner: manner(number) }).collect()
}

/// What all endpoints of a run share.
#[derive(Debug, Clone, Copy)]
pub struct Common<'a> {
    pub receiver: SocketAddr,
    pub keyring: &'a Keyring,
    pub interest: Interest,
    pub fixed: Fixed,
}

/// Creates organisations.
pub async fn create_orgs(ground: &Ground, orgs: usize) -> Result<Vec<OrgId>> {
    let mut conn = ground.connect().await?;
    let mut created = Vec::with_capacity(orgs);
    for number in 0..orgs {
        let slug = format!("bench-{number}");
        let new = org::NewOrg { slug: &slug, display_name: &slug, plan: Plan::Enterprise };
        created.push(org::insert(&mut conn, &new).await?.id);
    }
    Ok(created)
}

/// Creates endpoints at these places, each in a transaction of its own.
pub async fn create(
    ground: &Ground,
    common: Common<'_>,
    orgs: &[OrgId],
    places: impl Iterator<Item = Place>,
) -> Result<Vec<Endpoint>> {
    let allowed: Allowed = LOOPBACK.parse()?;
    let actor = Actor { kind: ActorKind::System, id: "bench".to_owned(), display: "bench".to_owned() };
    let by = By { actor: &actor, origin: &Origin::default() };
    let mut conn = ground.connect().await?;
    let mut created = Vec::new();
    for place in places {
        let (org_id, account) = (orgs[place.org], CloudAccountId::new());
        let url = format!("http://{}/{}/{}", common.receiver, place.manner.word(), place.number);
        let url = address::parse(&url, &allowed)?;
        let settings = Settings {
            url: url.as_str(),
            description: "",
            events: &[EVENT.as_str().to_owned()],
            cloud_account_ids: if common.interest == Interest::OwnAccount { &[account] } else { &[] },
            max_in_flight: common.fixed.max_in_flight.into(),
            rate: None,
        };
        let mut tx = conn.begin().await?;
        let new = endpoint::create(&mut tx, (by, common.keyring), org_id, settings, &BTreeMap::new()).await?;
        tx.commit().await?;
        created.push(Endpoint { place, org_id, id: new.endpoint.id, account, secret: new.secret });
    }
    Ok(created)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_hang_stand_among_the_others() {
        let places = places(200, 40, 20);
        assert_eq!(places.len(), 240);
        assert_eq!(places.last().map(|place| place.org), Some(11));
        for org in 0..12 {
            let hanging = places.iter().filter(|place| place.org == org && place.manner == Manner::Hangs).count();
            assert!((3..=4).contains(&hanging), "{hanging} hang in organisation {org}");
        }
        assert_eq!(places.iter().filter(|place| place.manner == Manner::Hangs).count(), 40);
    }

    #[test]
    fn without_any_that_hang_none_does() {
        assert!(places(3, 0, 2).iter().all(|place| place.manner == Manner::Answers));
    }
}
