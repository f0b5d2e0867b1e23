//! The pool of connections, and what is known of one before it is lent.

use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection as _, PgConnection, PgPool, Row as _};

/// Options of every pool. Its connections are asked before they are lent whether they are alive and outside any transaction.
///
/// A future that is dropped while its `BEGIN` is on the way leaves a connection on which a transaction is open, and sqlx, which
/// counts only transactions that were answered, neither rolls it back nor sees it. Whoever got that connection next would
/// write into a transaction that nobody ever commits. Handlers are dropped whenever a client hangs up or a job is cancelled, so
/// such a connection is closed instead of lent. This takes the place of sqlx's own test and costs the same round trip.
#[must_use]
pub fn options() -> PgPoolOptions {
    PgPoolOptions::new().test_before_acquire(false).before_acquire(|conn, _| Box::pin(is_outside(conn)))
}

/// A small pool beside another one, to the same database: for what must not wait behind those who use the other. It connects
/// when it is first asked.
#[must_use]
pub fn beside(pool: &PgPool, connections: u32) -> PgPool {
    options().max_connections(connections).connect_lazy_with((*pool.connect_options()).clone())
}

/// Whether no transaction is open. Outside of one, a statement's own begins with it, and the two clocks agree.
async fn is_outside(conn: &mut PgConnection) -> sqlx::Result<bool> {
    debug_assert!(!conn.is_in_transaction(), "sqlx rolls back what it knows of");
    let row = sqlx::raw_sql("SELECT now() = statement_timestamp()").fetch_one(conn).await?;
    row.try_get(0)
}
