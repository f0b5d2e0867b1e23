//! An OpenID Connect issuer that a test controls: it lists the keys it is told to, and signs whatever it is asked to.

use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

/// Before the key itself, in the PKCS #8 form of an RSA key of 2048 bits.
const RSA_PKCS8_HEADER: usize = 26;

/// A key that the issuer may list.
pub struct SigningKey {
    /// Its id.
    pub kid: &'static str,
    algorithm: Algorithm,
    secret: EncodingKey,
}

impl SigningKey {
    /// A new key for this algorithm.
    pub fn new(kid: &'static str, algorithm: Algorithm) -> Self {
        let random = SystemRandom::new();
        let secret = match algorithm {
            Algorithm::ES256 => {
                let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
                EncodingKey::from_ec_der(key.as_ref())
            }
            Algorithm::EdDSA => EncodingKey::from_ed_der(Ed25519KeyPair::generate_pkcs8v1(&random).unwrap().as_ref()),
            Algorithm::RS256 => {
                let key = KeyPair::generate(KeySize::Rsa2048).unwrap().as_der().unwrap();
                EncodingKey::from_rsa_der(&key.as_ref()[RSA_PKCS8_HEADER..])
            }
            other => panic!("no keys for {other:?}"),
        };
        Self { kid, algorithm, secret }
    }

    /// The public half as the issuer lists it.
    pub fn jwk(&self) -> Value {
        let mut jwk = serde_json::to_value(Jwk::from_encoding_key(&self.secret, self.algorithm).unwrap()).unwrap();
        jwk["kid"] = json!(self.kid);
        jwk["use"] = json!("sig");
        jwk
    }

    /// A token with these claims.
    pub fn sign(&self, claims: &Value) -> String {
        let mut header = Header::new(self.algorithm);
        header.kid = Some(self.kid.to_owned());
        encode(&header, claims, &self.secret).unwrap()
    }
}

/// The issuer.
pub struct Issuer {
    server: MockServer,
    keys: Arc<Mutex<Vec<Value>>>,
}

impl Issuer {
    /// One that lists these keys.
    pub async fn new(keys: &[&SigningKey]) -> Self {
        let server = MockServer::start().await;
        let discovery = json!({"issuer": server.uri(), "jwks_uri": format!("{}/keys", server.uri())});
        Mock::given(method("GET"))
            .and(path("/.well-known/openid-configuration"))
            .respond_with(ResponseTemplate::new(200).set_body_json(discovery))
            .mount(&server)
            .await;
        let listed: Arc<Mutex<Vec<Value>>> = Arc::default();
        let shown = Arc::clone(&listed);
        Mock::given(method("GET"))
            .and(path("/keys"))
            .respond_with(move |_: &Request| {
                ResponseTemplate::new(200).set_body_json(json!({"keys": *shown.lock().unwrap()}))
            })
            .mount(&server)
            .await;
        let issuer = Self { server, keys: listed };
        issuer.list(keys);
        issuer
    }

    /// Its `iss`.
    pub fn url(&self) -> String {
        self.server.uri()
    }

    /// Lists other keys from now on.
    pub fn list(&self, keys: &[&SigningKey]) {
        *self.keys.lock().unwrap() = keys.iter().map(|key| key.jwk()).collect();
    }

    /// How often its keys were fetched.
    pub async fn fetches(&self) -> usize {
        let requests = self.server.received_requests().await.unwrap();
        requests.iter().filter(|request| request.url.path() == "/keys").count()
    }

    /// Claims that hold for an hour; `changes` replaces some, and null removes.
    pub fn claims(&self, changes: &Value) -> Value {
        let now = now();
        let mut claims = json!({
            "iss": self.url(),
            "aud": "plumbline",
            "sub": "person-1",
            "email": "Person@Example.com",
            "email_verified": true,
            "iat": now,
            "exp": now + 3600,
        });
        for (name, value) in changes.as_object().unwrap() {
            if value.is_null() {
                claims.as_object_mut().unwrap().remove(name);
            } else {
                claims[name] = value.clone();
            }
        }
        claims
    }
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}
