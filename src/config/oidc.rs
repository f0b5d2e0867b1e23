//! Who vouches for people.

use super::given;
use api::auth::{Domains, Settings, Unsaid};
use clap::builder::FalseyValueParser;

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

    /// Email domains whose people may sign in, separated by commas; without it, whoever the issuer vouches for.
    #[arg(long, env = "PLUMBLINE_OIDC_EMAIL_DOMAINS", value_name = "A,B", hide_env_values = true)]
    oidc_email_domains: Option<Domains>,

    /// Take tokens that do not say whether their email is verified; only for an issuer that verifies every email.
    #[arg(
        long,
        env = "PLUMBLINE_OIDC_ASSUME_VERIFIED",
        value_parser = FalseyValueParser::new(),
        hide_env_values = true
    )]
    oidc_assume_verified: bool,
}

impl Oidc {
    /// The issuer, if one is configured.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        given(self.oidc_issuer.as_ref())
    }

    /// What the API must know of the issuer, if one is configured.
    #[must_use]
    pub fn settings(&self) -> Option<Settings> {
        let unsaid = if self.oidc_assume_verified { Unsaid::Taken } else { Unsaid::Refused };
        self.issuer().map(|url| Settings {
            url: url.to_owned(),
            audience: self.oidc_audience.clone(),
            domains: self.oidc_email_domains.clone().unwrap_or_default(),
            unsaid,
        })
    }
}
