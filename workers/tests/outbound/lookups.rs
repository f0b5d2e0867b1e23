//! Names without an answer: class `dns`, and nobody is called.

use std::net::{IpAddr, Ipv4Addr};

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use jobs::lookup::{LIMIT, LookupError, MOST_ADDRESSES, Resolver};
use workers::outbound::webhook::Limits;

use crate::counter::Counter;
use crate::dns::{Dns, Reply};
use crate::{LOOPBACK, SHORT, class, client, post};

fn addresses(count: usize) -> Vec<IpAddr> {
    (1..=count).map(|n| Ipv4Addr::new(127, 0, 0, u8::try_from(n).unwrap()).into()).collect()
}

#[tokio::test]
async fn a_lookup_that_fails_fails_closed() {
    let (dns, counter) = (Dns::start().await, Counter::start().await);
    let client = client(&dns, LOOPBACK, Limits::default());
    let here = || Reply::Addresses(addresses(1));
    dns.set("empty.example", &[]);
    dns.set_both("servfail.example", &Reply::Code(ResponseCode::ServFail));
    dns.set_both("refused.example", &Reply::Code(ResponseCode::Refused));
    dns.set_both("loop.example", &Reply::Alias("pool.example"));
    dns.set_both("pool.example", &Reply::Alias("loop.example"));
    dns.set_both("dangling.example", &Reply::Alias("gone.example"));
    dns.set_both("many.example", &Reply::TooLongForUdp(addresses(MOST_ADDRESSES + 1)));
    dns.reply("six-fails.example", RecordType::A, [here()]);
    dns.reply("six-fails.example", RecordType::AAAA, [Reply::Code(ResponseCode::ServFail)]);
    dns.reply("four-fails.example", RecordType::A, [Reply::Code(ResponseCode::ServFail)]);
    dns.reply("four-fails.example", RecordType::AAAA, [Reply::Addresses(vec!["::1".parse().unwrap()])]);
    let names = ["gone", "empty", "servfail", "refused", "loop", "dangling", "many", "six-fails", "four-fails"]
        .map(|name| format!("{name}.example"));
    for name in names.iter().map(String::as_str).chain(["gone.invalid", "no..name"]) {
        let outcome = post(&client, &format!("https://{name}:{}/secret", counter.port)).await;
        let wanted = if name == "no..name" { "blocked_address" } else { "dns" };
        assert_eq!(class(&outcome), wanted, "{name}");
    }
    assert_eq!(counter.others().await, 0);

    dns.reply("six-fails.example", RecordType::AAAA, [Reply::Code(ResponseCode::NXDomain)]);
    let outcome = post(&client, &format!("https://six-fails.example:{}/", counter.port)).await;
    assert_eq!(class(&outcome), "tls", "a family without records is no failure");
    assert_eq!(counter.others().await, 1);
}

#[tokio::test]
async fn a_name_server_that_hangs_is_not_the_endpoints_fault() {
    let (dns, counter) = (Dns::start().await, Counter::start().await);
    let client = client(&dns, LOOPBACK, SHORT);
    dns.set_both("silent.example", &Reply::Silence);
    dns.reply("half.example", RecordType::A, [Reply::Addresses(addresses(1))]);
    dns.reply("half.example", RecordType::AAAA, [Reply::Silence]);
    for name in ["silent", "half"] {
        let outcome = post(&client, &format!("https://{name}.example:{}/secret", counter.port)).await;
        assert_eq!(class(&outcome), "dns", "{name}");
        assert!(outcome.duration < SHORT.total, "{:?}", outcome.duration);
    }
    assert_eq!(counter.others().await, 0);
}

#[tokio::test]
async fn a_lookup_ends_soon_whatever_the_servers_do() {
    let silent = Dns::start().await;
    silent.set_both("silent.example", &Reply::Silence);
    let gone = Dns::start().await.address;
    let (silent, gone) = (silent.resolver(), Resolver::new(&[gone]).unwrap());
    let lookups = async { tokio::join!(silent.lookup("silent.example"), gone.lookup("silent.example")) };
    let found = tokio::time::timeout(LIMIT, lookups).await;
    let timeout = || Err(LookupError::Timeout("silent.example".to_owned()));
    assert_eq!(found, Ok((timeout(), timeout())));
}

#[tokio::test]
async fn a_second_server_answers_for_the_first() {
    let (silent, dns) = (Dns::start().await, Dns::start().await);
    silent.set_both("hooks.example", &Reply::Silence);
    dns.set("hooks.example", &["127.0.0.1"]);
    let resolver = Resolver::new(&[silent.address, dns.address]).unwrap();
    assert_eq!(resolver.lookup("hooks.example").await, Ok(addresses(1)));
}

#[tokio::test]
async fn every_address_is_found_whatever_carries_it() {
    let dns = Dns::start().await;
    let resolver = dns.resolver();
    dns.set("both.example", &["127.0.0.1", "127.0.0.2", "::1", "2606:4700::1"]);
    let mut found = resolver.lookup("both.example").await.unwrap();
    found.sort();
    let wanted: Vec<IpAddr> = ["127.0.0.1", "127.0.0.2", "::1", "2606:4700::1"].map(|ip| ip.parse().unwrap()).into();
    assert_eq!(found, wanted);
    assert_eq!(resolver.lookup("both.example.").await.unwrap().len(), 4, "with a dot at the end");
    assert_eq!(resolver.lookup("BOTH.example").await.unwrap().len(), 4, "in capitals");
    assert_eq!(resolver.lookup("127.0.0.1").await, Ok(addresses(1)), "an address is its own");

    dns.reply("long.example", RecordType::A, [Reply::TooLongForUdp(addresses(MOST_ADDRESSES))]);
    dns.reply("long.example", RecordType::AAAA, [Reply::Addresses(Vec::new())]);
    let mut found = resolver.lookup("long.example").await.unwrap();
    found.sort();
    assert_eq!(found, addresses(MOST_ADDRESSES), "over TCP");
    dns.reply("long.example", RecordType::A, [Reply::TooLongForUdp(addresses(MOST_ADDRESSES + 1))]);
    assert_eq!(resolver.lookup("long.example").await, Err(LookupError::TooMany("long.example".to_owned())));
}
