//! Walking the JSON of a state without keeping it.

use std::fmt;
use std::ops::ControlFlow;

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::attributes::{self, Head, RawInstance};
use super::{DeclaredResource, Limits, ParseFailure, StateError, StateSummary};
use crate::sensitive::SensitiveKey;

/// What is known while the file passes by.
pub(super) struct Context<'a, S> {
    limits: &'a Limits,
    key: &'a SensitiveKey,
    sink: S,
    summary: StateSummary,
    refusal: Option<StateError>,
    blocks: u64,
}

/// Aborts the parser; the reason is in the context.
fn refused<E: de::Error>() -> E {
    E::custom("refused")
}

impl<'a, S: FnMut(DeclaredResource) -> ControlFlow<()>> Context<'a, S> {
    pub(super) fn new(limits: &'a Limits, key: &'a SensitiveKey, sink: S) -> Self {
        Self { limits, key, sink, summary: StateSummary::default(), refusal: None, blocks: 0 }
    }

    /// Reads the whole document.
    pub(super) fn read<'de, D: Deserializer<'de>>(&mut self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(Top(self))
    }

    /// Why it was refused, if it was, and the summary.
    pub(super) fn finish(self) -> (Option<StateError>, StateSummary) {
        (self.refusal, self.summary)
    }

    fn refuse<T, E: de::Error>(&mut self, refusal: StateError) -> Result<T, E> {
        self.refusal = Some(refusal);
        Err(refused())
    }

    fn fail(&mut self, address: String, reason: &str) {
        self.summary.parse_failure_count += 1;
        if self.summary.parse_failures.len() < self.limits.max_listed_failures {
            self.summary.parse_failures.push(ParseFailure { address, reason: reason.to_owned() });
        }
    }

    fn top_level<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "version" => match version(&map.next_value()?) {
                Ok(4) => self.summary.format_version = 4,
                Ok(other) => return self.refuse(StateError::UnsupportedVersion(other)),
                Err(found) => {
                    let reason = format!("its \"version\" must be a whole number such as 4, not {found}");
                    return self.refuse(StateError::NotAState(reason));
                }
            },
            "terraform_version" => {
                self.summary.terraform_version = map.next_value::<Value>()?.as_str().map(str::to_owned);
            }
            "serial" => self.summary.serial = map.next_value::<Value>()?.as_u64(),
            "lineage" => self.summary.lineage = map.next_value::<Value>()?.as_str().map(str::to_owned),
            "resources" => map.next_value_seed(Resources(self))?,
            "encrypted_data" => return self.refuse(StateError::Encrypted("it has \"encrypted_data\"")),
            "encryption_version" => return self.refuse(StateError::Encrypted("it has an \"encryption_version\"")),
            "format_version" => {
                return self.refuse(StateError::NotAState(
                    "it has a \"format_version\", as the output of `terraform show -json` does; give the state itself, `terraform state pull`".to_owned(),
                ));
            }
            _ => {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    /// One element of `resources`.
    fn block<'de, A: MapAccess<'de>>(&mut self, mut map: A) -> Result<(), A::Error> {
        let mut head = Head::default();
        let mut instances = Vec::new();
        let mut count = 0;
        while let Some(name) = map.next_key::<Name>()? {
            let text = |value: Value| value.as_str().map(str::to_owned);
            match name.0.as_str() {
                "module" => head.module = text(map.next_value()?),
                "mode" => head.mode = text(map.next_value()?),
                "type" => head.provider_type = text(map.next_value()?),
                "name" => head.name = text(map.next_value()?),
                "provider" => head.provider = text(map.next_value()?),
                "instances" if head.mode.as_deref() == Some("data") => {
                    count = map.next_value::<Vec<IgnoredAny>>()?.len();
                }
                "instances" => instances = map.next_value::<Instances>()?.0,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        match head.mode.as_deref() {
            Some("data") => self.summary.data_count += count.max(instances.len()) as u64,
            Some("managed") => {
                for instance in instances {
                    self.instance(&head, instance)?;
                }
            }
            _ => self.fail(head.address(), "its mode is neither \"managed\" nor \"data\""),
        }
        Ok(())
    }

    fn instance<E: de::Error>(&mut self, head: &Head, instance: Instance) -> Result<(), E> {
        let Instance(Some(raw)) = instance else {
            self.fail(head.address(), "an instance of it is not an object");
            return Ok(());
        };
        match attributes::declare(head, raw, self.key) {
            Err((address, reason)) => self.fail(address, reason),
            Ok(declared) => {
                self.summary.resource_count += 1;
                if self.summary.resource_count > self.limits.max_resources {
                    return self.refuse(StateError::TooManyResources { limit: self.limits.max_resources });
                }
                if (self.sink)(declared).is_break() {
                    return self.refuse(StateError::Stopped);
                }
            }
        }
        Ok(())
    }
}

/// A format version, or what stands in its place.
fn version(value: &Value) -> Result<u64, &'static str> {
    match value {
        Value::Number(number) => number.as_u64().ok_or("another number"),
        Value::String(_) => Err("a text in quotes"),
        Value::Null => Err("null"),
        Value::Bool(_) => Err("true or false"),
        Value::Array(_) => Err("a list"),
        Value::Object(_) => Err("an object"),
    }
}

/// A key of an object, borrowed from nobody.
#[derive(serde::Deserialize)]
struct Name(String);

struct Top<'c, 'a, S>(&'c mut Context<'a, S>);

impl<'de, S: FnMut(DeclaredResource) -> ControlFlow<()>> Visitor<'de> for Top<'_, '_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with \"version\" and \"resources\"")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<Name>()? {
            self.0.top_level(&name.0, &mut map)?;
        }
        Ok(())
    }
}

