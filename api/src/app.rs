//! What every request shares: pool, keys, who vouches for people, limits.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use jobs::addresses::{Allowed, Networks};
use jobs::artifacts;
use jobs::crypto::Keyring;
use jobs::lookup::Resolver;
use jobs::queue::Signals;
use sqlx::{PgPool, Postgres, Transaction};
use tokio::sync::Semaphore;

use crate::auth::Tokens;
use crate::gauges::Gauges;
use crate::limits::Addresses;
use crate::openapi;
use crate::problem::Problem;

/// Requests that are worked on at a time; one more is told 503 at once instead of waiting without a bound.
const CONCURRENT_REQUESTS: usize = 512;

/// Renders the process's metrics in Prometheus' text format.
pub type RenderMetrics = Arc<dyn Fn() -> String + Send + Sync>;

/// How addresses are judged that tenants want called. The workers, which call them, need the same.
#[derive(Clone, Debug)]
pub struct Outbound {
    /// The networks that may be called besides public addresses.
    pub allowed: Allowed,
    /// Who looks names up.
    pub resolver: Resolver,
}

/// What the API needs from whoever starts it.
pub struct Parts {
    /// The database.
    pub pool: PgPool,
    /// The installation's keys.
    pub keyring: Keyring,
    /// Who vouches for people: an OIDC issuer, or the built-in one.
    pub tokens: Tokens,
    /// Wakes requests that wait for a job.
    pub signals: Signals,
    /// Where uploaded states go.
    pub artifacts: artifacts::Store,
    /// How the world calls this API, such as `https://plumbline.example.com`.
    pub public_url: String,
    /// How long a request waits for a job that is usually quick.
    pub patience: Duration,
    /// ARN of the AWS principal that assumes customers' roles, for the trust policy they are told to make.
    pub aws_principal: String,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Networks,
    /// How addresses are judged that tenants want called.
    pub outbound: Outbound,
    /// What `/metrics` answers; `None` answers 404.
    pub metrics: Option<RenderMetrics>,
}

/// The application. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    pool: PgPool,
    keyring: Keyring,
    tokens: Tokens,
    signals: Signals,
    artifacts: artifacts::Store,
    public_url: String,
    document: OnceLock<Bytes>,
    patience: Duration,
    aws_principal: String,
    trusted_proxies: Networks,
    outbound: Outbound,
    metrics: Option<RenderMetrics>,
    gauges: Gauges,
    addresses: Addresses,
    slots: Semaphore,
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").finish_non_exhaustive()
    }
}

impl App {
    /// An application of these parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(Inner {
            pool: parts.pool,
            keyring: parts.keyring,
            tokens: parts.tokens,
            signals: parts.signals,
            artifacts: parts.artifacts,
            public_url: parts.public_url,
            document: OnceLock::new(),
            patience: parts.patience,
            aws_principal: parts.aws_principal,
            trusted_proxies: parts.trusted_proxies,
            outbound: parts.outbound,
            metrics: parts.metrics,
            gauges: Gauges::default(),
            addresses: Addresses::default(),
            slots: Semaphore::new(CONCURRENT_REQUESTS),
        }))
    }

    /// The database.
    #[must_use]
    pub fn pool(&self) -> &PgPool {
        &self.0.pool
    }

    /// Opens a transaction.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn begin(&self) -> Result<Transaction<'static, Postgres>, Problem> {
        Ok(self.0.pool.begin().await?)
    }

    /// The installation's keys.
    #[must_use]
    pub fn keyring(&self) -> &Keyring {
        &self.0.keyring
    }

    /// Who vouches for people.
    #[must_use]
    pub fn tokens(&self) -> &Tokens {
        &self.0.tokens
    }

    /// Wakes requests that wait for a job, see [`jobs::queue::wait`].
    #[must_use]
    pub fn signals(&self) -> &Signals {
        &self.0.signals
    }

    /// Where uploaded states go.
    #[must_use]
    pub fn artifacts(&self) -> &artifacts::Store {
        &self.0.artifacts
    }

    /// How long a request waits for a job that is usually quick; past that it is answered 202.
    #[must_use]
    pub fn patience(&self) -> Duration {
        self.0.patience
    }

    /// ARN of the AWS principal that assumes customers' roles.
    #[must_use]
    pub fn aws_principal(&self) -> &str {
        &self.0.aws_principal
    }

    /// How addresses are judged that tenants want called.
    #[must_use]
    pub fn outbound(&self) -> &Outbound {
        &self.0.outbound
    }

    /// The OpenAPI document, made when somebody asks first.
    pub(crate) fn document(&self) -> Result<Bytes, serde_json::Error> {
        if let Some(made) = self.0.document.get() {
            return Ok(made.clone());
        }
        let made = Bytes::from(openapi::served(&self.0.public_url)?);
        Ok(self.0.document.get_or_init(|| made).clone())
    }

    /// The process's metrics and the queue's gauges.
    pub(crate) async fn metrics(&self) -> Option<String> {
        let render = self.0.metrics.as_ref()?;
        let gauges = self.0.gauges.render(&self.0.pool).await;
        Some(render() + &gauges)
    }

    pub(crate) fn trusted_proxies(&self) -> &Networks {
        &self.0.trusted_proxies
    }

    pub(crate) fn addresses(&self) -> &Addresses {
        &self.0.addresses
    }

    pub(crate) fn slots(&self) -> &Semaphore {
        &self.0.slots
    }
}
