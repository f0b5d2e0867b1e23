//! Readers of IAM. All of it is global.
//!
//! [`authorization`] reads users, groups, roles and customer-managed policies with everything attached to them, in one
//! paginated answer instead of a call for each; the other files read what that answer leaves out.

pub mod access;
pub mod account;
pub mod authorization;
pub mod identity_provider;
pub mod instance_profile;
pub mod server_certificate;

mod attached;
mod group;
mod policy;
mod role;
mod user;

use aws_sdk_iam::types::{AttachedPermissionsBoundary, Tag};
use percent_encoding::percent_decode_str;

use super::reader::Reader;

/// All readers of this service.
pub const READERS: &[Reader] = &[
    authorization::READER,
    access::READER,
    instance_profile::READER,
    identity_provider::OIDC,
    identity_provider::SAML,
    server_certificate::READER,
    account::ALIAS,
    account::PASSWORD_POLICY,
];

/// IAM's word for "there is none".
const ABSENT: &[&str] = &["NoSuchEntity"];

/// IAM's tags as pairs.
fn tags(tags: &[Tag]) -> impl Iterator<Item = (&str, &str)> {
    tags.iter().map(|tag| (tag.key(), tag.value()))
}

fn boundary(boundary: Option<&AttachedPermissionsBoundary>) -> Option<&str> {
    boundary.and_then(AttachedPermissionsBoundary::permissions_boundary_arn)
}

/// A policy document as JSON. IAM answers it percent-encoded (RFC 3986); what already starts like JSON is left alone,
/// because a `%` may stand in it.
fn document(text: &str) -> String {
    if text.trim_start().starts_with('{') {
        return text.to_owned();
    }
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_decoded_once() {
        assert_eq!(document("%7B%22a%22%3A%22b%2Bc%20d%25%22%7D"), r#"{"a":"b+c d%"}"#);
        assert_eq!(document(r#"{"a":"100%25"}"#), r#"{"a":"100%25"}"#);
    }
}