struct Resources<'c, 'a, S>(&'c mut Context<'a, S>);

impl<'de, S: FnMut(DeclaredResource) -> ControlFlow<()>> DeserializeSeed<'de> for Resources<'_, '_, S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de, S: FnMut(DeclaredResource) -> ControlFlow<()>> Visitor<'de> for Resources<'_, '_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"resources\" to be a list")
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(Block(self.0))?.is_some() {}
        Ok(())
    }
}

/// The rest of a visitor that takes any JSON and gives this value for all but what it wants.
macro_rules! anything_else {
    ($value:expr) => {
        fn visit_bool<E: de::Error>(self, _: bool) -> Result<Self::Value, E> {
            Ok($value)
        }

        fn visit_i64<E: de::Error>(self, _: i64) -> Result<Self::Value, E> {
            Ok($value)
        }

        fn visit_u64<E: de::Error>(self, _: u64) -> Result<Self::Value, E> {
            Ok($value)
        }

        fn visit_f64<E: de::Error>(self, _: f64) -> Result<Self::Value, E> {
            Ok($value)
        }

        fn visit_str<E: de::Error>(self, _: &str) -> Result<Self::Value, E> {
            Ok($value)
        }

        fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok($value)
        }
    };
}

/// One element of `resources`; the value tells whether it was an object.
struct Block<'c, 'a, S>(&'c mut Context<'a, S>);

impl<'de, S: FnMut(DeclaredResource) -> ControlFlow<()>> DeserializeSeed<'de> for Block<'_, '_, S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        let context = self.0;
        let place = context.blocks;
        context.blocks += 1;
        if !json.deserialize_any(Block(context))? {
            context.fail(format!("resources[{place}]"), "it is not an object");
        }
        Ok(())
    }
}

impl<'de, S: FnMut(DeclaredResource) -> ControlFlow<()>> Visitor<'de> for Block<'_, '_, S> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a resource")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<bool, A::Error> {
        self.0.block(map)?;
        Ok(true)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<bool, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(false)
    }

    anything_else!(false);
}

/// The instances of a resource; empty when there is no list.
struct Instances(Vec<Instance>);

impl<'de> de::Deserialize<'de> for Instances {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Instances;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("instances")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Instances, A::Error> {
                let mut instances = Vec::new();
                while let Some(instance) = seq.next_element()? {
                    instances.push(instance);
                }
                Ok(Instances(instances))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Instances, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Instances(vec![Instance(None)]))
            }

            anything_else!(Instances(vec![Instance(None)]));
        }
        json.deserialize_any(List)
    }
}

/// One instance, if it is an object.
struct Instance(Option<RawInstance>);

impl<'de> de::Deserialize<'de> for Instance {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Instance;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an instance")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Instance, A::Error> {
                let mut raw = RawInstance::default();
                while let Some(name) = map.next_key::<Name>()? {
                    let slot = match name.0.as_str() {
                        "index_key" => &mut raw.index_key,
                        "status" => &mut raw.status,
                        "deposed" => &mut raw.deposed,
                        "provider" => &mut raw.provider,
                        "attributes" => &mut raw.attributes,
                        "attributes_flat" => &mut raw.attributes_flat,
                        "sensitive_attributes" => &mut raw.sensitive_attributes,
                        // `dependencies` above all, which is most of a big state.
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                            continue;
                        }
                    };
                    *slot = Some(map.next_value()?);
                }
                Ok(Instance(Some(raw)))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Instance, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Instance(None))
            }

            anything_else!(Instance(None));
        }
        json.deserialize_any(Members)
    }
}
