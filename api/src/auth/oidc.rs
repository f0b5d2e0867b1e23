//! An OpenID Connect issuer: discovery, its keys, and tokens verified with them.
//!
//! Keys are kept and fetched again once an hour, or when a token names a key that is not known, which is how issuers rotate.
//! Anybody can make up key ids, so fetches are few: one at a time, a small burst, then one every ten seconds.
//!
//! Nobody with a known key waits for the hourly fetch: it goes on behind the requests, which are served with the keys that are
//! known, however long the issuer takes or cannot be reached. Only an unknown key is waited for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use reqwest::redirect;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::{Mutex, RwLock};

use super::Identity;
use super::claims::{self, Expected, Unsaid};
use super::domains::Domains;
use crate::problem::Problem;

/// Keys older than this are fetched again.
const FRESH_FOR: Duration = Duration::from_hours(1);
/// A fetch beside the first is allowed once in so long …
const REFETCH_EVERY: Duration = Duration::from_secs(10);
/// … and this often at once.
const REFETCH_BURST: u32 = 3;
/// The issuer must answer within this time.
const TIMEOUT: Duration = Duration::from_secs(5);
/// A discovery document or key set is never larger.
const MAX_BYTES: usize = 512 * 1024;

/// Signatures that are taken: asymmetric only, so that nobody's public key can be used as a shared secret.
const ALGORITHMS: [Algorithm; 3] = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];

/// What an operator says of the issuer.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its URL, `iss` exactly.
    pub url: String,
    /// Whom its tokens must be for, `aud`.
    pub audience: String,
    /// Whose people may sign in.
    pub domains: Domains,
    /// Whether its tokens may leave out `email_verified`.
    pub unsaid: Unsaid,
}

/// A configured issuer.
#[derive(Debug)]
pub struct Issuer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: Settings,
    http: reqwest::Client,
    keys: RwLock<Option<Keys>>,
    fetching: Arc<Mutex<Refetches>>,
}

#[derive(Debug)]
struct Keys {
    set: JwkSet,
    fresh_until: Instant,
}

/// A key that is known.
enum Known {
    Fresh(Jwk),
    Stale(Jwk),
}

/// When fetches beside the first were made: as in [`crate::limits`], one time says how full the bucket is.
#[derive(Debug)]
struct Refetches {
    full_at: Instant,
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

impl Issuer {
    /// An issuer that is asked for its keys when the first token comes.
    ///
    /// # Errors
    /// When no HTTP client can be built, for example without any root certificates.
    pub fn new(settings: Settings) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder().timeout(TIMEOUT).redirect(redirect::Policy::none()).build()?;
        let fetching = Arc::new(Mutex::new(Refetches { full_at: Instant::now() }));
        Ok(Self(Arc::new(Inner { settings, http, keys: RwLock::new(None), fetching })))
    }

    pub(super) async fn verify(&self, token: &str) -> Result<Identity, Problem> {
        let header = claims::header(token, &ALGORITHMS)?;
        let jwk = self.key(header.kid.as_deref()).await?;
        let key = usable(&jwk, header.alg)?;
        let Settings { url, audience, domains, unsaid } = &self.0.settings;
        let expected = Expected { issuer: url, audience, unsaid: *unsaid };
        let identity = claims::verify(token, header.alg, &key, expected)?;
        if !domains.admit(&identity.email) {
            return Err(Problem::forbidden(
                "email_domain_not_allowed",
                "people with an email of this domain may not sign in here: ask the operator to allow it",
            ));
        }
        Ok(identity)
    }

    async fn key(&self, kid: Option<&str>) -> Result<Jwk, Problem> {
        match self.0.known(kid).await {
            Some(Known::Fresh(jwk)) => return Ok(jwk),
            Some(Known::Stale(jwk)) => {
                self.refresh_behind();
                return Ok(jwk);
            }
            None => {}
        }
        // Single flight: whoever waited here finds what the one before fetched.
        let mut fetching = self.0.fetching.lock().await;
        if let Some(Known::Fresh(jwk)) = self.0.known(kid).await {
            return Ok(jwk);
        }
        self.0.refresh(&mut fetching).await?;
        match self.0.known(kid).await {
            Some(Known::Fresh(jwk) | Known::Stale(jwk)) => Ok(jwk),
            None => Err(Problem::unauthenticated(
                "token_key_unknown",
                "the token is signed with a key that its issuer does not list",
            )),
        }
    }

    /// Fetches the keys anew while requests go on, unless somebody does so already.
    fn refresh_behind(&self) {
        if let Ok(mut fetching) = Arc::clone(&self.0.fetching).try_lock_owned() {
            let inner = Arc::clone(&self.0);
            tokio::spawn(async move {
                // What goes wrong has been logged, and keys are known.
                let _ = inner.refresh(&mut fetching).await;
            });
        }
    }
}

