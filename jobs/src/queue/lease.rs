//! A worker process's lease: one row, beaten while the process lives.
//!
//! The row is the lease of every job that the process holds. Claiming share-locks it and rescue deletes it, so there is
//! no moment at which a worker that was given up can claim. A process that finds its row gone takes a new random id,
//! never the old one, and its old claims are void.

use std::sync::{Mutex, PoisonError};

use sqlx::PgPool;
use uuid::Uuid;

use crate::ids::JobId;

/// A registered worker process.
#[derive(Debug)]
pub struct Lease {
    id: Mutex<Uuid>,
    name: String,
    queues: Vec<String>,
}

/// What a heartbeat learnt.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Beat {
    /// The id that was given up by a rescuer, if it was; its jobs run elsewhere, a new lease is held.
    pub lost: Option<Uuid>,
    /// Which of the jobs asked about shall be cancelled.
    pub cancelled: Vec<JobId>,
}

impl Lease {
    /// Registers a worker. `name` is for people: host and process.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn register(pool: &PgPool, name: &str, queues: &[String]) -> sqlx::Result<Self> {
        let id = insert(pool, name, queues).await?;
        Ok(Self { id: Mutex::new(id), name: name.to_owned(), queues: queues.to_vec() })
    }

    /// The id under which to claim now.
    #[must_use]
    pub fn worker(&self) -> Uuid {
        *self.id.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows that the process lives, and asks which of `running` shall be cancelled. A lost lease is replaced.
    ///
    /// # Errors
    /// When the database refuses; the lease may or may not stand then.
    pub async fn beat(&self, pool: &PgPool, running: &[JobId]) -> sqlx::Result<Beat> {
        let id = self.worker();
        let beaten = sqlx::query!("UPDATE worker SET beat_at = now() WHERE id = $1", id).execute(pool).await?;
        let lost = if beaten.rows_affected() == 0 { self.replace(pool, id).await?.then_some(id) } else { None };
        let running: Vec<Uuid> = running.iter().map(|id| id.uuid()).collect();
        let cancelled = if running.is_empty() {
            Vec::new()
        } else {
            sqlx::query_scalar!("SELECT id FROM job WHERE id = ANY($1) AND cancel_at IS NOT NULL", &running)
                .fetch_all(pool)
                .await?
        };
        Ok(Beat { lost, cancelled: cancelled.into_iter().map(JobId::from).collect() })
    }

    /// Takes a new id in place of `lost`, unless somebody did already; says whether it was this call.
    pub(super) async fn replace(&self, pool: &PgPool, lost: Uuid) -> sqlx::Result<bool> {
        if self.worker() != lost {
            return Ok(false);
        }
        let fresh = insert(pool, &self.name, &self.queues).await?;
        let mut id = self.id.lock().unwrap_or_else(PoisonError::into_inner);
        if *id == lost {
            *id = fresh;
            return Ok(true);
        }
        // Another of this process's loops was faster; the row nobody uses is rescued, with nothing to its name.
        Ok(false)
    }

    /// Gives the lease up. Only for a process that has settled everything it claimed.
    ///
    /// # Errors
    /// When the database refuses; rescue then finds the row.
    pub async fn release(&self, pool: &PgPool) -> sqlx::Result<()> {
        sqlx::query!("DELETE FROM worker WHERE id = $1", self.worker()).execute(pool).await?;
        Ok(())
    }
}

async fn insert(pool: &PgPool, name: &str, queues: &[String]) -> sqlx::Result<Uuid> {
    let id = Uuid::new_v4();
    sqlx::query!("INSERT INTO worker (id, name, queues) VALUES ($1, $2, $3)", id, name, queues).execute(pool).await?;
    Ok(id)
}
