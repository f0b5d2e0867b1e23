//! JSON bodies.

use std::io;
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt as _, TryStreamExt as _, future};
use salvo::extract::{Extractible, Metadata};
use salvo::http::{ParseError, StatusCode, header};
use salvo::oapi::{Components, Content, EndpointArgRegister, Operation, RequestBody, Required, ToSchema};
use salvo::prelude::{Depot, Request};
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::words::{self, Wrong};
use crate::problem::{self, FieldError, Problem};

/// Most bytes of a body where a route does not say otherwise.
pub const DEFAULT_BODY_LIMIT: usize = 64 * 1024;

/// Most bytes that are read only to be thrown away, and for how long.
const DISCARDED: usize = 512 << 20;
const DISCARDING: Duration = Duration::from_secs(3);

/// A JSON body of at most `LIMIT` bytes. What does not parse, does not fit `T` or has fields that `T` does not know is 400
/// with the field's path; what fits but is not valid is for the handler to say (422).
///
/// `T` should carry `#[serde(deny_unknown_fields)]`. Ids in a body are texts, read with [`field_id`].
#[derive(Debug)]
pub struct Body<T, const LIMIT: usize = DEFAULT_BODY_LIMIT>(pub T);

impl<'ex, T: DeserializeOwned + Send, const LIMIT: usize> Extractible<'ex> for Body<T, LIMIT> {
    fn metadata() -> &'static Metadata {
        static METADATA: Metadata = Metadata::new("");
        &METADATA
    }

    #[allow(refining_impl_trait, reason = "the error type is part of what callers see")]
    async fn extract(req: &'ex mut Request, _depot: &'ex mut Depot) -> Result<Self, Problem> {
        require_json(req)?;
        let bytes = read_body(req, LIMIT).await?;
        parse(&bytes).map(Self)
    }
}

/// A JSON body like [`Body`] that may also be left out.
#[derive(Debug)]
pub struct OptionalBody<T>(pub T);

impl<'ex, T: DeserializeOwned + Default + Send> Extractible<'ex> for OptionalBody<T> {
    fn metadata() -> &'static Metadata {
        static METADATA: Metadata = Metadata::new("");
        &METADATA
    }

    #[allow(refining_impl_trait, reason = "the error type is part of what callers see")]
    async fn extract(req: &'ex mut Request, _depot: &'ex mut Depot) -> Result<Self, Problem> {
        let bytes = read_body(req, DEFAULT_BODY_LIMIT).await?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        require_json(req)?;
        parse(&bytes).map(Self)
    }
}

/// The body's bytes, which stay readable for later extractors.
///
/// # Errors
/// 413 past `limit`, 400 where the body ends early or its framing is broken.
pub async fn read_body(req: &mut Request, limit: usize) -> Result<Bytes, Problem> {
    if content_length(req).is_some_and(|length| length > limit as u64) {
        discard(req).await;
        return Err(Problem::TooLarge { limit, field: None });
    }
    match req.payload_with_max_size(limit).await {
        Ok(bytes) => Ok(bytes.clone()),
        Err(ParseError::PayloadTooLarge) => Err(Problem::TooLarge { limit, field: None }),
        Err(error) => {
            tracing::debug!(%error, "body could not be read");
            Err(Problem::bad_request("unreadable_body", "the body ended early or took too long to arrive"))
        }
    }
}

/// The body as it arrives, for what is too large to hold. The caller counts its bytes; `field` is what it calls the body.
///
/// # Errors
/// 413 where the announced length is past `limit`.
pub async fn stream_body(
    req: &mut Request,
    limit: usize,
    field: &'static str,
) -> Result<impl Stream<Item = io::Result<Bytes>> + Send + use<>, Problem> {
    if content_length(req).is_some_and(|length| length > limit as u64) {
        discard(req).await;
        return Err(Problem::TooLarge { limit, field: Some(field) });
    }
    // Trailers are no data.
    let data = req.take_body().try_filter_map(|frame| future::ready(Ok(frame.into_data().ok())));
    Ok(data.map_err(io::Error::other))
}

/// What the client says it will send.
fn content_length(req: &Request) -> Option<u64> {
    req.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Lets a client finish sending what will be refused: closing at once would reset the connection, and the client would
/// never see the answer. One that asked first (`Expect: 100-continue`) is not sent the go-ahead.
async fn discard(req: &mut Request) {
    if req.headers().contains_key(header::EXPECT) {
        return;
    }
    let mut body = req.take_body();
    let mut left = DISCARDED;
    let drain = async {
        while let Some(Ok(frame)) = body.next().await {
            match left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) {
                Some(rest) => left = rest,
                None => return,
            }
        }
    };
    if tokio::time::timeout(DISCARDING, drain).await.is_err() {
        tracing::debug!("client still sends what was refused");
    }
}

