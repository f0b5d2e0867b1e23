//! Endpoints that do not answer, or not in HTTP.

use bytes::Bytes;
use std::future::pending;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use workers::outbound::webhook::{HeaderMap, Limits, Post};

use crate::endpoint::{Endpoint, request};
use crate::{SHORT, class, local_client, post};

#[tokio::test]
async fn an_endpoint_that_never_answers_is_given_up() {
    let silent = Endpoint::start(|mut stream| async move {
        stream.read_to_end(&mut Vec::new()).await.unwrap();
    });
    let dripping_head = Endpoint::start(|mut stream| async move {
        request(&mut stream).await.unwrap();
        let mut sent = stream.write_all(b"HTTP/1.1 200 OK\r\nx-drops: ").await;
        let mut drops = tokio::time::interval(Duration::from_millis(50));
        while sent.is_ok() {
            drops.tick().await;
            sent = stream.write_all(b"x").await;
        }
    });
    let never_final = Endpoint::start(|mut stream| async move {
        request(&mut stream).await.unwrap();
        let mut interim = tokio::time::interval(Duration::from_millis(5));
        while stream.write_all(b"HTTP/1.1 103 Early Hints\r\n\r\n").await.is_ok() {
            interim.tick().await;
        }
    });
    let client = local_client(SHORT).await;
    let endpoints = [silent.await, dripping_head.await, never_final.await];
    let urls = endpoints.each_ref().map(Endpoint::url);
    for outcome in futures::future::join_all(urls.iter().map(|url| post(&client, url))).await {
        assert_eq!(class(&outcome), "timeout");
        assert!((SHORT.total..SHORT.total * 2).contains(&outcome.duration), "{:?}", outcome.duration);
    }
}

#[tokio::test]
async fn an_endpoint_that_never_reads_is_given_up() {
    let endpoint = Endpoint::start(|stream| async move {
        pending::<()>().await;
        drop(stream);
    })
    .await;
    let body = Bytes::from(vec![b'x'; 50_000_000]);
    let post = Post { url: &endpoint.url(), headers: HeaderMap::new(), body };
    let outcome = local_client(SHORT).await.post(post).await;
    assert_eq!(class(&outcome), "timeout");
}

/// The system completes connections for a listener until its queue is full; then it drops what comes.
#[tokio::test]
async fn an_endpoint_that_does_not_take_connections_is_given_up_sooner() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(stream) = tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(address)).await {
        waiting.push(stream.unwrap());
    }
    let limits = Limits { connect: Duration::from_millis(200), total: Duration::from_secs(10) };
    let outcome = post(&local_client(limits).await, &format!("http://{address}/secret")).await;
    assert_eq!(class(&outcome), "timeout");
    assert!(outcome.duration < limits.total, "the connection's own limit: {:?}", outcome.duration);
    drop((listener, waiting));
}

#[tokio::test]
async fn where_nobody_listens_there_is_no_connection() {
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let client = local_client(Limits::default()).await;
    for scheme in ["http", "https"] {
        assert_eq!(class(&post(&client, &format!("{scheme}://{address}/secret")).await), "connect");
    }
}

#[tokio::test]
async fn what_is_not_http_is_no_answer() {
    let client = local_client(Limits::default()).await;
    for answer in [
        "SSH-2.0-OpenSSH_9.9\r\n\r\n",
        "+PONG\r\n\r\n",
        "HTTP/1.1 OK\r\n\r\n",
        "HTTP/1.1 99 Too low\r\n\r\n",
        "HTTP/9.9 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        "\0\0\0\0\r\n\r\n",
        "<html>hello</html>\r\n\r\n",
    ] {
        let endpoint = Endpoint::answering(answer).await;
        assert_eq!(class(&post(&client, &endpoint.url()).await), "protocol", "{answer:?}");
    }
}

#[tokio::test]
async fn a_connection_that_is_closed_at_once_is_no_answer() {
    let client = local_client(Limits::default()).await;
    let closing = Endpoint::start(|stream| async move { drop(stream) }).await;
    assert_eq!(class(&post(&client, &closing.url()).await), "protocol");
    let after_reading = Endpoint::start(|mut stream| async move {
        request(&mut stream).await.unwrap();
    })
    .await;
    assert_eq!(class(&post(&client, &after_reading.url()).await), "protocol");
    let within_the_head = Endpoint::start(|mut stream| async move {
        request(&mut stream).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-le").await.unwrap();
    })
    .await;
    assert_eq!(class(&post(&client, &within_the_head.url()).await), "protocol");
}

/// Ten megabytes in one header, and in a million of them: refused long before they have all come.
#[tokio::test]
async fn a_head_of_megabytes_is_no_answer() {
    let client = local_client(Limits::default()).await;
    for line in ["x".repeat(10_000), "x: y\r\n".repeat(1000)] {
        let endpoint = Endpoint::start(move |mut stream| {
            let line = line.clone();
            async move {
                request(&mut stream).await.unwrap();
                let mut sent = stream.write_all(b"HTTP/1.1 200 OK\r\nx: ").await;
                for _ in 0..10_000_000 / line.len() {
                    if sent.is_err() {
                        return;
                    }
                    sent = stream.write_all(line.as_bytes()).await;
                }
                // Never reached: the client has hung up before.
                let _ = stream.write_all(b"\r\n\r\n").await;
            }
        })
        .await;
        let outcome = post(&client, &endpoint.url()).await;
        assert_eq!(class(&outcome), "protocol");
        assert!(outcome.duration < Limits::default().total, "{:?}", outcome.duration);
    }
}
