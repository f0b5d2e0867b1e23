//! Who vouches for people.

use super::given;

/// The OpenID Connect issuer; without one, the built-in issuer for development signs tokens (`plumbline token`).
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Sign-in")]
pub struct Oidc {
    /// OpenID Connect issuer whose tokens are accepted; without it, the built-in one for development.
    #[arg(long, env = "PLUMBLINE_OIDC_ISSUER", value_name = "URL", hide_env_values = true)]
    oidc_issuer: Option<String>,

    /// Audience that tokens must name.
    #[arg(
        long,
        env = "PLUMBLINE_OIDC_AUDIENCE",
        value_name = "NAME",
        default_value = "plumbline",
        hide_env_values = true
    )]
    pub oidc_audience: String,
}

impl Oidc {
    /// The issuer, if one is configured.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        given(self.oidc_issuer.as_ref())
    }
}
