//! A client for a service of our own on this machine. It follows no redirect and goes through no proxy.

use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use std::time::Duration;

/// Longer than the API makes anyone wait.
const TIMEOUT: Duration = Duration::from_mins(1);

/// A caller of the API at one address.
#[derive(Debug, Clone)]
pub struct LocalClient {
    http: reqwest::Client,
    base: String,
    key: HeaderValue,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body; null where it is empty.
    pub body: Value,
}

/// Why there is no answer, or not the one that was wanted.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The key cannot stand in a header.
    #[error("the API key holds characters that no header may hold")]
    Key,
    /// Nobody answered, or not in HTTP.
    #[error("{0}")]
    Http(#[from] reqwest::Error),
    /// The answer's body is not JSON.
    #[error("{path} answered {status} with something else than JSON: {error}")]
    NotJson {
        /// What was asked for.
        path: String,
        /// The status code.
        status: u16,
        /// What is wrong with it.
        error: serde_json::Error,
    },
    /// The answer is a refusal.
    #[error("{path} answered {status}: {body}")]
    Refused {
        /// What was asked for.
        path: String,
        /// The status code.
        status: u16,
        /// The problem.
        body: Value,
    },
}

impl LocalClient {
    /// A caller of `base` (`http://127.0.0.1:…`) with an API key.
    ///
    /// # Errors
    /// A key that is none, a client that cannot be built.
    pub fn new(base: &str, key: &str) -> Result<Self, CallError> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(TIMEOUT)
            .build()?;
        let mut key = HeaderValue::from_str(key).map_err(|_| CallError::Key)?;
        key.set_sensitive(true);
        Ok(Self { http, base: base.to_owned(), key })
    }

    /// GET.
    ///
    /// # Errors
    /// See [`CallError`]; a status of 400 and above is a refusal.
    pub async fn get(&self, path: &str) -> Result<Answer, CallError> {
        self.send(path, self.request(Method::GET, path)).await
    }

    /// POST of a JSON body.
    ///
    /// # Errors
    /// As [`LocalClient::get`].
    pub async fn post(&self, path: &str, body: &Value) -> Result<Answer, CallError> {
        self.send(path, self.request(Method::POST, path).json(body)).await
    }

    /// PUT of bytes.
    ///
    /// # Errors
    /// As [`LocalClient::get`].
    pub async fn put(&self, path: &str, body: Vec<u8>) -> Result<Answer, CallError> {
        let request = self.request(Method::PUT, path).header(CONTENT_TYPE, "application/octet-stream").body(body);
        self.send(path, request).await
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base)).header("X-API-Key", &self.key)
    }

    async fn send(&self, path: &str, request: reqwest::RequestBuilder) -> Result<Answer, CallError> {
        let response = request.send().await?;
        let code = response.status();
        let (path, status) = (path.to_owned(), code.as_u16());
        let bytes = response.bytes().await?;
        let body = if bytes.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(&bytes) };
        match body {
            Err(error) => Err(CallError::NotJson { path, status, error }),
            Ok(body) if code >= StatusCode::BAD_REQUEST => Err(CallError::Refused { path, status, body }),
            Ok(body) => Ok(Answer { status, body }),
        }
    }
}
