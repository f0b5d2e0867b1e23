//! A private Postgres for people who have none.
//!
//! `plumbline up` must work on a fresh machine with nothing but a Postgres package installed, so it keeps a cluster of its
//! own in the data folder and runs it with the data folder's lifetime:
//!
//! - `binaries` finds the installed servers, newest first;
//! - `cluster` initialises the cluster once, atomically (a folder is renamed into place when it is complete);
//! - `owner` picks the unprivileged user that runs it when we are root, as Postgres refuses to run as root;
//! - `process` starts programs as that user, even in folders which that user cannot reach;
//! - `server` starts, shares, adopts and stops the server.
//!
//! Commands on one data folder share one server. Each holds a shared lock on `postgres.users.lock` while it uses it, and
//! whoever leaves last stops it; `postgres.start.lock` serialises starting and stopping. Locks vanish with their process,
//! so after a `kill -9` the server goes on running without users, and the next command adopts it and, being its last user,
//! stops it when it ends.
//!
//! The server listens on 127.0.0.1 alone, on a port picked at its start, and wants a random password (SCRAM), which lies in
//! `postgres.json` (mode 0600). There is no Unix socket: its path may not exceed 107 bytes, and data folders do.

mod binaries;
mod cluster;
mod lock;
mod memory;
mod owner;
mod process;
mod server;
mod settings;

pub use binaries::{Binaries, find_all};
pub(crate) use process::signal;
pub use server::{Embedded, Options};
pub use settings::Durability;

use std::path::PathBuf;

/// The oldest Postgres that the schema and the queue are tested on.
pub const OLDEST_MAJOR: u32 = 14;

/// Why the embedded Postgres could not be started, shared or stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing usable is installed.
    #[error(
        "no Postgres server ({OLDEST_MAJOR} or newer) is installed. Install one (Debian, Ubuntu: `apt-get install postgresql`; \
         macOS: `brew install postgresql@17`), name its bin folder in PLUMBLINE_POSTGRES_BIN, or give DATABASE_URL"
    )]
    NotInstalled,
    /// `PLUMBLINE_POSTGRES_BIN` points at something else.
    #[error("PLUMBLINE_POSTGRES_BIN is {dir}, but {reason}; it must hold `postgres` and `initdb`, {OLDEST_MAJOR} or newer", dir = .dir.display())]
    NotUsable {
        /// The folder that was named.
        dir: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The cluster was written by a version that is not installed.
    #[error(
        "the database in {dir} was made by Postgres {wanted}, and installed is {installed}. Install that version (Debian, \
         Ubuntu: `apt-get install postgresql-{wanted}`; macOS: `brew install postgresql@{wanted}`)",
        dir = .dir.display()
    )]
    WrongVersion {
        /// The cluster's folder.
        dir: PathBuf,
        /// The major version that the cluster needs.
        wanted: u32,
        /// The versions found, for reading.
        installed: String,
    },
    /// We are root and there is no user to drop to.
    #[error(
        "Postgres does not run as root, and there is neither a user `postgres` nor `nobody`; run plumbline as another user"
    )]
    NoUnprivilegedUser,
    /// The cluster is there, its password is not.
    #[error("{path} is missing, which holds the password of the database beside it; restore it, or move {cluster} away to begin anew",
        path = .path.display(), cluster = .cluster.display())]
    NoCredentials {
        /// Where the file should be.
        path: PathBuf,
        /// The cluster's folder.
        cluster: PathBuf,
    },
    /// `initdb` or `postgres` ended with an error.
    #[error("{program} failed: {output}")]
    Failed {
        /// The program's name.
        program: &'static str,
        /// What it printed last.
        output: String,
    },
    /// The server did not become ready, or did not go.
    #[error("Postgres (process {pid}) {what} within {seconds} s; see {log}", log = .log.display())]
    TooSlow {
        /// Its process id.
        pid: i32,
        /// `did not accept connections` or `did not stop`.
        what: &'static str,
        /// How long we waited.
        seconds: u64,
        /// Its log file.
        log: PathBuf,
    },
    /// Somebody holds the folder, but the server cannot be seen from here (another container, most likely).
    #[error(
        "another plumbline uses {dir}, but its Postgres cannot be seen from here (is it another container?); stop it first, or \
         give this one a --data-dir of its own",
        dir = .dir.display()
    )]
    InUse {
        /// The data folder.
        dir: PathBuf,
    },
    /// A lock was not released in time.
    #[error("another plumbline has held {path} for {seconds} s; stop it and try again", path = .path.display())]
    Locked {
        /// The lock's file.
        path: PathBuf,
        /// How long we waited.
        seconds: u64,
    },
    /// A file or folder could not be used.
    #[error("cannot {what} {path}: {source}", path = .path.display())]
    Io {
        /// What was tried, as a verb.
        what: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The server runs and refuses us.
    #[error("the embedded Postgres refused: {0}")]
    Database(#[from] sqlx::Error),
}

/// Shorthand for wrapping an I/O error with what was tried on which path.
fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.into();
    move |source| Error::Io { what, path, source }
}
