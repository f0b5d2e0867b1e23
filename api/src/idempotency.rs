//! `Idempotency-Key`: a request that is repeated, because its answer was lost, happens once.
//!
//! A handler that creates something says
//!
//! ```ignore
//! let attempt = match idempotency.claim(&tenant).await? {
//!     Claim::Repeated(answer) => return Ok(answer),
//!     Claim::First(attempt) => attempt,
//! };
//! let mut tx = tenant.app.begin().await?;
//! // … the change …
//! attempt.commit(tx, Created::new(&body)?.location(&path)).await
//! ```
//!
//! The claim is a row of its own, committed before the work begins, so that a second request sees it (409). The answer is
//! saved in the transaction of the effect, so there is no effect without an answer and no answer without an effect. A claim
//! whose process died runs out; should that process live after all, the attempt id fences it off: its commit finds the row
//! in other hands and rolls back.
//!
//! Only answers that had an effect are kept. A refused request frees its key, so that it can be mended and sent again.
//!
//! A request that waits for a job has its effect before it has its answer. It saves an answer ahead ([`Attempt::begin`]): 202
//! with the place to poll. Should the client hang up or the process die while the request waits, whoever repeats it gets
//! that one. Until then a repeated request is told 409, and what the job comes to replaces the answer: [`Attempt::commit`]
//! where it succeeded, [`Attempt::withdraw`] where it failed.

use std::time::Duration;

use jobs::crypto::Aad;
use jobs::db;
use jobs::db::idempotency::{Found, Stage};
use salvo::extract::{Extractible, Metadata};
use salvo::http::StatusCode;
use salvo::oapi::{BasicType, Components, EndpointArgRegister, Object, Operation, Parameter, ParameterIn};
use salvo::prelude::{Depot, Request};
use sha2::{Digest, Sha256};
use sqlx::{PgConnection, PgPool, Postgres, Transaction};
use uuid::Uuid;

use crate::access::Signed;
use crate::answer::{Answer, Stored};
use crate::context::Context;
use crate::problem::{self, Problem};
use crate::request::{DEFAULT_BODY_LIMIT, read_body};

const HEADER: &str = "Idempotency-Key";
/// Longest key, in bytes.
const LONGEST: usize = 255;
/// A claim holds so long without an answer; longer than any request may run.
const CLAIM: Duration = Duration::from_mins(1);

/// The request's Idempotency-Key, if it has one, and what it is the key of. Must stand after `Body` among a handler's
/// arguments where that has a limit of its own.
#[derive(Debug)]
pub struct Idempotency {
    key: Option<String>,
    request_hash: [u8; 32],
}

/// Whether the request is the first with its key.
#[derive(Debug)]
pub enum Claim<A> {
    /// It is: do the work and [`Attempt::commit`] it.
    First(Attempt),
    /// It was answered before: this is that answer.
    Repeated(A),
}

/// A piece of work that is done once.
#[derive(Debug)]
pub struct Attempt {
    context: Context,
    claim: Option<PendingClaim>,
}

/// A key that is held by this request and not yet answered.
#[derive(Clone, Debug)]
pub struct PendingClaim {
    principal: String,
    key: String,
    attempt_id: Uuid,
    saved: Saved,
}

/// Whether an answer was saved ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Saved {
    Nothing,
    Ahead,
}

impl Idempotency {
    /// Claims the key for this request, or finds the answer that it had.
    ///
    /// # Errors
    /// 409 while another request with the key is at work, 422 where the key was used for something else.
    pub async fn claim<T, P, const STATUS: u16>(self, signed: &Signed<P>) -> Result<Claim<Answer<T, STATUS>>, Problem> {
        self.claim_as(signed.caller.name(), &signed.context).await
    }

    /// As [`Idempotency::claim`], for a caller that is not [`Signed`]: whose key it is, in one word.
    ///
    /// # Errors
    /// As [`Idempotency::claim`].
    pub async fn claim_as<T, const STATUS: u16>(
        self,
        principal: String,
        context: &Context,
    ) -> Result<Claim<Answer<T, STATUS>>, Problem> {
        let context = context.clone();
        let Some(key) = self.key else {
            return Ok(Claim::First(Attempt { context, claim: None }));
        };
        let claim = PendingClaim { principal, key, attempt_id: Uuid::now_v7(), saved: Saved::Nothing };
        let wanted = db::idempotency::Claim {
            principal: &claim.principal,
            key: &claim.key,
            request_hash: &self.request_hash,
            attempt_id: claim.attempt_id,
            held_for: CLAIM,
        };
        let mut conn = context.app.pool().acquire().await?;
        match db::idempotency::claim(&mut conn, &wanted).await? {
            Found::Claimed => {
                context.left(|left| left.claim = Some(claim.clone()));
                Ok(Claim::First(Attempt { context, claim: Some(claim) }))
            }
            Found::Other => Err(Problem::Unprocessable {
                class: "idempotency_key_reused",
                message: "this Idempotency-Key was used for another request: use a new one for each".to_owned(),
                fields: Vec::new(),
            }),
            Found::Running => Err(Problem::Conflict {
                class: "idempotency_key_in_use",
                message: "a request with this Idempotency-Key is still being worked on".to_owned(),
                field: None,
                retry_after: Some(Duration::from_secs(1)),
            }),
            Found::Answered(answered) => {
                let stored = Stored {
                    status: answered.status,
                    headers: serde_json::from_value(answered.headers).map_err(Problem::internal)?,
                    body: context.app.keyring().open(claim.aad(), &answered.body)?,
                };
                Ok(Claim::Repeated(Answer::replay(stored)))
            }
        }
    }
}

