//! The environment's proxies are not used. The environment belongs to the whole process, so the post is made by a process of its
//! own: this test binary, run for one test with an environment in which every variable names a proxy. What trusts a certificate
//! of ours is proven on the way, as that takes an environment too.

use std::process::Stdio;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tokio::process::Command;
use workers::outbound::webhook::Limits;

use crate::counter::Counter;
use crate::dns::Dns;
use crate::endpoint::Endpoint;
use crate::{LOOPBACK, post, tls};

/// What tells the other process where to post; without it, it is nobody's child and has nothing to do.
const TARGETS: &str = "PLUMBLINE_TEST_TARGETS";

/// Variables that name a proxy for somebody.
const VARIABLES: [&str; 6] = ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];

#[tokio::test]
async fn a_proxy_of_the_environment_is_not_used() {
    let proxy = Counter::start().await;
    let plain = Endpoint::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let (secure, certificate) = tls::endpoint("localhost").await;
    let file = tempfile::NamedTempFile::new().unwrap();
    let pem = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines(&certificate));
    std::fs::write(file.path(), pem).unwrap();
    let dns = Dns::start().await;

    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "proxies::in_an_environment_full_of_proxies", "--nocapture"]).stdin(Stdio::null());
    let targets = format!("{} {} {}", dns.address, plain.address.port(), secure.address.port());
    child.env(TARGETS, targets).env("SSL_CERT_FILE", file.path());
    child.env_remove("SSL_CERT_DIR").env_remove("no_proxy").env_remove("NO_PROXY").env_remove("REQUEST_METHOD");
    child.envs(VARIABLES.map(|name| (name, format!("http://127.0.0.1:{}", proxy.port))));
    let ended = child.kill_on_drop(true).output().await.unwrap();
    let told = String::from_utf8_lossy(&ended.stdout).into_owned() + &String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success() && told.contains("1 passed"), "{told}");

    assert_eq!((plain.connections(), secure.connections()), (1, 1), "both were posted to");
    assert_eq!(proxy.others().await, 1, "by whom uses the environment's proxies, and by nobody else");
}

/// The other process's part.
#[tokio::test]
async fn in_an_environment_full_of_proxies() {
    let Ok(targets) = std::env::var(TARGETS) else { return };
    let targets: Vec<&str> = targets.split(' ').collect();
    let [dns, plain, secure] = targets[..] else { panic!("{targets:?}") };

    let usual = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let proxied = usual.get("http://192.0.2.1/").send().await.unwrap();
    assert_eq!(proxied.status(), 200, "the proxy answers whoever asks it, so the environment is right");

    let resolver = jobs::lookup::Resolver::new(&[dns.parse().unwrap()]).unwrap();
    let client =
        workers::outbound::webhook::WebhookClient::new(LOOPBACK.parse().unwrap(), resolver, Limits::default()).unwrap();
    for url in [format!("http://127.0.0.1:{plain}/"), format!("https://localhost:{secure}/")] {
        assert_eq!(post(&client, &url).await.result.unwrap().status, 200, "{url}");
    }
}

/// Base64 in lines of 64 characters, as PEM (RFC 7468) has it.
fn lines(bytes: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(bytes);
    text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect::<Vec<_>>().join("\n")
}
