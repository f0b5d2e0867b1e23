//! Endpoints that answer: what they get to see, and what is taken of what they say.

use std::io::Write as _;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::io::AsyncWriteExt;
use workers::outbound::webhook::{Answer, HeaderMap, HeaderValue, Limits, Post};

use crate::dns::Dns;
use crate::endpoint::{Endpoint, request};
use crate::{LOOPBACK, SHORT, client, local_client, post};

/// What an endpoint with this answer comes to.
async fn answer(text: impl Into<Vec<u8>>) -> Answer {
    let endpoint = Endpoint::answering(text).await;
    post(&local_client(Limits::default()).await, &endpoint.url()).await.result.unwrap()
}

#[tokio::test]
async fn an_endpoint_gets_what_was_posted_and_nothing_else() {
    let (sender, mut requests) = tokio::sync::mpsc::unbounded_channel();
    let endpoint = Endpoint::start(move |mut stream| {
        let sender = sender.clone();
        async move {
            let text = request(&mut stream).await.unwrap();
            sender.send(text).unwrap();
            let answer = b"HTTP/1.1 204 No Content\r\nset-cookie: a=b\r\nconnection: close\r\n\r\n";
            stream.write_all(answer).await.unwrap();
        }
    })
    .await;
    let client = local_client(Limits::default()).await;
    let headers = HeaderMap::from_iter(
        [("webhook-id", "evt_1"), ("content-type", "application/json")]
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))),
    );
    for _ in 0..2 {
        let body = Bytes::from_static(br#"{"type":"test.ping"}"#);
        let outcome = client.post(Post { url: &endpoint.url(), headers: headers.clone(), body }).await;
        assert_eq!(outcome.result, Ok(Answer { status: 204, excerpt: String::new(), retry_after: None }));
        let text = requests.recv().await.unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let (first, rest) = head.split_once("\r\n").unwrap();
        let mut headers: Vec<&str> = rest.lines().collect();
        headers.sort_unstable();
        assert_eq!(first, "POST /secret-path?secret=query HTTP/1.1");
        let wanted = [
            "accept: */*",
            "content-length: 20",
            "content-type: application/json",
            &format!("host: {}", endpoint.address),
            concat!("user-agent: Plumbline-Webhooks/", env!("CARGO_PKG_VERSION")),
            "webhook-id: evt_1",
        ];
        assert_eq!(headers, wanted, "no cookie, no wish for compression");
        assert_eq!(body, r#"{"type":"test.ping"}"#);
    }
}

#[tokio::test]
async fn any_status_is_an_answer() {
    for status in [200, 201, 204, 299, 304, 400, 404, 410, 429, 500, 503, 599, 999] {
        let found = answer(format!("HTTP/1.1 {status} So\r\ncontent-length: 0\r\n\r\n")).await;
        assert_eq!(found.status, status);
    }
    assert_eq!(answer("HTTP/1.1 101 Up\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n").await.status, 101);
    let early = answer("HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    assert_eq!(early.status, 200, "what comes before an answer is none");
}

#[tokio::test]
async fn an_endless_body_is_read_up_to_a_bound() {
    for status in [200, 500] {
        let endpoint = Endpoint::start(move |mut stream| async move {
            request(&mut stream).await.unwrap();
            let mut sent = stream.write_all(format!("HTTP/1.1 {status} So\r\n\r\n").as_bytes()).await;
            // Until the client has hung up.
            while sent.is_ok() {
                sent = stream.write_all(&[b'x'; 10_000]).await;
            }
        })
        .await;
        let outcome = post(&local_client(Limits::default()).await, &endpoint.url()).await;
        let wanted = Answer { status, excerpt: "x".repeat(4096), retry_after: None };
        assert_eq!(outcome.result, Ok(wanted));
        assert!(outcome.duration < Limits::default().total, "{:?}", outcome.duration);
    }
}

#[tokio::test]
async fn a_dripping_body_is_read_until_the_time_is_over() {
    let endpoint = Endpoint::start(|mut stream| async move {
        request(&mut stream).await.unwrap();
        let mut sent = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n").await;
        let mut drops = tokio::time::interval(Duration::from_millis(50));
        while sent.is_ok() {
            drops.tick().await;
            sent = stream.write_all(b"x").await;
        }
    })
    .await;
    let outcome = post(&local_client(SHORT).await, &endpoint.url()).await;
    let found = outcome.result.unwrap();
    assert_eq!(found.status, 200, "it has arrived");
    assert!((1..100).contains(&found.excerpt.len()), "{}", found.excerpt);
    assert!((SHORT.total..SHORT.total * 2).contains(&outcome.duration), "{:?}", outcome.duration);
}

#[tokio::test]
async fn a_broken_body_breaks_nothing() {
    for (head, body) in [
        ("content-length: 100", "five!"),
        ("transfer-encoding: chunked", "5\r\nfive!\r\nnonsense\r\n"),
        ("transfer-encoding: chunked", "5\r\nfive!\r\nffffffffffffffffff\r\n"),
    ] {
        let endpoint = Endpoint::start(move |mut stream| async move {
            request(&mut stream).await.unwrap();
            stream.write_all(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{body}").as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
        })
        .await;
        let found = post(&local_client(Limits::default()).await, &endpoint.url()).await.result.unwrap();
        assert_eq!((found.status, found.excerpt.as_str()), (200, "five!"), "{body:?}");
    }
}

#[tokio::test]
async fn nothing_is_decompressed() {
    let mut bomb = GzEncoder::new(Vec::new(), Compression::best());
    bomb.write_all(&vec![b'x'; 10_000_000]).unwrap();
    let bomb = bomb.finish().unwrap();
    for encoding in ["gzip", "deflate", "br", "zstd"] {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-encoding: {encoding}\r\ncontent-length: {}\r\n\r\n", bomb.len());
        let found = answer([head.as_bytes(), &bomb].concat()).await;
        assert_eq!(found.status, 200);
        assert!(found.excerpt.starts_with('\u{1f}'), "{encoding}: what was sent");
        assert!(found.excerpt.len() <= 4096 && !found.excerpt.contains("xxxxxxxx"));
    }
}

#[tokio::test]
async fn an_excerpt_is_text_that_can_be_kept() {
    let found = answer(b"HTTP/1.1 400 No\r\ncontent-length: 8\r\n\r\na\0b\xff\xc3\xa9\r\n".to_vec()).await;
    assert_eq!(found.excerpt, "a\u{fffd}b\u{fffd}é\r\n");
}

#[tokio::test]
async fn retry_after_is_heard_where_it_means_something() {
    let asked = async |status: u16, value: &str| {
        answer(format!("HTTP/1.1 {status} So\r\nretry-after: {value}\r\ncontent-length: 0\r\n\r\n")).await.retry_after
    };
    assert_eq!(asked(429, "120").await, Some(Duration::from_mins(2)));
    let date = httpdate::fmt_http_date(std::time::SystemTime::now() + Duration::from_mins(10));
    let wait = asked(503, &date).await.unwrap();
    assert!((Duration::from_mins(9)..=Duration::from_mins(10)).contains(&wait), "{wait:?}");
    assert_eq!(asked(503, "99999999999999999999").await, Some(Duration::from_hours(24)));
    for (status, value) in [(429, "-1"), (429, "soon"), (200, "120"), (500, "120"), (302, "120")] {
        assert_eq!(asked(status, value).await, None, "{status} {value}");
    }
}

#[tokio::test]
async fn a_connection_serves_several_posts_and_one_lookup_is_enough() {
    let endpoint = Endpoint::answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    let client = local_client(Limits::default()).await;
    for _ in 0..5 {
        assert_eq!(post(&client, &endpoint.url()).await.result.unwrap().excerpt, "ok");
    }
    assert_eq!(endpoint.connections(), 1);
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_is_replaced() {
    let endpoint = Endpoint::start(|mut stream| async move {
        request(&mut stream).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
        stream.shutdown().await.unwrap();
    })
    .await;
    let dns = Dns::start().await;
    let client = client(&dns, LOOPBACK, Limits::default());
    for _ in 0..5 {
        assert_eq!(post(&client, &endpoint.url()).await.result.unwrap().status, 200);
    }
    assert_eq!(endpoint.connections(), 5);
}
