//! What may be called on behalf of tenants, and who is asked for its addresses.

use jobs::addresses::Allowed;
use jobs::lookup::{InvalidSettings, Resolver, Servers};

/// Limits of calls to addresses that tenants chose. The API, which saves them, and the workers, which call them, need the same.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Outbound calls")]
pub struct Outbound {
    /// Networks that webhooks may be sent to besides public addresses, CIDRs separated by commas. With loopback among them,
    /// such as `127.0.0.0/8,::1`, plain http to this machine is possible too.
    #[arg(long, env = "PLUMBLINE_ALLOW_NETWORKS", value_name = "NETWORKS", hide_env_values = true)]
    allow_networks: Option<Allowed>,

    /// Name servers that are asked for the addresses of webhooks, `IP:port` separated by commas; without it, the system's.
    #[arg(long, env = "PLUMBLINE_DNS_SERVERS", value_name = "SERVERS", hide_env_values = true)]
    dns_servers: Option<Servers>,
}

impl Outbound {
    /// The networks that may be called besides public addresses.
    #[must_use]
    pub fn allowed(&self) -> Allowed {
        self.allow_networks.clone().unwrap_or_default()
    }

    /// Who looks names up.
    ///
    /// # Errors
    /// Settings of the system that cannot be read.
    pub fn resolver(&self) -> Result<Resolver, InvalidSettings> {
        Resolver::new(self.dns_servers.as_ref().map_or(&[], Servers::addresses))
    }
}