impl Attempt {
    /// Saves the answer under the key and commits the work with it.
    ///
    /// # Errors
    /// 409 when the claim ran out and another request took the work over; nothing is committed then.
    pub async fn commit<T, const STATUS: u16>(
        self,
        mut tx: Transaction<'_, Postgres>,
        answer: Answer<T, STATUS>,
    ) -> Result<Answer<T, STATUS>, Problem> {
        self.save(&mut tx, &answer, Stage::Last).await?;
        tx.commit().await?;
        self.context.left(|left| left.claim = None);
        Ok(answer)
    }

    /// Commits work that goes on without this request, and with it the answer to be found should the request end before it
    /// knows better.
    ///
    /// # Errors
    /// As [`Attempt::commit`].
    pub async fn begin<T, const STATUS: u16>(
        &self,
        mut tx: Transaction<'_, Postgres>,
        answer: &Answer<T, STATUS>,
    ) -> Result<(), Problem> {
        self.save(&mut tx, answer, Stage::Ahead).await?;
        // Before the commit, for its answer can be lost.
        self.mark(Saved::Ahead);
        tx.commit().await?;
        Ok(())
    }

    /// Takes back what [`Attempt::begin`] saved: the work has failed without an effect, and the key is free again.
    pub fn withdraw(self) {
        self.mark(Saved::Nothing);
    }

    fn mark(&self, saved: Saved) {
        self.context.left(|left| left.claim.iter_mut().for_each(|claim| claim.saved = saved));
    }

    async fn save<T, const STATUS: u16>(
        &self,
        conn: &mut PgConnection,
        answer: &Answer<T, STATUS>,
        stage: Stage,
    ) -> Result<(), Problem> {
        if let Some(claim) = &self.claim {
            let stored = answer.stored();
            let body = self.context.app.keyring().seal(claim.aad(), &stored.body)?;
            let saved = db::idempotency::save(
                conn,
                &db::idempotency::Save {
                    principal: &claim.principal,
                    key: &claim.key,
                    attempt_id: claim.attempt_id,
                    status: stored.status,
                    headers: serde_json::to_value(&stored.headers).map_err(Problem::internal)?,
                    body: &body,
                    stage,
                },
            )
            .await?;
            if !saved {
                return Err(Problem::conflict(
                    "idempotency_key_in_use",
                    "the request took too long, and another with its Idempotency-Key has taken over",
                ));
            }
        }
        Ok(())
    }
}

impl PendingClaim {
    fn aad(&self) -> Aad<'_> {
        Aad { org: Uuid::nil(), table: "idempotency_key", column: "body", row: &self.principal }
    }

    /// At the end of a request without a last answer: frees its key, or gives out what was saved ahead.
    pub async fn release(self, pool: &PgPool) {
        let released = async {
            let mut conn = pool.acquire().await?;
            if self.saved == Saved::Ahead {
                db::idempotency::settle(&mut conn, &self.principal, &self.key, self.attempt_id).await?;
            }
            db::idempotency::release(&mut conn, &self.principal, &self.key, self.attempt_id).await
        };
        if let Err(error) = released.await {
            tracing::warn!(%error, "idempotency key could not be released and runs out by itself");
        }
    }
}

impl<'ex> Extractible<'ex> for Idempotency {
    fn metadata() -> &'static Metadata {
        static METADATA: Metadata = Metadata::new("");
        &METADATA
    }

    #[allow(refining_impl_trait, reason = "the error type is part of what callers see")]
    async fn extract(req: &'ex mut Request, _depot: &'ex mut Depot) -> Result<Self, Problem> {
        let mut values = req.headers().get_all(HEADER).iter();
        let key = match (values.next(), values.next()) {
            (None, _) => None,
            (Some(value), None) => Some(check(value.as_bytes())?),
            (Some(_), Some(_)) => {
                return Err(Problem::bad_parameter(HEADER, "is sent twice"));
            }
        };
        let body = read_body(req, DEFAULT_BODY_LIMIT).await?;
        let path = req.uri().path().trim_end_matches('/');
        let mut hash = Sha256::new();
        for part in [req.method().as_str().as_bytes(), path.as_bytes(), &body] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Ok(Self { key, request_hash: hash.finalize().into() })
    }
}

fn check(value: &[u8]) -> Result<String, Problem> {
    let printable = value.iter().all(|byte| (0x20..0x7f).contains(byte));
    match std::str::from_utf8(value) {
        Ok(text) if printable && (1..=LONGEST).contains(&text.len()) => Ok(text.to_owned()),
        _ => Err(Problem::bad_parameter(HEADER, format!("must be 1 to {LONGEST} printable ASCII characters"))),
    }
}

impl EndpointArgRegister for Idempotency {
    fn register(components: &mut Components, operation: &mut Operation, _arg: &str) {
        operation.parameters.insert(
            Parameter::new(HEADER)
                .location(ParameterIn::Header)
                .required(false)
                .description(
                    "A text of your choice, 1 to 255 ASCII characters. A request that is repeated with the same key and \
                     body within 24 hours gets the first one's answer and changes nothing.",
                )
                .schema(Object::with_type(BasicType::String).min_length(1).max_length(LONGEST)),
        );
        for (status, description) in [
            (StatusCode::CONFLICT, "The state forbids it, or a request with this Idempotency-Key is still running"),
            (
                StatusCode::UNPROCESSABLE_ENTITY,
                "A value is not valid, or the Idempotency-Key was used for another request",
            ),
        ] {
            let response = problem::response(components, description, status);
            operation.responses.insert(status.as_str(), response);
        }
    }
}
