//! Where the API listens, and how the world calls it.

use super::given;
use jobs::addresses::Networks;
use std::net::SocketAddr;
use std::time::Duration;

/// The API's addresses.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "HTTP")]
pub struct Http {
    /// Address to serve on; port 0 picks a free one.
    #[arg(
        long,
        env = "PLUMBLINE_BIND",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:8080",
        hide_env_values = true
    )]
    pub listen: SocketAddr,

    /// How the world calls this API, for its document; by default the address it serves on.
    #[arg(long, env = "PLUMBLINE_PUBLIC_URL", value_name = "URL", hide_env_values = true)]
    public_url: Option<String>,

    /// Networks of proxies whose `X-Forwarded-For` is believed, CIDRs separated by commas; without it, nobody's.
    #[arg(long, env = "PLUMBLINE_TRUSTED_PROXIES", value_name = "NETWORKS", hide_env_values = true)]
    trusted_proxies: Option<Networks>,

    /// AWS principal that assumes customers' roles, for the trust policy that `cloud-onboarding-info` shows.
    #[arg(
        long,
        env = "PLUMBLINE_AWS_PRINCIPAL",
        value_name = "ARN",
        default_value = "arn:aws:iam::PLUMBLINE_ACCOUNT_ID:root",
        hide_env_values = true
    )]
    pub aws_principal: String,

    /// How long a request waits for work that is usually quick, such as trying credentials, before it is answered 202 with the
    /// place to poll. Seconds, 1 to 25; less than a proxy before the API allows.
    #[arg(long, env = "PLUMBLINE_AWAIT_SECONDS", value_name = "SECONDS", default_value_t = 25,
          value_parser = clap::value_parser!(u64).range(1..=25))]
    await_seconds: u64,
}

impl Http {
    /// How long a request waits for work that is usually quick.
    #[must_use]
    pub const fn patience(&self) -> Duration {
        Duration::from_secs(self.await_seconds)
    }

    /// The proxies that are trusted.
    #[must_use]
    pub fn trusted_proxies(&self) -> Networks {
        self.trusted_proxies.clone().unwrap_or_default()
    }

    /// The URL that the world uses, given the address that is served.
    #[must_use]
    pub fn public_url(&self, bound: SocketAddr) -> String {
        given(self.public_url.as_ref())
            .map_or_else(|| format!("http://{bound}"), |url| url.trim_end_matches('/').to_owned())
    }
}
