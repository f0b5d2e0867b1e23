//! What may not be called is not called: neither by name nor by address, neither at once nor after the name has moved.

use hickory_proto::rr::RecordType;
use jobs::addresses::Allowed;
use jobs::webhooks::address::{self, Unreachable};
use workers::outbound::webhook::Limits;

use crate::counter::Counter;
use crate::dns::{Dns, Reply};
use crate::endpoint::Endpoint;
use crate::{LOOPBACK, class, client, local_client, post};

/// One address of every kind that is nobody's public address, and those that lead elsewhere.
const CORPUS: &[&str] = &[
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.0.2.2",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:7f00:1",
    "::ffff:a9fe:a9fe",
    "::ffff:808:808",
    "::ffff:0:7f00:1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::7f00:1",
    "100::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:80ff:fffe",
    "2001:db8::1",
    "2002:7f00:1::1",
    "2002:a9fe:a9fe::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00::2",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::a9fe:a9fe",
    "fec0::1",
    "ff02::1",
    "ff05::2",
];

/// Other ways to write some of them.
const NOTATIONS: &[&str] = &[
    "127.1",
    "127.0.0.1.",
    "0",
    "0x7f.1",
    "0x7f000001",
    "2130706433",
    "017700000001",
    "0177.0.0.1",
    "%31%32%37.0.0.1",
    "１２７.０.０.１",
    "127。0。0。1",
    "2852039166",
    "0xa9.0xfe.0xa9.0xfe",
    "[0:0:0:0:0:0:0:1]",
    "[::127.0.0.1]",
    "[::ffff:127.0.0.1]",
    "[::FFFF:7f00:0001]",
    "[64:ff9b::127.0.0.1]",
    "[2002:7f00:0001::]",
];

#[tokio::test]
async fn no_name_leads_to_what_may_not_be_called() {
    let (dns, counter) = (Dns::start().await, Counter::start().await);
    let client = client(&dns, "", Limits::default());
    for (number, address) in CORPUS.iter().enumerate() {
        let name = format!("n{number}.example");
        dns.set(&name, &[address]);
        let outcome = post(&client, &format!("https://{name}:{}/secret", counter.port)).await;
        assert_eq!(class(&outcome), "blocked_address", "{address}");
        assert_eq!(dns.asked(&name), 2, "the name was looked up, once for each family");
        let message = outcome.result.unwrap_err().message;
        assert!(!message.contains(address), "where a name leads inside a network is nobody's business: {message}");
    }
    for name in ["localhost", "localhost.", "a.localhost"] {
        let outcome = post(&client, &format!("https://{name}:{}/", counter.port)).await;
        assert_eq!(class(&outcome), "blocked_address", "{name}");
    }
    assert_eq!(counter.others().await, 0);
}

#[tokio::test]
async fn no_literal_is_called_however_it_is_written() {
    let (dns, counter) = (Dns::start().await, Counter::start().await);
    let client = client(&dns, "", Limits::default());
    let bracketed = |address: &&str| if address.contains(':') { format!("[{address}]") } else { (*address).to_owned() };
    for host in CORPUS.iter().map(bracketed).chain(NOTATIONS.iter().map(|host| (*host).to_owned())) {
        for scheme in ["http", "https"] {
            let outcome = post(&client, &format!("{scheme}://{host}:{}/secret", counter.port)).await;
            assert_eq!(class(&outcome), "blocked_address", "{scheme}://{host}");
        }
    }
    assert_eq!(counter.others().await, 0);
}

/// The listener that counts nobody above would count those that come: the same names and literals, allowed.
#[tokio::test]
async fn what_an_operator_allows_is_called() {
    let (dns, counter) = (Dns::start().await, Counter::start().await);
    let client = client(&dns, LOOPBACK, Limits::default());
    for (reached, host) in ["127.0.0.1", "127.1", "[::1]", "127.255.255.254", "localhost"].into_iter().enumerate() {
        let outcome = post(&client, &format!("http://{host}:{}/", counter.port)).await;
        assert_eq!(outcome.result.unwrap().status, 200, "{host}");
        assert_eq!(counter.others().await, reached + 1);
    }
    dns.set("both.example", &["127.0.0.1", "::1"]);
    let outcome = post(&client, &format!("https://both.example:{}/", counter.port)).await;
    assert_eq!(class(&outcome), "tls", "the counter does not speak it");
    assert_eq!(counter.others().await, 6);

    dns.set("mapped.example", &["::ffff:127.0.0.1"]);
    dns.set("nat64.example", &["64:ff9b::127.0.0.1"]);
    for host in ["mapped.example", "nat64.example", "[::ffff:127.0.0.1]"] {
        let outcome = post(&client, &format!("https://{host}:{}/", counter.port)).await;
        assert_eq!(class(&outcome), "blocked_address", "{host}: allowed is the address, not another that leads there");
    }
    assert_eq!(counter.others().await, 6);
}