fn require_json(req: &Request) -> Result<(), Problem> {
    if req.headers().contains_key(header::CONTENT_ENCODING) {
        return Err(Problem::UnsupportedMediaType {
            message: "a Content-Encoding is not understood here: send the JSON as it is".to_owned(),
        });
    }
    let json = req.content_type().is_some_and(|mime| {
        mime.type_() == "application"
            && (mime.subtype() == "json" || mime.suffix().is_some_and(|suffix| suffix == "json"))
    });
    if json {
        return Ok(());
    }
    Err(Problem::UnsupportedMediaType {
        message: "the body must be JSON: send Content-Type: application/json".to_owned(),
    })
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // Structs would be read from arrays too, by the order of their fields.
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        return Err(Problem::bad_request("invalid_body", "the body must be a JSON object and is an array"));
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        refused(&path, error.inner())
    })?;
    json.end().map_err(|error| refused(".", &error))?;
    Ok(value)
}

fn refused(path: &str, error: &serde_json::Error) -> Problem {
    if error.classify() != Category::Data {
        return Problem::bad_request("malformed_json", format!("the body is not valid JSON: {error}"));
    }
    let Wrong { member, message } = words::of(&error.to_string());
    let field = match (path, member) {
        (".", None) => return Problem::bad_request("invalid_body", format!("the body {message}")),
        (".", Some(member)) => member,
        (path, Some(member)) if path.rsplit('.').next() != Some(&*member) => format!("{path}.{member}"),
        (path, _) => path.to_owned(),
    };
    Problem::BadRequest {
        class: "invalid_body",
        message: format!("{field}: {message}"),
        fields: vec![FieldError { field, message }],
    }
}

/// An id that a body names. A malformed one is 422 with the field, as one that does not exist should be.
///
/// # Errors
/// 422 where `text` is not a UUID.
pub fn field_id<T: FromStr>(field: &str, text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::invalid(field, "is not an id: a UUID is expected"))
}

impl<T: ToSchema, const LIMIT: usize> EndpointArgRegister for Body<T, LIMIT> {
    fn register(components: &mut Components, operation: &mut Operation, _arg: &str) {
        describe::<T>(components, operation, Required::True);
    }
}

impl<T: ToSchema> EndpointArgRegister for OptionalBody<T> {
    fn register(components: &mut Components, operation: &mut Operation, _arg: &str) {
        describe::<T>(components, operation, Required::False);
    }
}

fn describe<T: ToSchema>(components: &mut Components, operation: &mut Operation, required: Required) {
    let schema = T::to_schema(components);
    operation.request_body =
        Some(RequestBody::new().required(required).add_content("application/json", Content::new(schema)));
    for (status, description) in [
        (StatusCode::BAD_REQUEST, "Not JSON, or not of this shape"),
        (StatusCode::PAYLOAD_TOO_LARGE, "The body is too large"),
        (StatusCode::UNSUPPORTED_MEDIA_TYPE, "The body is not JSON"),
        (StatusCode::UNPROCESSABLE_ENTITY, "A value is not valid"),
    ] {
        let response = problem::response(components, description, status);
        operation.responses.insert(status.as_str(), response);
    }
}

/// For fields that may be absent, null or a value: tells null, which is `Some(None)`, from absence, which is the field's default.
///
/// # Errors
/// The deserializer's.
#[allow(clippy::option_option, reason = "three things")]
pub fn given<'de, T: serde::Deserialize<'de>, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    <Option<T> as serde::Deserialize>::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[allow(dead_code, reason = "only parsed")]
        inner: Vec<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[allow(dead_code, reason = "only parsed")]
        count: u8,
    }

    fn problem(text: &[u8]) -> (String, Option<String>) {
        match parse::<Outer>(text).unwrap_err() {
            Problem::BadRequest { class, fields, .. } => {
                (class.to_owned(), fields.first().map(|field| field.field.clone()))
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_wrong_type_names_its_path() {
        let (class, field) = problem(br#"{"inner":[{"count":1},{"count":"two"}]}"#);
        assert_eq!((class.as_str(), field.as_deref()), ("invalid_body", Some("inner[1].count")));
    }

    #[test]
    fn an_unknown_field_names_itself() {
        let (class, field) = problem(br#"{"inner":[],"extra":1}"#);
        assert_eq!((class.as_str(), field.as_deref()), ("invalid_body", Some("extra")));
    }

    #[test]
    fn a_field_that_is_missing_names_itself() {
        assert_eq!(problem(b"{}"), ("invalid_body".to_owned(), Some("inner".to_owned())));
        assert_eq!(problem(br#"{"inner":[{}]}"#), ("invalid_body".to_owned(), Some("inner[0].count".to_owned())));
    }

    #[test]
    fn broken_json_tells_where() {
        for text in [&b""[..], b"{", b"{\"inner\":[]}x", b"\xff\xfe", b"{\"inner\":[],}"] {
            let (class, field) = problem(text);
            assert_eq!((class.as_str(), field), ("malformed_json", None));
        }
    }

    #[test]
    fn an_array_is_no_object_even_if_its_items_fit() {
        assert_eq!(problem(b" [[]]"), ("invalid_body".to_owned(), None));
    }

    #[test]
    fn brackets_without_end_do_not_exhaust_the_stack() {
        let deep = [br#"{"inner":"#.as_slice(), &b"[".repeat(100_000)].concat();
        let (class, _) = problem(&deep);
        assert_eq!(class, "invalid_body");
    }
}
