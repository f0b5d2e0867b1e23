//! The running server: started, shared, adopted after a crash of ours, stopped by its last user.

use super::cluster::{Cluster, NAME};
use super::settings::Settings;
use super::{Durability, Error, io, lock, memory, process};
use rustix::process::Signal;
use sqlx::migrate::MigrateDatabase as _;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::process::Child;

/// Starting includes the recovery after a crash, which replays at most `max_wal_size` of log.
const START_PATIENCE: Duration = Duration::from_mins(2);
/// A fast shutdown writes one checkpoint; past this the server is told to stop at once, which is safe and costs a recovery.
const STOP_PATIENCE: Duration = Duration::from_secs(30);
/// Another command may be starting or stopping the same server meanwhile.
const LOCK_PATIENCE: Duration = Duration::from_mins(3);
/// How often a condition is looked at while waiting.
const POLL: Duration = Duration::from_millis(20);
/// The port may be taken between picking and using it, and the children of a killed server hold its memory for a moment.
const ATTEMPTS: u32 = 5;
/// A log of this size is put aside at the next start.
const LOG_LIMIT_BYTES: u64 = 10 << 20;

/// What to run, and where.
#[derive(Debug, Clone)]
pub struct Options {
    /// The data folder, which exists; the cluster is `postgres` in it.
    pub data_dir: PathBuf,
    /// Whether commits are flushed to disk.
    pub durability: Durability,
}

/// A share in the running server of a data folder. Give it back with [`Embedded::stop`]; if it is dropped instead, the server
/// goes on running until the next command on the folder has ended.
#[derive(Debug)]
pub struct Embedded {
    home: PathBuf,
    cluster: Cluster,
    durability: Durability,
    users: File,
    port: u16,
    child: Option<Child>,
}

/// What `postmaster.pid` says of a server that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Postmaster {
    pid: i32,
    port: u16,
    ready: bool,
}

impl Embedded {
    /// Joins the server of the data folder, or starts it: on the first time with a new cluster.
    ///
    /// # Errors
    /// No Postgres installed, a folder that cannot be used, a server that does not start; see [`Error`].
    pub async fn start(options: &Options) -> Result<Self, Error> {
        let home = options.data_dir.canonicalize().map_err(io("open", &options.data_dir))?;
        let _starting = lock::exclusive(&start_lock(&home), LOCK_PATIENCE).await?;
        let cluster = Cluster::open(&home, options.durability).await?;
        let path = home.join("postgres.users.lock");
        let users = lock::open(&path)?;
        let alone = lock::is_sole_user(&users, &path)?;
        users.lock_shared().map_err(io("lock", &path))?;
        let mut this = Self { home, cluster, durability: options.durability, users, port: 0, child: None };
        match this.settled().await? {
            Some(running) => {
                tracing::debug!(pid = running.pid, port = running.port, "joined the running postgres");
                this.port = running.port;
            }
            None if alone => this.launch().await?,
            None => return Err(Error::InUse { dir: this.home }),
        }
        this.create_database().await?;
        Ok(this)
    }

    /// The URL of plumbline's database, with its password.
    #[must_use]
    pub fn url(&self) -> String {
        self.cluster.url(self.port)
    }

