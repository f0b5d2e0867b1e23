//! Token buckets that all machines share, by GCRA (the generic cell rate algorithm, ITU-T I.371): a bucket is one time, when
//! it will be full again. One statement takes a token or finds that there is none.

use std::time::Duration;

use sqlx::PgConnection;

/// How much a bucket holds and how fast it fills: `burst` at once, and `burst` again in every `window`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Tokens of a full bucket; at least 1.
    pub burst: u32,
    /// Time in which an empty bucket fills.
    pub window: Duration,
}

/// What was left after taking a token, or why none was taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Allowance {
    /// Tokens of a full bucket.
    pub limit: u32,
    /// Whole tokens left.
    pub remaining: u32,
    /// When the bucket will be full.
    pub full_in: Duration,
    /// Set where there was no token: when there will be one.
    pub refused_for: Option<Duration>,
}

/// Takes a token. A refusal takes nothing, so whoever keeps asking is not punished for it.
///
/// # Errors
/// The database's.
pub async fn take(conn: &mut PgConnection, bucket: &str, rate: Rate) -> sqlx::Result<Allowance> {
    let window = rate.window.as_secs_f64();
    let each = window / f64::from(rate.burst.max(1));
    let row = sqlx::query!(
        r#"WITH taken AS (
             INSERT INTO rate_bucket AS b (bucket, full_at) VALUES ($1, now() + make_interval(secs => $2))
             ON CONFLICT (bucket) DO UPDATE SET full_at = greatest(b.full_at, now()) + make_interval(secs => $2)
              WHERE greatest(b.full_at, now()) + make_interval(secs => $2) <= now() + make_interval(secs => $3)
             RETURNING full_at)
           SELECT EXISTS (SELECT FROM taken) AS "taken!",
                  greatest(extract(epoch FROM coalesce((SELECT full_at FROM taken),
                                                       (SELECT full_at FROM rate_bucket WHERE bucket = $1),
                                                       now()) - now()), 0)::float8 AS "full_in_s!""#,
        bucket,
        each,
        window,
    )
    .fetch_one(conn)
    .await?;
    let full_in = Duration::from_secs_f64(row.full_in_s.min(window * 2.0));
    let refused_for = (!row.taken).then(|| Duration::from_secs_f64((row.full_in_s + each - window).max(0.001)));
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "floored, and between 0 and the burst")]
    let left = (((window - row.full_in_s) / each + 1e-6).floor().max(0.0) as u32).min(rate.burst);
    // A refusal that waited for others may have read the bucket as it was before them.
    let remaining = if row.taken { left } else { 0 };
    Ok(Allowance { limit: rate.burst, remaining, full_in, refused_for })
}

/// Forgets buckets that are full again; returns how many.
///
/// # Errors
/// The database's.
pub async fn sweep(conn: &mut PgConnection) -> sqlx::Result<u64> {
    let swept = sqlx::query!("DELETE FROM rate_bucket WHERE full_at < now()").execute(conn).await?;
    Ok(swept.rows_affected())
}
