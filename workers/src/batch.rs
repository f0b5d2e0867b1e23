//! Answering many attempts with one statement.
//!
//! Whoever asks while a statement runs is answered by the next one. So one alone does not wait, and a thousand at once cost a
//! few statements: nobody waits for a batch to fill up, and no timer has to be chosen.

use std::borrow::Cow;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jobs::retry::Pauses;
use sqlx::PgPool;
use tokio::sync::oneshot;

/// What is asked and answered in batches.
pub(crate) trait Batched: Send + Sync + 'static {
    /// What one asks.
    type Question: Send + Sync + 'static;
    /// What it is answered.
    type Answer: Send + 'static;
    /// Questions of one statement at most.
    const MOST: usize;
    /// How often to try a statement, while it is not the questions' fault that it fails.
    const TRIES: u32;

    /// Answers all questions, in their order.
    fn answer(
        pool: &PgPool,
        questions: &[Self::Question],
    ) -> impl Future<Output = sqlx::Result<Vec<Self::Answer>>> + Send;
}

/// Why there is no answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Unanswered {
    message: Arc<str>,
    /// Whether the database refused this question, and would again; else it was not to be had.
    pub(crate) is_refused: bool,
}

impl From<&sqlx::Error> for Unanswered {
    fn from(error: &sqlx::Error) -> Self {
        Self { message: error.to_string().into(), is_refused: is_refusal(error) }
    }
}

impl Unanswered {
    fn lost() -> Self {
        Self { message: "the batch broke off".into(), is_refused: false }
    }
}

type Reply<B> = oneshot::Sender<Result<<B as Batched>::Answer, Unanswered>>;

/// Collects questions; clones share them.
pub(crate) struct Batcher<B: Batched>(Arc<Mutex<Waiting<B>>>);

struct Waiting<B: Batched> {
    questions: Vec<B::Question>,
    replies: Vec<Reply<B>>,
    /// Whether somebody is at it.
    is_served: bool,
}

impl<B: Batched> Clone for Batcher<B> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<B: Batched> Default for Batcher<B> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Waiting { questions: Vec::new(), replies: Vec::new(), is_served: false })))
    }
}

impl<B: Batched> Batcher<B> {
    /// Asks, and waits for the answer.
    pub(crate) async fn ask(&self, pool: &PgPool, question: B::Question) -> Result<B::Answer, Unanswered> {
        let (reply, answer) = oneshot::channel();
        let is_first = {
            let mut waiting = self.lock();
            waiting.questions.push(question);
            waiting.replies.push(reply);
            !mem::replace(&mut waiting.is_served, true)
        };
        if is_first {
            // A task of its own: an attempt that is dropped must not take the others' answers along.
            tokio::spawn(self.clone().serve(pool.clone()));
        }
        answer.await.unwrap_or_else(|_| Err(Unanswered::lost()))
    }

    /// Answers until nobody asks any more.
    async fn serve(self, pool: PgPool) {
        loop {
            let (questions, replies) = {
                let mut waiting = self.lock();
                if waiting.questions.is_empty() {
                    waiting.is_served = false;
                    return;
                }
                let taken = waiting.questions.len().min(B::MOST);
                let rest = (waiting.questions.split_off(taken), waiting.replies.split_off(taken));
                (mem::replace(&mut waiting.questions, rest.0), mem::replace(&mut waiting.replies, rest.1))
            };
            for (reply, answer) in replies.into_iter().zip(answers::<B>(&pool, &questions).await) {
                // Whoever asked may be gone.
                let _ = reply.send(answer);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<B>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers all; one that the database refuses spoils none of the others.
async fn answers<B: Batched>(pool: &PgPool, questions: &[B::Question]) -> Vec<Result<B::Answer, Unanswered>> {
    match answered::<B>(pool, questions).await {
        Ok(answers) => answers.into_iter().map(Ok).collect(),
        Err(error) if is_refusal(&error) && questions.len() > 1 => {
            let mut each = Vec::with_capacity(questions.len());
            for question in questions.chunks(1) {
                each.push(match answered::<B>(pool, question).await {
                    Ok(mut answers) => answers.pop().ok_or_else(Unanswered::lost),
                    Err(error) => Err(Unanswered::from(&error)),
                });
            }
            each
        }
        Err(error) => {
            let error = Unanswered::from(&error);
            questions.iter().map(|_| Err(error.clone())).collect()
        }
    }
}

/// Tries until it is answered, or refused.
async fn answered<B: Batched>(pool: &PgPool, questions: &[B::Question]) -> sqlx::Result<Vec<B::Answer>> {
    let mut pauses = Pauses::default();
    for _ in 1..B::TRIES {
        match B::answer(pool, questions).await {
            Err(error) if !is_refusal(&error) => {
                let pause = pauses.next_pause();
                tracing::warn!(%error, ?pause, "a batch was not answered, trying again");
                tokio::time::sleep(pause).await;
            }
            answer => return answer,
        }
    }
    B::answer(pool, questions).await
}

/// Whether the same statement would be refused again: not where the server is on its way down or up, or gave up on this
/// transaction in favour of another.
fn is_refusal(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|refusal| refusal.code().map(Cow::into_owned));
    code.is_some_and(|code| !matches!(code.get(..2), Some("40" | "53" | "57")))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use jobs::db::pool;

    use super::*;

    static STATEMENTS: AtomicUsize = AtomicUsize::new(0);

    /// Doubles numbers.
    struct Double;

    impl Batched for Double {
        type Question = u32;
        type Answer = u32;
        const MOST: usize = 100;
        const TRIES: u32 = 1;

        async fn answer(_: &PgPool, questions: &[u32]) -> sqlx::Result<Vec<u32>> {
            STATEMENTS.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            Ok(questions.iter().map(|question| question * 2).collect())
        }
    }

    #[tokio::test]
    async fn everyone_gets_their_own_answer_and_few_statements_answer_many() {
        // Never connected.
        let pool = pool::options().connect_lazy("postgres://127.0.0.1:9/none").unwrap();
        let batcher = Batcher::<Double>::default();
        let asked = (0..1_000).map(|n| {
            let (batcher, pool) = (batcher.clone(), pool.clone());
            async move { (n, batcher.ask(&pool, n).await.unwrap()) }
        });
        for (n, answer) in futures::future::join_all(asked).await {
            assert_eq!(answer, n * 2);
        }
        let statements = STATEMENTS.load(Ordering::SeqCst);
        assert!((10..=20).contains(&statements), "{statements} statements");
    }

    static REFUSED: AtomicUsize = AtomicUsize::new(0);

    /// Finds no database.
    struct Away;

    impl Batched for Away {
        type Question = u32;
        type Answer = u32;
        const MOST: usize = 100;
        const TRIES: u32 = 1;

        async fn answer(_: &PgPool, _: &[u32]) -> sqlx::Result<Vec<u32>> {
            REFUSED.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            Err(sqlx::Error::PoolTimedOut)
        }
    }

    #[tokio::test]
    async fn a_database_that_is_away_is_not_asked_again_for_each() {
        let pool = pool::options().connect_lazy("postgres://127.0.0.1:9/none").unwrap();
        let batcher = Batcher::<Away>::default();
        let asked = (0..1_000).map(|n| batcher.ask(&pool, n));
        for answer in futures::future::join_all(asked).await {
            assert!(!answer.unwrap_err().is_refused);
        }
        let statements = REFUSED.load(Ordering::SeqCst);
        assert!((10..=20).contains(&statements), "{statements} statements");
    }
}
