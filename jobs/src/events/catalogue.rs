//! Every type of event, with what it means, the schema of its body and an example.

use std::borrow::Cow;
use std::str::FromStr;

use chrono::{DateTime, SecondsFormat, Utc};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Value, json};

use super::{data, examples};
use crate::domain::UnknownWord;

/// One row a type: its variant and name on the wire, its data with an example of them, and when it happens.
macro_rules! catalogue {
    ($($variant:ident = $name:literal, $data:ty = $example:path, $description:literal;)+) => {
        /// A type of event.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum EventType {
            $(#[doc = $description] #[serde(rename = $name)] $variant,)+
        }

        impl EventType {
            /// Every type.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The names of all, as they are on the wire.
            pub const WORDS: &'static [&'static str] = &[$($name),+];

            /// The dotted name on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// When it happens, in a sentence for subscribers.
            #[must_use]
            pub const fn description(self) -> &'static str {
                match self { $(Self::$variant => $description),+ }
            }

            /// Schema of its data.
            fn data_schema(self) -> Schema {
                match self { $(Self::$variant => schema_of::<$data>()),+ }
            }

            /// Data as they may be.
            fn data_example(self) -> serde_json::Result<Value> {
                match self {
                    $(Self::$variant => { let example: $data = $example(); serde_json::to_value(example) })+
                }
            }
        }
    };
}

catalogue! {
    ScanCompleted = "scan.completed", data::Scan = examples::scan_completed,
        "A scan ended and read everything that it was asked to.";
    ScanPartial = "scan.partial", data::Scan = examples::scan_partial,
        "A scan ended, but parts of the account could not be read.";
    ScanFailed = "scan.failed", data::Scan = examples::scan_failed,
        "A scan came to nothing.";
    DriftDetected = "drift.detected", data::DriftFound = examples::drift_detected,
        "Drift of a scan was computed and cloud and Terraform differ.";
    DriftCleared = "drift.cleared", data::DriftFound = examples::drift_cleared,
        "Drift of a scan was computed, nothing differs, and at the scan before something did.";
    CompliancePackReady = "compliance_pack.ready", data::PackReady = examples::pack_ready,
        "A compliance pack was built and can be downloaded.";
    CompliancePackFailed = "compliance_pack.failed", data::PackFailed = examples::pack_failed,
        "A compliance pack could not be built.";
    ScheduleDisabled = "schedule.disabled", data::ScheduleDisabled = examples::schedule_disabled,
        "A schedule was switched off because its scans kept failing.";
    WebhookDisabled = "webhook.disabled", data::WebhookDisabled = examples::webhook_disabled,
        "A webhook endpoint was switched off because its deliveries kept failing, or because it answered 410.";
    ApiKeyCreated = "api_key.created", data::Key = examples::key,
        "An API key was created.";
    ApiKeyRevoked = "api_key.revoked", data::Key = examples::key,
        "An API key was revoked.";
    TestPing = "test.ping", data::TestPing = examples::test_ping,
        "Somebody asked for a test of an endpoint.";
}

impl FromStr for EventType {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        Self::ALL.iter().find(|event_type| event_type.as_str() == text).copied().ok_or_else(|| UnknownWord {
            what: "event type",
            found: text.to_owned(),
            allowed: Self::ALL.iter().map(|event_type| event_type.as_str()).collect::<Vec<_>>().join(", "),
        })
    }
}

/// What is sent: type, time and data, in this order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Body<D> {
    /// The type.
    #[serde(rename = "type")]
    pub event_type: EventType,
    /// When it happened.
    #[serde(serialize_with = "to_the_microsecond")]
    pub timestamp: DateTime<Utc>,
    /// Ids, counts and links.
    pub data: D,
}

/// As long at every time of day, and as exact as the database.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn to_the_microsecond<S: Serializer>(at: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&at.to_rfc3339_opts(SecondsFormat::Micros, true))
}

impl<D: Serialize> Body<D> {
    /// The bytes that are signed and sent.
    ///
    /// # Errors
    /// When the data cannot be JSON, which those of [`data`] and values always can.
    pub fn bytes(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(self)
    }
}

/// A type as subscribers are told of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    /// The type.
    #[serde(rename = "type")]
    pub event_type: EventType,
    /// When it happens.
    pub description: &'static str,
    /// JSON Schema, draft 2020-12, of the body.
    pub schema: Value,
    /// A body.
    pub example: Body<Value>,
}

impl EventType {
    /// What stands before the full stop.
    #[must_use]
    pub fn group(self) -> &'static str {
        self.as_str().split('.').next().unwrap_or_default()
    }

    /// The type as subscribers are told of it.
    ///
    /// # Errors
    /// When its data cannot be JSON, which a test excludes.
    pub fn entry(self) -> serde_json::Result<Entry> {
        let example = Body { event_type: self, timestamp: examples::moment(), data: self.data_example()? };
        Ok(Entry { event_type: self, description: self.description(), schema: self.schema(), example })
    }

    /// JSON Schema of the whole body. More fields may come, so it does not forbid them.
    fn schema(self) -> Value {
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": self.as_str(),
            "description": self.description(),
            "type": "object",
            "required": ["type", "timestamp", "data"],
            "properties": {
                "type": {"const": self.as_str(), "description": "The type of event."},
                "timestamp": {"type": "string", "format": "date-time", "description": "When it happened."},
                "data": self.data_schema(),
            },
        })
    }
}

/// The whole catalogue.
///
/// # Errors
/// See [`EventType::entry`].
pub fn all() -> serde_json::Result<Vec<Entry>> {
    EventType::ALL.iter().map(|event_type| event_type.entry()).collect()
}

/// The schema of what a type is serialised to, without references and without the Rust name.
fn schema_of<T: JsonSchema>() -> Schema {
    let settings = SchemaSettings::draft2020_12().for_serialize().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None::<Cow<'static, str>>;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    schema.remove("title");
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_dotted_and_distinct() {
        let mut names: Vec<&str> = EventType::ALL.iter().map(|event_type| event_type.as_str()).collect();
        assert!(names.iter().all(|name| name.split('.').count() == 2));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), EventType::ALL.len());
    }

    #[test]
    fn every_field_of_every_type_says_what_it_is_and_is_always_there() {
        for entry in all().unwrap() {
            assert!(entry.example.bytes().unwrap().len() < 20_000);
            let data = &entry.schema["properties"]["data"];
            let fields = data["properties"].as_object().unwrap();
            assert_eq!(data["required"].as_array().unwrap().len(), fields.len(), "{data:#}");
            assert!(entry.example.data.as_object().unwrap().keys().eq(fields.keys()));
            for (name, field) in fields {
                assert!(field["description"].is_string(), "{name}: {field:#}");
                assert!(field.get("$ref").is_none(), "{name}: {field:#}");
            }
        }
    }

    #[test]
    fn a_body_is_type_time_and_data_in_this_order() {
        let body =
            Body { event_type: EventType::TestPing, timestamp: examples::moment(), data: json!({"b": 1, "a": 2}) };
        let text = String::from_utf8(body.bytes().unwrap()).unwrap();
        assert_eq!(text, r#"{"type":"test.ping","timestamp":"2026-01-31T09:26:53.589793Z","data":{"a":2,"b":1}}"#);
    }
}
