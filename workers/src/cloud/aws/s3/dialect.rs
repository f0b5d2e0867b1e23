//! Other servers' words for S3's answers.
//!
//! The SDK reads an answer only under the root element that S3 gives it. moto names some after the operation, and answers
//! a question it does not know with the bucket's listing. So where the endpoint is not AWS's own, the few answers
//! concerned pass through here; answers that are already right pass unchanged.

use aws_sdk_s3::config::SharedHttpClient;
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;

/// Questions, by their word in the query, and the root of S3's answer. Source: S3 API reference.
const ROOTS: &[(&str, &str)] = &[
    ("accelerate", "AccelerateConfiguration"),
    ("notification", "NotificationConfiguration"),
    ("requestPayment", "RequestPaymentConfiguration"),
    ("versioning", "VersioningConfiguration"),
];

/// The same client, which understands these answers.
pub(in crate::cloud::aws) fn tolerant(client: SharedHttpClient) -> SharedHttpClient {
    SharedHttpClient::new(Tolerant(client))
}

#[derive(Debug)]
struct Tolerant(SharedHttpClient);

impl HttpClient for Tolerant {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Connector(self.0.http_connector(settings, components)))
    }
}

#[derive(Debug)]
struct Connector(SharedHttpConnector);

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let root = root_of_answer(request.uri());
        let answer = self.0.call(request);
        match root {
            Some(root) => HttpConnectorFuture::new(async move { renamed(answer.await?, root).await }),
            None => answer,
        }
    }
}

fn root_of_answer(uri: &str) -> Option<&'static str> {
    let (_, query) = uri.split_once('?')?;
    let mut words = query.split('&').map(|pair| pair.split_once('=').map_or(pair, |(name, _)| name));
    words.find_map(|word| ROOTS.iter().find(|(asked, _)| *asked == word).map(|(_, root)| *root))
}

async fn renamed(mut response: HttpResponse, root: &str) -> Result<HttpResponse, ConnectorError> {
    if !response.status().is_success() {
        return Ok(response);
    }
    let body = std::mem::replace(response.body_mut(), SdkBody::taken());
    let read = ByteStream::new(body).collect().await;
    let bytes = read.map_err(|error| ConnectorError::io(error.into()))?.into_bytes();
    let body = match std::str::from_utf8(&bytes).ok().and_then(|text| with_root(text, root)) {
        Some(text) => SdkBody::from(text),
        None => SdkBody::from(bytes),
    };
    if let Some(length) = body.content_length() {
        response.headers_mut().insert("content-length", length.to_string());
    }
    *response.body_mut() = body;
    Ok(response)
}

/// The answer under its right root, if it has another.
fn with_root(text: &str, root: &str) -> Option<String> {
    let start =
        text.match_indices('<').find(|(at, _)| text[at + 1..].starts_with(|c: char| c.is_ascii_alphabetic()))?.0;
    let name = text[start + 1..].split(|c: char| !c.is_ascii_alphanumeric()).next()?;
    match name {
        _ if name == root => None,
        "ListBucketResult" => Some(format!("<{root}/>")),
        _ => {
            let opened = text.replacen(&format!("<{name}"), &format!("<{root}"), 1);
            Some(opened.replace(&format!("</{name}>"), &format!("</{root}>")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_known_by_the_query() {
        assert_eq!(root_of_answer("http://127.0.0.1:5600/b?versioning"), Some("VersioningConfiguration"));
        assert_eq!(root_of_answer("http://127.0.0.1:5600/b?x-id=1&accelerate="), Some("AccelerateConfiguration"));
        assert_eq!(root_of_answer("http://127.0.0.1:5600/versioning?policy"), None);
        assert_eq!(root_of_answer("http://127.0.0.1:5600/versioning"), None);
    }

    #[test]
    fn only_a_wrong_root_is_changed() {
        let root = "VersioningConfiguration";
        assert_eq!(with_root("<?xml version=\"1.0\"?>\n<VersioningConfiguration/>", root), None);
        assert_eq!(
            with_root("<?xml version=\"1.0\"?><R xmlns=\"x\"><Status>Enabled</Status></R>", root).as_deref(),
            Some(
                "<?xml version=\"1.0\"?><VersioningConfiguration xmlns=\"x\"><Status>Enabled</Status></VersioningConfiguration>"
            )
        );
        assert_eq!(
            with_root("<ListBucketResult><Name>b</Name></ListBucketResult>", root).as_deref(),
            Some("<VersioningConfiguration/>")
        );
        assert_eq!(with_root("not found", root), None);
    }
}
