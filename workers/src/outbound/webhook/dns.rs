//! The check between a name and a connection.

use jobs::addresses::Allowed;
use jobs::lookup::{LookupError, Resolver};
use jobs::webhooks::address::{self, Unreachable};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// A resolver that hands out addresses only if all of them may be called.
#[derive(Debug, Clone)]
pub(super) struct Checked {
    pub(super) resolver: Resolver,
    pub(super) allowed: Arc<Allowed>,
    /// Shorter than the connection's time, so that name servers that hang are told from an endpoint that hangs.
    pub(super) limit: Duration,
}

impl Checked {
    async fn addresses(&self, host: &str) -> Result<Addrs, Unreachable> {
        let lookup = address::reachable(host, &self.resolver, &self.allowed);
        let found = tokio::time::timeout(self.limit, lookup).await;
        let addresses = found.map_err(|_| LookupError::Timeout(host.to_owned()))??;
        // Port 0 stands for the URL's.
        Ok(Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0))))
    }
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let this = self.clone();
        Box::pin(async move { Ok(this.addresses(name.as_str()).await?) })
    }
}
