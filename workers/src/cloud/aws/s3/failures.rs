//! What could not be read of single buckets, gathered so that a scan of a thousand buckets with the same missing
//! permission says it once and names them.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::ALL_TYPES;
use crate::cloud::ReadError;
use crate::cloud::aws::reader::Context;

/// Buckets that one message names; the rest is counted.
const NAMED: usize = 10;

/// What about a bucket could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lost {
    /// Everything: not even its region is known.
    Bucket,
    /// Some of its own attributes. It was found, so no type is unreadable for it.
    Attributes,
    /// The setting of this type.
    Setting(&'static str),
}

type Key = (Lost, String, String);

#[derive(Debug, Default)]
pub(super) struct Failures(Mutex<BTreeMap<Key, (ReadError, Vec<String>)>>);

impl Failures {
    pub(super) fn add(&self, lost: Lost, bucket: &str, error: ReadError) {
        let key = (lost, error.operation.clone(), error.code.clone());
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, buckets) = failures.entry(key).or_insert_with(|| (error, Vec::new()));
        buckets.push(bucket.to_owned());
    }

    /// Tells the scan, once everything was asked.
    pub(super) fn report(self, cx: &Context) {
        let failures = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        for ((lost, ..), (error, buckets)) in failures {
            let error = ReadError { message: message(buckets, &error.message), ..error };
            match lost {
                Lost::Bucket => cx.unreadable(ALL_TYPES, error),
                Lost::Attributes => cx.unreadable(&[], error),
                Lost::Setting(provider_type) => cx.unreadable(&[provider_type], error),
            }
        }
    }
}

fn message(mut buckets: Vec<String>, said: &str) -> String {
    buckets.sort();
    let more = buckets.len().saturating_sub(NAMED);
    buckets.truncate(NAMED);
    let names = buckets.join(", ");
    match more {
        0 => format!("{said} (of {names})"),
        _ => format!("{said} (of {names} and {more} more)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_buckets_within_reason() {
        assert_eq!(message(vec!["b".into(), "a".into()], "Access Denied"), "Access Denied (of a, b)");
        let many = (0..13).map(|n| format!("bucket-{n:02}")).collect();
        let text = message(many, "Access Denied");
        assert!(text.ends_with("bucket-09 and 3 more)"), "{text}");
    }
}