impl Inner {
    /// Fetches the keys if that is allowed at this time.
    ///
    /// # Errors
    /// 502 where it fails and there are no keys from before.
    async fn refresh(&self, fetching: &mut Refetches) -> Result<(), Problem> {
        let first = self.keys.read().await.is_none();
        if !first && !fetching.allow(Instant::now()) {
            return Ok(());
        }
        match self.fetch().await {
            Ok(set) => *self.keys.write().await = Some(Keys { set, fresh_until: Instant::now() + FRESH_FOR }),
            Err(error) => {
                tracing::warn!(issuer = self.settings.url, error = %error, "issuer's keys could not be fetched");
                if first {
                    return Err(Problem::BadGateway {
                        class: "issuer_unavailable",
                        message: "the identity provider cannot be reached at the moment: try again".to_owned(),
                    });
                }
            }
        }
        Ok(())
    }

    async fn known(&self, kid: Option<&str>) -> Option<Known> {
        let keys = self.keys.read().await;
        let keys = keys.as_ref()?;
        let jwk = match (kid, keys.set.keys.as_slice()) {
            (Some(kid), _) => keys.set.find(kid).cloned(),
            (None, [only]) => Some(only.clone()),
            (None, _) => None,
        }?;
        Some(if Instant::now() <= keys.fresh_until { Known::Fresh(jwk) } else { Known::Stale(jwk) })
    }

    async fn fetch(&self) -> Result<JwkSet, FetchError> {
        let url = format!("{}/.well-known/openid-configuration", self.settings.url.trim_end_matches('/'));
        let discovery: Discovery = self.get(&url).await?;
        if discovery.issuer != self.settings.url {
            return Err(FetchError::OtherIssuer(discovery.issuer));
        }
        self.get(&discovery.jwks_uri).await
    }

    async fn get<T: DeserializeOwned>(&self, url: &str) -> Result<T, FetchError> {
        let mut response = self.http.get(url).send().await?.error_for_status()?;
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > MAX_BYTES {
                return Err(FetchError::TooLarge);
            }
        }
        Ok(serde_json::from_slice(&bytes)?)
    }
}

impl Refetches {
    fn allow(&mut self, now: Instant) -> bool {
        let next = self.full_at.max(now) + REFETCH_EVERY;
        if next > now + REFETCH_EVERY * REFETCH_BURST {
            return false;
        }
        self.full_at = next;
        true
    }
}

/// The key for this algorithm, if it is one for it: its type, its declared algorithm and its use must all agree.
fn usable(jwk: &Jwk, algorithm: Algorithm) -> Result<DecodingKey, Problem> {
    let agrees = matches!(
        (&jwk.algorithm, algorithm, jwk.common.key_algorithm),
        (AlgorithmParameters::RSA(_), Algorithm::RS256, None | Some(KeyAlgorithm::RS256))
            | (AlgorithmParameters::EllipticCurve(_), Algorithm::ES256, None | Some(KeyAlgorithm::ES256))
            | (AlgorithmParameters::OctetKeyPair(_), Algorithm::EdDSA, None | Some(KeyAlgorithm::EdDSA))
    );
    let signs = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
    if !agrees || !signs {
        return Err(claims::algorithm_refused());
    }
    DecodingKey::from_jwk(jwk).map_err(|_| claims::algorithm_refused())
}

#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error(transparent)]
    Http(#[from] reqwest::Error),
    #[error("the answer is larger than {MAX_BYTES} bytes")]
    TooLarge,
    #[error("the answer does not parse: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the discovery document is of another issuer, {0}")]
    OtherIssuer(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_up_key_ids_cause_few_fetches() {
        let start = Instant::now();
        let mut refetches = Refetches { full_at: start };
        let allowed = (0..1_000).filter(|_| refetches.allow(start)).count();
        assert_eq!(allowed, 3);
        assert!(!refetches.allow(start + Duration::from_secs(9)));
        assert!(refetches.allow(start + Duration::from_secs(10)));
    }

    #[tokio::test]
    async fn nobody_with_a_known_key_waits_for_an_issuer_that_hangs() {
        // It takes connections and never answers.
        let hanging = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let settings = Settings {
            url: format!("http://{}", hanging.local_addr().unwrap()),
            audience: "plumbline".to_owned(),
            domains: Domains::default(),
            unsaid: Unsaid::Refused,
        };
        let issuer = Issuer::new(settings).unwrap();
        let jwk = serde_json::json!({"kty": "OKP", "crv": "Ed25519", "x": "A", "kid": "k1"});
        let set = serde_json::from_value(serde_json::json!({ "keys": [jwk] })).unwrap();
        *issuer.0.keys.write().await = Some(Keys { set, fresh_until: Instant::now() });
        let start = Instant::now();
        for _ in 0..20 {
            issuer.key(Some("k1")).await.unwrap();
        }
        assert!(start.elapsed() < TIMEOUT, "{:?}", start.elapsed());
        // One fetch is under way behind them.
        hanging.accept().await.unwrap();
        assert!(issuer.0.fetching.try_lock().is_err());
    }
}
