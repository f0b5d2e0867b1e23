//! An OpenID Connect issuer: discovery, its keys, and tokens verified with them.
//!
//! Keys are kept and fetched again once an hour, or when a token names a key that is not known, which is how issuers rotate.
//! Anybody can make up key ids, so such fetches are few: one at a time, a small burst, then one every ten seconds. While
//! the issuer cannot be reached the known keys stay good.

use std::time::{Duration, Instant};

use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use reqwest::redirect;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::{Mutex, RwLock};

use super::Identity;
use super::claims::{self, Expected};
use crate::problem::Problem;

/// Keys older than this are fetched again.
const FRESH_FOR: Duration = Duration::from_hours(1);
/// A fetch for an unknown key id is allowed once in so long …
const REFETCH_EVERY: Duration = Duration::from_secs(10);
/// … and this often at once.
const REFETCH_BURST: u32 = 3;
/// The issuer must answer within this time.
const TIMEOUT: Duration = Duration::from_secs(5);
/// A discovery document or key set is never larger.
const MAX_BYTES: usize = 512 * 1024;

/// Signatures that are taken: asymmetric only, so that nobody's public key can be used as a shared secret.
const ALGORITHMS: [Algorithm; 3] = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];

/// A configured issuer.
#[derive(Debug)]
pub struct Issuer {
    url: String,
    audience: String,
    http: reqwest::Client,
    keys: RwLock<Option<Keys>>,
    fetching: Mutex<Refetches>,
}

#[derive(Debug)]
struct Keys {
    set: JwkSet,
    fetched: Instant,
}

/// When fetches for unknown keys were made: as in [`crate::limits`], one time says how full the bucket is.
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
    /// The issuer at this URL (`iss` exactly), whose tokens must be for `audience`.
    ///
    /// # Errors
    /// When no HTTP client can be built, for example without any root certificates.
    pub fn new(url: &str, audience: &str) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder().timeout(TIMEOUT).redirect(redirect::Policy::none()).build()?;
        Ok(Self {
            url: url.to_owned(),
            audience: audience.to_owned(),
            http,
            keys: RwLock::new(None),
            fetching: Mutex::new(Refetches { full_at: Instant::now() }),
        })
    }

    pub(super) async fn verify(&self, token: &str) -> Result<Identity, Problem> {
        let header = claims::header(token, &ALGORITHMS)?;
        let jwk = self.key(header.kid.as_deref()).await?;
        let key = usable(&jwk, header.alg)?;
        let expected = Expected { issuer: &self.url, audience: &self.audience };
        claims::verify(token, header.alg, &key, expected)
    }

    async fn key(&self, kid: Option<&str>) -> Result<Jwk, Problem> {
        if let Some(jwk) = self.known(kid, FRESH_FOR).await {
            return Ok(jwk);
        }
        // Single flight: whoever waited here finds what the one before fetched.
        let mut fetching = self.fetching.lock().await;
        if let Some(jwk) = self.known(kid, FRESH_FOR).await {
            return Ok(jwk);
        }
        let first = self.keys.read().await.is_none();
        if first || fetching.allow(Instant::now()) {
            match self.fetch().await {
                Ok(set) => {
                    *self.keys.write().await = Some(Keys { set, fetched: Instant::now() });
                }
                Err(error) => {
                    tracing::warn!(issuer = self.url, error = %error, "issuer's keys could not be fetched");
                    if first {
                        return Err(Problem::BadGateway {
                            class: "issuer_unavailable",
                            message: "the identity provider cannot be reached at the moment: try again".to_owned(),
                        });
                    }
                }
            }
        }
        self.known(kid, Duration::MAX).await.ok_or(Problem::unauthenticated(
            "token_key_unknown",
            "the token is signed with a key that its issuer does not list",
        ))
    }

    /// A key that is known, unless what is known is older than `within`.
    async fn known(&self, kid: Option<&str>, within: Duration) -> Option<Jwk> {
        let keys = self.keys.read().await;
        let keys = keys.as_ref().filter(|keys| keys.fetched.elapsed() <= within)?;
        match (kid, keys.set.keys.as_slice()) {
            (Some(kid), _) => keys.set.find(kid).cloned(),
            (None, [only]) => Some(only.clone()),
            (None, _) => None,
        }
    }

    async fn fetch(&self) -> Result<JwkSet, FetchError> {
        let url = format!("{}/.well-known/openid-configuration", self.url.trim_end_matches('/'));
        let discovery: Discovery = self.get(&url).await?;
        if discovery.issuer != self.url {
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
}