    /// The server's process id while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<i32> {
        self.running().map(|postmaster| postmaster.pid)
    }

    /// Whether this share started the server rather than joined it.
    #[must_use]
    pub fn is_started_here(&self) -> bool {
        self.child.is_some()
    }

    /// The path of one of the server's programs, such as `psql`.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.cluster.binaries.program(name)
    }

    /// Starts the server again, on the same port, if it has died; true if so. For whoever outlives it.
    ///
    /// # Errors
    /// As [`Embedded::start`].
    pub async fn revive(&mut self) -> Result<bool, Error> {
        self.collect();
        if self.running().is_some() {
            return Ok(false);
        }
        let _starting = lock::exclusive(&start_lock(&self.home), LOCK_PATIENCE).await?;
        if self.settled().await?.is_some() {
            return Ok(false);
        }
        self.launch().await?;
        Ok(true)
    }

    /// Gives the share back; its last user stops the server and waits until it is gone.
    ///
    /// # Errors
    /// [`Error::TooSlow`] when the server outlives both kinds of shutdown.
    pub async fn stop(mut self) -> Result<(), Error> {
        let _starting = lock::exclusive(&start_lock(&self.home), LOCK_PATIENCE).await?;
        if !lock::is_sole_user(&self.users, &self.home.join("postgres.users.lock"))? {
            return Ok(());
        }
        let Some(postmaster) = self.running() else {
            return Ok(());
        };
        for (how, patience) in [(Signal::INT, STOP_PATIENCE), (Signal::QUIT, STOP_PATIENCE / 3)] {
            process::signal(postmaster.pid, how);
            let start = Instant::now();
            while start.elapsed() < patience {
                self.collect();
                // The process, not its lock file, which goes a moment earlier.
                if !process::is_running(postmaster.pid, &self.cluster.credentials.cluster) {
                    return Ok(());
                }
                tokio::time::sleep(POLL).await;
            }
        }
        Err(self.too_slow(postmaster.pid, "did not stop", STOP_PATIENCE))
    }

    /// The server, if one runs, once it accepts connections; a server that is on its way out is waited for.
    async fn settled(&mut self) -> Result<Option<Postmaster>, Error> {
        let start = Instant::now();
        loop {
            match self.running() {
                Some(postmaster) if postmaster.ready => return Ok(Some(postmaster)),
                Some(postmaster) if start.elapsed() > START_PATIENCE => {
                    return Err(self.too_slow(postmaster.pid, "did not accept connections", START_PATIENCE));
                }
                Some(_) => tokio::time::sleep(POLL).await,
                None => return Ok(None),
            }
        }
    }

    /// What runs on this cluster according to `postmaster.pid` and the process table.
    fn running(&self) -> Option<Postmaster> {
        let text = std::fs::read_to_string(self.pid_file()).ok()?;
        let postmaster = parse_pid_file(&text)?;
        process::is_running(postmaster.pid, &self.cluster.credentials.cluster).then_some(postmaster)
    }

    /// Collects our own child if it has ended.
    fn collect(&mut self) {
        if let Some(child) = &mut self.child
            && matches!(child.try_wait(), Ok(Some(_)))
        {
            self.child = None;
        }
    }

    /// Starts the server and waits until it accepts connections. Nothing runs on the cluster.
    async fn launch(&mut self) -> Result<(), Error> {
        let pid_file = self.pid_file();
        if pid_file.exists() {
            // Postgres removes the file of a dead server itself, but not if the number now belongs to another process of
            // the same user. `running` has just found that no server of this cluster is alive.
            tracing::info!(path = %pid_file.display(), "removing the lock of a dead postgres");
            std::fs::remove_file(&pid_file).map_err(io("remove", &pid_file))?;
        }
        // Whoever outlives the server goes on looking for it where it was.
        let was_known = self.port != 0;
        let mut attempt = 1;
        loop {
            match self.try_launch().await {
                Err(Error::Failed { output, .. }) if attempt < ATTEMPTS => {
                    tracing::debug!(attempt, output, "postgres did not start");
                    attempt += 1;
                    if !was_known {
                        self.port = 0;
                    }
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
                result => return result,
            }
        }
    }

    async fn try_launch(&mut self) -> Result<(), Error> {
        if self.port == 0 {
            self.port = free_port()?;
        }
        let settings = Settings { port: self.port, memory: memory::total(), durability: self.durability };
        self.cluster.configure(&settings.render())?;
        let log_path = self.log_path();
        let log = open_log(&log_path)?;
        let log_start = log.metadata().map_err(io("read", &log_path))?.len();
        let program = self.cluster.binaries.program("postgres");
        let mut command = process::command(&program, &self.cluster.dir, self.cluster.owner)?;
        command.arg("-c").arg(format!("cluster_name={}", self.cluster.credentials.cluster));
        command.stdout(log.try_clone().map_err(io("open", &log_path))?).stderr(log);
        let mut child = command.spawn().map_err(io("run", &program))?;
        let start = Instant::now();
        loop {
            if child.try_wait().map_err(io("wait for", &program))?.is_some() {
                return Err(Error::Failed { program: "postgres", output: tail(&log_path, log_start) });
            }
            match self.running() {
                Some(postmaster) if postmaster.ready => break,
                running if start.elapsed() > START_PATIENCE => {
                    let pid = running.map_or(0, |postmaster| postmaster.pid);
                    return Err(self.too_slow(pid, "did not accept connections", START_PATIENCE));
                }
                _ => tokio::time::sleep(POLL).await,
            }
        }
        tracing::info!(port = self.port, version = self.cluster.binaries.major, "postgres started");
        self.child = Some(child);
        Ok(())
    }

    async fn create_database(&self) -> Result<(), Error> {
        let url = self.url();
        if !sqlx::Postgres::database_exists(&url).await? {
            sqlx::Postgres::create_database(&url).await?;
            tracing::debug!(name = NAME, "database created");
        }
        Ok(())
    }

    fn pid_file(&self) -> PathBuf {
        self.cluster.dir.join("postmaster.pid")
    }

    fn log_path(&self) -> PathBuf {
        self.home.join("postgres.log")
    }

    fn too_slow(&self, pid: i32, what: &'static str, patience: Duration) -> Error {
        Error::TooSlow { pid, what, seconds: patience.as_secs(), log: self.log_path() }
    }
}

