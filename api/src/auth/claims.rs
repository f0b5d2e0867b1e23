//! The claims of a user token, and what each way of not holding is called.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::Value;

use super::Identity;
use crate::problem::Problem;

/// Clocks may differ by so much, in seconds.
const LEEWAY_S: u64 = 60;

/// What is read of a token (OpenID Connect Core 1.0, sections 2 and 5.1).
#[derive(Debug, Deserialize)]
struct Claims {
    sub: String,
    email: Option<String>,
    #[serde(default)]
    email_verified: Verified,
    name: Option<String>,
}

/// Some issuers write the boolean as a text.
#[derive(Debug, Default, Deserialize)]
#[serde(untagged)]
enum Verified {
    Bool(bool),
    Text(String),
    #[default]
    Absent,
}

impl Verified {
    fn holds(&self, unsaid: Unsaid) -> bool {
        match self {
            Self::Bool(verified) => *verified,
            Self::Text(text) => text == "true",
            Self::Absent => unsaid == Unsaid::Taken,
        }
    }
}

/// What an email is worth of which the token does not say whether it is verified. The claim is optional (OpenID Connect
/// Core 1.0, section 5.1) and some issuers never send it, but some of those let people write any email into their profile;
/// only the operator knows which kind the issuer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsaid {
    /// Nothing.
    Refused,
    /// As much as a verified one.
    Taken,
}

/// Whom a token must come from and be for.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// `iss`.
    pub issuer: &'a str,
    /// `aud`, or one of it.
    pub audience: &'a str,
    /// Whether `email_verified` may be missing.
    pub unsaid: Unsaid,
}

/// Verifies signature and claims with a key that was chosen for the token's algorithm.
///
/// # Errors
/// 401, with a class for each reason.
pub fn verify(
    token: &str,
    algorithm: Algorithm,
    key: &DecodingKey,
    expected: Expected<'_>,
) -> Result<Identity, Problem> {
    let mut validation = Validation::new(algorithm);
    validation.leeway = LEEWAY_S;
    validation.validate_nbf = true;
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    validation.set_issuer(&[expected.issuer]);
    validation.set_audience(&[expected.audience]);
    let claims = decode::<Claims>(token, key, &validation).map_err(|error| refusal(error.kind()))?.claims;
    if claims.sub.is_empty() || claims.sub.len() > 255 {
        return Err(Problem::unauthenticated("token_malformed", "the token's sub is empty or too long"));
    }
    let email = claims.email.filter(|email| email.len() <= 254 && email.contains('@')).ok_or(
        Problem::unauthenticated("token_without_email", "the token has no email: ask the issuer for the scope email"),
    )?;
    if !claims.email_verified.holds(expected.unsaid) {
        return Err(Problem::unauthenticated("email_unverified", "the issuer has not verified the token's email"));
    }
    Ok(Identity {
        issuer: expected.issuer.to_owned(),
        subject: claims.sub,
        email: email.to_lowercase(),
        display_name: claims.name.filter(|name| !name.is_empty()),
    })
}

/// The header of a token that says it is signed with one of these algorithms.
///
/// # Errors
/// 401 for another algorithm, and for what has no header at all.
pub fn header(token: &str, taken: &[Algorithm]) -> Result<Header, Problem> {
    match decode_header(token) {
        Ok(header) if taken.contains(&header.alg) => Ok(header),
        Ok(_) => Err(algorithm_refused()),
        // An algorithm that the library does not know, such as none, does not even parse.
        Err(_) if names_algorithm(token) => Err(algorithm_refused()),
        Err(_) => Err(malformed()),
    }
}

fn names_algorithm(token: &str) -> bool {
    token
        .split('.')
        .next()
        .and_then(|header| URL_SAFE_NO_PAD.decode(header).ok())
        .and_then(|json| serde_json::from_slice::<Value>(&json).ok())
        .is_some_and(|header| header["alg"].is_string())
}

fn malformed() -> Problem {
    Problem::unauthenticated("token_malformed", "this is not a well-formed token")
}

/// The problem for an algorithm that is not taken, such as none, or HMAC with somebody's public key.
pub fn algorithm_refused() -> Problem {
    Problem::unauthenticated("token_algorithm_refused", "tokens signed this way are not accepted")
}

fn refusal(kind: &ErrorKind) -> Problem {
    match kind {
        ErrorKind::ExpiredSignature => {
            Problem::unauthenticated("token_expired", "the token has expired: get a new one")
        }
        ErrorKind::ImmatureSignature => Problem::unauthenticated("token_not_yet_valid", "the token is not valid yet"),
        ErrorKind::InvalidAudience => {
            Problem::unauthenticated("token_wrong_audience", "the token is for another audience")
        }
        ErrorKind::InvalidIssuer => Problem::unauthenticated("token_wrong_issuer", "the token is from another issuer"),
        ErrorKind::InvalidSignature => {
            Problem::unauthenticated("token_signature_invalid", "the token's signature does not hold")
        }
        ErrorKind::InvalidAlgorithm => algorithm_refused(),
        ErrorKind::MissingRequiredClaim(_) => {
            Problem::unauthenticated("token_malformed", "the token lacks one of exp, iss, aud and sub")
        }
        _ => malformed(),
    }
}
