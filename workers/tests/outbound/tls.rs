//! Endpoints whose TLS cannot be trusted, or is none. The one that can be trusted is in `proxies`, as trusting it takes an
//! environment of its own.

use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::AsyncWriteExt;
use tokio_rustls::TlsAcceptor;
use workers::outbound::webhook::Limits;

use crate::dns::Dns;
use crate::endpoint::{Endpoint, request};
use crate::{LOOPBACK, class, client, local_client, post};

/// An endpoint that presents a certificate of its own making for `name`, with that certificate.
pub async fn endpoint(name: &str) -> (Endpoint, CertificateDer<'static>) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed([name.to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let endpoint = Endpoint::start(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            // Who does not trust us hangs up here.
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            while request(&mut stream).await.is_some() {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
            }
        }
    })
    .await;
    (endpoint, cert.der().clone())
}

#[tokio::test]
async fn a_certificate_must_come_from_an_authority() {
    let dns = Dns::start().await;
    dns.set("hooks.example", &["127.0.0.1"]);
    let client = client(&dns, LOOPBACK, Limits::default());
    let (endpoint, _) = endpoint("hooks.example").await;
    let outcome = post(&client, &format!("https://hooks.example:{}/secret", endpoint.address.port())).await;
    assert_eq!(class(&outcome), "tls");
    assert_eq!(class(&post(&client, &format!("https://{}/secret", endpoint.address)).await), "tls");
    assert_eq!(endpoint.connections(), 2, "it was reached");
}

#[tokio::test]
async fn what_is_not_tls_is_not_trusted() {
    let client = local_client(Limits::default()).await;
    let plain = Endpoint::start(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
        let _ = stream.shutdown().await;
    });
    let closing = Endpoint::start(|stream| async move { drop(stream) });
    let resetting = Endpoint::start(|stream| async move {
        // What was not read is answered with a reset.
        stream.readable().await.unwrap();
        drop(stream);
    });
    for endpoint in [plain.await, closing.await, resetting.await] {
        assert_eq!(class(&post(&client, &format!("https://{}/secret", endpoint.address)).await), "tls");
    }
}