fn start_lock(home: &Path) -> PathBuf {
    home.join("postgres.start.lock")
}

/// The lines of `postmaster.pid`: pid, folder, start time, port, socket folder, address, shared memory, status
/// (`src/include/utils/pidfile.h`).
fn parse_pid_file(text: &str) -> Option<Postmaster> {
    let mut lines = text.lines();
    let pid = lines.next()?.trim().parse().ok()?;
    let port = lines.nth(2).and_then(|line| line.trim().parse().ok()).unwrap_or(0);
    let ready = lines.nth(3).is_some_and(|status| status.trim() == "ready");
    Some(Postmaster { pid, port, ready })
}

/// A port that nobody uses at this moment.
fn free_port() -> Result<u16, Error> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).map_err(io("find a free port on", "127.0.0.1"))?;
    Ok(listener.local_addr().map_err(io("find a free port on", "127.0.0.1"))?.port())
}

/// The server's log, appended to; a long one is put aside.
fn open_log(path: &Path) -> Result<File, Error> {
    if path.metadata().is_ok_and(|log| log.len() > LOG_LIMIT_BYTES) {
        std::fs::rename(path, path.with_extension("log.old")).map_err(io("rename", path))?;
    }
    OpenOptions::new().create(true).append(true).mode(0o600).open(path).map_err(io("open", path))
}

/// What was logged from byte `start` on, at most the last 2,000 bytes.
fn tail(path: &Path, start: u64) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    let start = usize::try_from(start).unwrap_or(0).max(bytes.len().saturating_sub(2000));
    String::from_utf8_lossy(bytes.get(start..).unwrap_or_default()).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_postmaster_pid() {
        let text = "42\n/data\n1795318680\n5999\n\n127.0.0.1\n 10011081         9\nready   \n";
        assert_eq!(parse_pid_file(text), Some(Postmaster { pid: 42, port: 5999, ready: true }));
        assert_eq!(
            parse_pid_file("42\n/data\n1795318680\n5999\n"),
            Some(Postmaster { pid: 42, port: 5999, ready: false })
        );
        assert_eq!(parse_pid_file(""), None);
        assert_eq!(parse_pid_file("x\n"), None);
    }

    #[test]
    fn the_tail_begins_where_this_start_did() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(&path, "old\nnew\n").unwrap();
        assert_eq!(tail(&path, 4), "new");
        assert_eq!(tail(&path, 99), "");
    }
}
