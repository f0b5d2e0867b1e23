//! Listening and stopping.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use salvo::Service;
use salvo::conn::tcp::TcpAcceptor;
use salvo::fuse::FuseConfig;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::middleware::{Parameters, Scope};
use crate::{openapi, routes};

/// Connections at a time; more wait to be accepted.
const CONNECTIONS: usize = 10_000;
/// A stop waits so long for requests that are being worked on; as long as a request may take.
const DRAIN: Duration = Duration::from_secs(30);
/// A request's head must have arrived within this time.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Between two pieces of a body at most this time may pass.
const BODY_GAP: Duration = Duration::from_secs(15);
/// A client must read its answer; a write may hang so long.
const WRITE_STALL: Duration = Duration::from_secs(30);
/// An idle connection is kept so long; longer than a request may take, for its wire is idle meanwhile.
const IDLE: Duration = Duration::from_secs(90);

/// A server that has its address and does not serve yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

impl Server {
    /// Takes an address; port 0 takes a free one.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// The address it has.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` is cancelled, then finishes what was begun, for up to 30 s.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn run(self, app: App, stop: CancellationToken) -> io::Result<()> {
        let acceptor = TcpAcceptor::try_from(self.listener)?;
        let fuse = FuseConfig::default()
            .with_http1_header_timeout(HEAD_TIMEOUT)
            .with_request_body_timeout(BODY_GAP)
            .with_write_stall_timeout(WRITE_STALL)
            .with_connection_idle_timeout(IDLE);
        let server = salvo::Server::new(acceptor).fuse_config(fuse).max_connections(CONNECTIONS);
        let handle = server.handle();
        let serving = server.try_serve(service(app));
        tokio::pin!(serving);
        tokio::select! {
            result = &mut serving => return result,
            () = stop.cancelled() => handle.stop_graceful(DRAIN),
        }
        serving.await
    }
}

/// The routes with everything around them.
#[must_use]
pub fn service(app: App) -> Service {
    let parameters = Parameters::of(&openapi::document());
    Service::new(routes::served()).hoop(Scope::new(app, parameters))
}
