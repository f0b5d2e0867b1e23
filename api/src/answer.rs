//! Answers of operations that change something: a status, a body, `Location`, and how they are repeated for an
//! Idempotency-Key.

use std::marker::PhantomData;
use std::time::Duration;

use salvo::http::header::{self, HeaderName, HeaderValue};
use salvo::http::{ResBody, StatusCode};
use salvo::oapi::{Components, Content, EndpointOutRegister, Operation, Response as ApiResponse, ToSchema};
use salvo::prelude::{Depot, Request, Response, Writer, async_trait};
use serde::Serialize;

use crate::problem::Problem;

/// 200 after a change.
pub type Done<T> = Answer<T, 200>;
/// 201: something was created; its place is in `Location`.
pub type Created<T> = Answer<T, 201>;
/// 202: something was begun; `Location` is where to ask how it goes, `Retry-After` when.
pub type Accepted<T> = Answer<T, 202>;

/// Headers that belong to an answer and are repeated with it.
const KEPT: [HeaderName; 2] = [header::LOCATION, header::RETRY_AFTER];
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// A JSON answer with the status `STATUS`, ready to be stored.
#[derive(Debug)]
pub struct Answer<T, const STATUS: u16> {
    parts: Stored,
    replayed: bool,
    shape: PhantomData<fn() -> T>,
}

/// An answer as it is kept for an Idempotency-Key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The HTTP status.
    pub status: u16,
    /// `Location` and `Retry-After`, as far as there are.
    pub headers: Vec<(String, String)>,
    /// The body's bytes.
    pub body: Vec<u8>,
}

impl<T: Serialize, const STATUS: u16> Answer<T, STATUS> {
    /// An answer with this body.
    ///
    /// # Errors
    /// When the body cannot be written as JSON.
    pub fn new(body: &T) -> Result<Self, Problem> {
        Ok(Self {
            parts: Stored {
                status: STATUS,
                headers: Vec::new(),
                body: serde_json::to_vec(body).map_err(Problem::internal)?,
            },
            replayed: false,
            shape: PhantomData,
        })
    }
}

impl<T, const STATUS: u16> Answer<T, STATUS> {
    /// Says where the thing is, as a path.
    #[must_use]
    pub fn location(self, path: &str) -> Self {
        self.header(&header::LOCATION, path.to_owned())
    }

    /// Says when to ask again; whole seconds.
    #[must_use]
    pub fn retry_after(self, after: Duration) -> Self {
        self.header(&header::RETRY_AFTER, after.as_secs().max(1).to_string())
    }

    /// Answers with another status than usual, for an operation that declares both.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.parts.status = status.as_u16();
        self
    }

    fn header(mut self, name: &HeaderName, value: String) -> Self {
        self.parts.headers.push((name.as_str().to_owned(), value));
        self
    }

    pub(crate) fn stored(&self) -> &Stored {
        &self.parts
    }

    pub(crate) fn replay(parts: Stored) -> Self {
        Self { parts, replayed: true, shape: PhantomData }
    }
}

#[async_trait]
impl<T, const STATUS: u16> Writer for Answer<T, STATUS> {
    async fn write(self, _req: &mut Request, _depot: &mut Depot, res: &mut Response) {
        let Stored { status, headers, body } = self.parts;
        res.status_code(StatusCode::from_u16(status).unwrap_or(StatusCode::OK));
        res.replace_body(ResBody::Once(body.into()));
        let out = res.headers_mut();
        out.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for kept in KEPT {
            let value = headers.iter().find(|(name, _)| *name == kept.as_str());
            if let Some(value) = value.and_then(|(_, value)| HeaderValue::from_str(value).ok()) {
                out.insert(kept, value);
            }
        }
        if self.replayed {
            out.insert(REPLAYED, HeaderValue::from_static("true"));
        }
    }
}

impl<T: ToSchema, const STATUS: u16> EndpointOutRegister for Answer<T, STATUS> {
    fn register(components: &mut Components, operation: &mut Operation) {
        let description = match STATUS {
            201 => "Created; `Location` says where",
            202 => "Begun; ask at `Location` how it goes",
            _ => "Done",
        };
        let schema = T::to_schema(components);
        operation.responses.insert(
            STATUS.to_string(),
            ApiResponse::new(description).add_content("application/json", Content::new(schema)),
        );
    }
}

/// 204: done, and there is nothing to show.
#[derive(Clone, Copy, Debug)]
pub struct NoContent;

#[async_trait]
impl Writer for NoContent {
    async fn write(self, _req: &mut Request, _depot: &mut Depot, res: &mut Response) {
        res.status_code(StatusCode::NO_CONTENT);
    }
}

impl EndpointOutRegister for NoContent {
    fn register(_components: &mut Components, operation: &mut Operation) {
        operation.responses.insert("204", ApiResponse::new("Done"));
    }
}
