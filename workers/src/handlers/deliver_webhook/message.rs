//! What is posted: the body, the same at every attempt, and the headers, signed anew at each.

use bytes::Bytes;
use chrono::Utc;
use jobs::crypto::{Keyring, OpenError};
use jobs::db::webhook_delivery::Load;
use jobs::domain::UnknownWord;
use jobs::events::{Body, EventType};
use jobs::webhooks::sealed::{self, Place, Slot};
use jobs::webhooks::signature::{ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, message_id, sign};

use crate::outbound::webhook::{HeaderMap, HeaderName, HeaderValue};

/// A message, ready to be posted.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Why there is none, which is our fault. None of them tells a secret.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("the endpoint's secret cannot be opened: {0}")]
    Secret(OpenError),
    #[error("the endpoint's headers cannot be opened: {0}")]
    Headers(OpenError),
    #[error("a header cannot be sent")]
    Header,
    #[error("this version does not know the event's type: {0}")]
    Type(#[from] UnknownWord),
    #[error("the event's data cannot be written: {0}")]
    Data(#[from] serde_json::Error),
}

impl Message {
    pub(super) fn of(keyring: &Keyring, load: &Load) -> Result<Self, Fault> {
        let place = Place { org_id: load.org_id, endpoint_id: load.endpoint.id };
        let secret =
            sealed::open_secret(keyring, place, Slot::Current, &load.endpoint.secret).map_err(Fault::Secret)?;
        let previous = load.endpoint.previous_secret.as_ref();
        let previous = previous.map(|stored| sealed::open_secret(keyring, place, Slot::Previous, stored));
        let previous = previous.transpose().map_err(Fault::Secret)?;
        let secrets: Vec<_> = [Some(&secret), previous.as_ref()].into_iter().flatten().collect();

        let event_type: EventType = load.event_type.parse()?;
        let body = Body { event_type, timestamp: load.occurred_at, data: &load.data }.bytes()?;
        let (id, timestamp) = (message_id(load.event_id), Utc::now().timestamp());
        let signature = sign(&secrets, &id, timestamp, &body);

        let mut headers = HeaderMap::new();
        if let Some(stored) = &load.endpoint.headers {
            for (name, value) in sealed::open_headers(keyring, place, stored).map_err(Fault::Headers)? {
                let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| Fault::Header)?;
                let mut value = text(&value)?;
                value.set_sensitive(true);
                headers.insert(name, value);
            }
        }
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        headers.insert(ID_HEADER, text(&id)?);
        headers.insert(TIMESTAMP_HEADER, HeaderValue::from(timestamp));
        headers.insert(SIGNATURE_HEADER, text(&signature)?);
        Ok(Self { headers, body: body.into() })
    }
}

fn text(value: &str) -> Result<HeaderValue, Fault> {
    HeaderValue::from_str(value).map_err(|_| Fault::Header)
}