#[tokio::test]
async fn one_bad_address_refuses_all() {
    let (dns, counter) = (Dns::start().await, Counter::start().await);
    let client = client(&dns, "", Limits::default());
    dns.set("first.example", &["127.0.0.1", "8.8.8.8"]);
    dns.set("last.example", &["8.8.8.8", "9.9.9.9", "127.0.0.1"]);
    dns.set("six.example", &["8.8.8.8", "::1"]);
    dns.set("four.example", &["127.0.0.1", "2606:4700:4700::1111"]);
    dns.set_both("alias.example", &Reply::Alias("hop.example"));
    dns.set_both("hop.example", &Reply::Alias("inside.example"));
    dns.set("inside.example", &["127.0.0.1"]);
    for name in ["first", "last", "six", "four", "alias"] {
        let outcome = post(&client, &format!("https://{name}.example:{}/secret", counter.port)).await;
        assert_eq!(class(&outcome), "blocked_address", "{name}");
    }
    assert_eq!(counter.others().await, 0);
}

#[tokio::test]
async fn a_name_that_has_moved_since_it_was_saved_is_not_followed() {
    let (dns, counter) = (Dns::start().await, Counter::start().await);
    let resolver = dns.resolver();
    let allowed = Allowed::default();
    let text = format!("https://moving.example:{}/secret", counter.port);

    dns.set("moving.example", &["93.184.216.34"]);
    let url = address::parse(&text, &allowed).unwrap();
    let found = address::check(&url, &resolver, &allowed).await;
    assert_eq!(found, Ok(vec!["93.184.216.34".parse().unwrap()]), "it may be saved");

    dns.set("moving.example", &["127.0.0.1"]);
    let outcome = post(&client(&dns, "", Limits::default()), &text).await;
    assert_eq!(class(&outcome), "blocked_address");
    assert!(matches!(address::check(&url, &resolver, &allowed).await, Err(Unreachable::Refused { .. })));
    assert_eq!(counter.others().await, 0);
}

/// A name that changes with every question cannot come between the check and the connection, as there is no second question.
#[tokio::test]
async fn what_was_checked_is_what_is_connected_to() {
    let (dns, counter) = (Dns::start().await, Counter::start().await);
    let reply = |address: &str| Reply::Addresses(vec![address.parse().unwrap()]);
    dns.reply("flipping.example", RecordType::A, [reply("127.0.0.1"), reply("127.0.0.2")]);
    dns.reply("flipping.example", RecordType::AAAA, [Reply::Addresses(Vec::new())]);
    let client = client(&dns, "127.0.0.1", Limits::default());
    let url = format!("https://flipping.example:{}/secret", counter.port);

    assert_eq!(class(&post(&client, &url).await), "tls", "connected, to what the first answer said");
    assert_eq!((dns.asked("flipping.example"), counter.others().await), (2, 1), "asked once for each family");

    assert_eq!(class(&post(&client, &url).await), "blocked_address");
    assert_eq!((dns.asked("flipping.example"), counter.others().await), (4, 1));
}

#[tokio::test]
async fn a_redirect_leads_nowhere() {
    let counter = Counter::start().await;
    let client = local_client(Limits::default()).await;
    for status in [301, 302, 303, 307, 308] {
        for target in ["127.0.0.1", "[::1]", "localhost"] {
            let location = format!("http://{target}:{}/", counter.port);
            let endpoint = Endpoint::answering(format!(
                "HTTP/1.1 {status} Go\r\nlocation: {location}\r\ncontent-length: 2\r\n\r\nno"
            ))
            .await;
            let answer = post(&client, &endpoint.url()).await.result.unwrap();
            assert_eq!((answer.status, answer.excerpt.as_str()), (status, "no"), "even where we might go");
        }
    }
    assert_eq!(counter.others().await, 0);
}

#[tokio::test]
async fn a_url_that_may_not_be_called_any_more_is_not() {
    let counter = Counter::start().await;
    let client = local_client(Limits::default()).await;
    for url in [
        "http://hooks.example.com/",
        "https://10.0.0.1/",
        "https://user:secret@127.0.0.1/",
        "https://127.0.0.1:22/",
        "ftp://127.0.0.1/",
        "https://127.0.0.1/#secret",
        "",
    ] {
        assert_eq!(class(&post(&client, url).await), "blocked_address", "{url}");
    }
    assert_eq!(counter.others().await, 0);
}
