//! The roles that a process can play, put together from the settings: any of them alone, or all in one (`plumbline up`).

use crate::config::{Database, Http, Listen, Maintenance, MissingKey, Oidc, Outbound, Secrets, Storage, Work};
use crate::shutdown::Shutdown;
use crate::telemetry;
use anyhow::{Context as _, Result};
use api::auth::{Issuer, Tokens};
use api::{App, Parts, Server};
use jobs::addresses::Allowed;
use jobs::artifacts;
use jobs::crypto::Keyring;
use jobs::lookup::Resolver;
use jobs::queue::Signals;
use scheduler::maintenance;
use sqlx::PgPool;
use workers::outbound::webhook::{Limits, WebhookClient};
use workers::runtime::{self, Runtime};
use workers::services::Services;

/// What both the API and the workers stand on.
#[derive(Debug, Clone)]
pub struct Ground {
    pool: PgPool,
    keyring: Keyring,
    signals: Signals,
    artifacts: artifacts::Store,
    allowed: Allowed,
    resolver: Resolver,
}

/// The settings that [`Ground::lay`] reads.
#[derive(Debug, Clone, clap::Args)]
pub struct Settings {
    /// The database and the data folder.
    #[command(flatten)]
    pub database: Database,
    /// Listening for work.
    #[command(flatten)]
    pub listen: Listen,
    /// The master key.
    #[command(flatten)]
    pub secrets: Secrets,
    /// The artifact store.
    #[command(flatten)]
    pub storage: Storage,
    /// What may be called on behalf of tenants.
    #[command(flatten)]
    pub outbound: Outbound,
}

impl Ground {
    /// Opens what the settings name, over an open database.
    ///
    /// # Errors
    /// No master key, or an artifact store that cannot be used.
    pub async fn lay(
        settings: &Settings,
        store: &crate::boot::Store,
        missing: MissingKey,
        shutdown: &Shutdown,
    ) -> Result<Self> {
        let data_dir = &settings.database.data_dir;
        let keyring = settings.secrets.keyring(data_dir, missing)?;
        // Until the very end: what is still being worked on may wait for a signal.
        let signals = match settings.listen.url(&settings.database, &store.url) {
            Some(url) => Signals::listen(url, shutdown.hard()),
            None => Signals::none(),
        };
        let artifacts = settings.storage.open(data_dir).await?;
        let allowed = settings.outbound.allowed();
        let resolver = settings.outbound.resolver()?;
        Ok(Self { pool: store.pool.clone(), keyring, signals, artifacts, allowed, resolver })
    }
}

/// Who vouches for people, and where the API is.
#[derive(Debug, Clone, clap::Args)]
pub struct ApiSettings {
    /// The API's addresses.
    #[command(flatten)]
    pub http: Http,
    /// The issuer.
    #[command(flatten)]
    pub oidc: Oidc,
}

/// Takes the API's address and serves on it, as a part of the process; the URL to reach it at.
///
/// # Errors
/// An address that is taken, an issuer that cannot be used.
pub async fn serve_api(settings: &ApiSettings, ground: &Ground, shutdown: &Shutdown) -> Result<String> {
    let listen = settings.http.listen;
    let server = Server::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
    let url = format!("http://{}", server.address());
    let tokens = match settings.oidc.settings() {
        Some(issuer) => Tokens::Oidc(Issuer::new(issuer)?),
        None => Tokens::builtin(&ground.keyring),
    };
    let app = App::new(Parts {
        pool: ground.pool.clone(),
        keyring: ground.keyring.clone(),
        tokens,
        signals: ground.signals.clone(),
        artifacts: ground.artifacts.clone(),
        public_url: settings.http.public_url(server.address()),
        patience: settings.http.patience(),
        trusted_proxies: settings.http.trusted_proxies(),
        outbound: api::Outbound { allowed: ground.allowed.clone(), resolver: ground.resolver.clone() },
        aws_principal: settings.http.aws_principal.clone(),
        metrics: Some(telemetry::metrics()?),
    });
    let soft = shutdown.soft();
    shutdown.spawn("api", async move { Ok(server.run(app, soft).await?) });
    Ok(url)
}

/// Runs jobs, as a part of the process.
///
/// # Errors
/// A machine without the certificates of any authority.
pub fn work(settings: &Work, ground: &Ground, shutdown: &Shutdown) -> Result<()> {
    let webhooks = WebhookClient::new(ground.allowed.clone(), ground.resolver.clone(), Limits::default())?;
    let services = Services::new(ground.keyring.clone(), ground.artifacts.clone(), webhooks)?;
    let runtime = Runtime::builder(ground.pool.clone(), ground.signals.clone(), settings.config());
    let mut runtime = workers::handlers::register(runtime, &services);
    if let Some(queues) = settings.queues() {
        runtime = runtime.only_queues(queues);
    }
    let stages = runtime::Shutdown { soft: shutdown.soft(), hard: shutdown.hard() };
    shutdown.spawn("worker", async move {
        let stopped = runtime.run(stages).await?;
        anyhow::ensure!(stopped.clean, "some jobs were left behind; other workers rescue them within a minute");
        Ok(())
    });
    Ok(())
}

/// What [`schedule`] works with.
#[derive(Debug)]
pub struct Schedule {
    /// Connections.
    pub pool: PgPool,
    /// Where uploads are that nobody forgot.
    pub artifacts: artifacts::Store,
    /// Retention.
    pub maintenance: Maintenance,
}

impl Schedule {
    /// On what other roles stand on, too.
    #[must_use]
    pub fn on(ground: &Ground, maintenance: Maintenance) -> Self {
        Self { pool: ground.pool.clone(), artifacts: ground.artifacts.clone(), maintenance }
    }
}

/// Does what is due, as a part of the process.
///
/// # Errors
/// A setting that cannot be.
pub fn schedule(parts: Schedule, shutdown: &Shutdown) -> Result<()> {
    let services = maintenance::Services::new(parts.pool.clone(), parts.artifacts, parts.maintenance.settings())?;
    let soft = shutdown.soft();
    shutdown.spawn("scheduler", async move {
        scheduler::run(parts.pool, services, soft).await;
        Ok(())
    });
    Ok(())
}
