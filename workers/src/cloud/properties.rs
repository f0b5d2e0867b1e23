//! Building a resource's properties under Terraform's attribute names.
//!
//! The rule for every reader: **write an attribute only if the API told it**, because drift compares exactly what is
//! here. There are two ways to leave something out, and they differ:
//! - [`Properties::set`] with `None` writes null: "the API says there is none". A declared value is then drift.
//! - [`Properties::told`] with `None` writes nothing: "the API did not say". Nothing is compared.

use serde::Serialize;
use serde_json::{Map, Value};

/// Attributes of one resource or of one nested block, under Terraform's names.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Properties(Map<String, Value>);

impl Properties {
    /// No attributes yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An attribute as the API states it; `None` is written as null and means that there is none.
    #[must_use]
    pub fn set(mut self, name: &str, value: impl Serialize) -> Self {
        if let Ok(value) = serde_json::to_value(value) {
            self.0.insert(name.to_owned(), value);
        }
        self
    }

    /// An attribute that the API may leave out without meaning "none": `None` writes nothing.
    #[must_use]
    pub fn told(self, name: &str, value: Option<impl Serialize>) -> Self {
        match value {
            Some(value) => self.set(name, value),
            None => self,
        }
    }

    /// A nested block that may be there once, in Terraform's shape: `[{…}]`, or `[]` when there is none.
    #[must_use]
    pub fn block(self, name: &str, block: Option<Self>) -> Self {
        self.blocks(name, block)
    }

    /// Nested blocks in Terraform's shape: `[{…}, {…}]`.
    #[must_use]
    pub fn blocks(mut self, name: &str, blocks: impl IntoIterator<Item = Self>) -> Self {
        let blocks = blocks.into_iter().map(Value::from).collect();
        self.0.insert(name.to_owned(), Value::Array(blocks));
        self
    }

    /// Live tags, without the cloud's own `aws:*`, as `tags`. The API cannot tell which of them come from a provider's
    /// default tags; drift works that out.
    #[must_use]
    pub fn tags<K, V>(self, tags: impl IntoIterator<Item = (K, V)>) -> Self
    where
        K: Into<String>,
        V: Into<String>,
    {
        let tags: Map<String, Value> = tags
            .into_iter()
            .map(|(key, value)| (key.into(), Value::String(value.into())))
            .filter(|(key, _)| !key.starts_with("aws:"))
            .collect();
        self.set("tags", tags)
    }

    /// What was written under this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// The attributes as JSON's map.
    #[must_use]
    pub fn into_map(self) -> Map<String, Value> {
        self.0
    }
}

impl From<Properties> for Value {
    fn from(properties: Properties) -> Self {
        Self::Object(properties.0)
    }
}

impl Serialize for Properties {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}
