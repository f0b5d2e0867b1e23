//! A listener that nobody should come to, and that knows whether somebody did.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Counts connections to a port of every address of this machine, of both families, and answers each with 200.
pub struct Counter {
    pub port: u16,
    accepted: Arc<AtomicUsize>,
    own: AtomicUsize,
    _task: JoinSet<()>,
}

impl Counter {
    pub async fn start() -> Self {
        // On Linux a listener on the unspecified address of IPv6 takes connections of IPv4 too; those of `others` are.
        let listener = TcpListener::bind("[::]:0").await.unwrap();
        let (port, accepted) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
        let mut task = JoinSet::new();
        task.spawn(accept(listener, Arc::clone(&accepted)));
        let counter = Self { port, accepted, own: AtomicUsize::new(0), _task: task };
        assert_eq!(counter.others().await, 0);
        counter
    }

    /// How many have come but ourselves.
    ///
    /// Connections are accepted in the order in which they were made. So once one of our own has been answered, everyone who
    /// came before it has been counted.
    pub async fn others(&self) -> usize {
        let mut stream = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))).await.unwrap();
        let own = self.own.fetch_add(1, Ordering::SeqCst) + 1;
        stream.write_all(b"\n").await.unwrap();
        stream.read_to_end(&mut Vec::new()).await.unwrap();
        self.accepted.load(Ordering::SeqCst) - own
    }
}

async fn accept(listener: TcpListener, accepted: Arc<AtomicUsize>) {
    let mut answering = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        accepted.fetch_add(1, Ordering::SeqCst);
        answering.spawn(answer(stream));
    }
}

async fn answer(mut stream: TcpStream) {
    // Whoever comes may hang up at any time. Who is answered before having spoken takes it for a mistake.
    let _ = stream.read_u8().await;
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
    let _ = stream.shutdown().await;
    let _ = stream.read_to_end(&mut Vec::new()).await;
}
