//! PgBouncer in transaction mode before the tests' Postgres, where it is installed.

use super::TestDb;
use sqlx::postgres::PgConnectOptions;
use std::fs::Permissions;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;
use url::Url;

/// Connections to Postgres: fewer than clients, so that each client meets another one each time.
pub const SERVER_CONNECTIONS: usize = 5;

/// A running PgBouncer.
pub struct PgBouncer {
    child: Child,
    _folder: TempDir,
    /// Leads to the database through it.
    pub url: String,
}

impl PgBouncer {
    /// Starts it before a database; `None`, with a word on stderr, where it is not installed.
    pub async fn before(db: &TestDb) -> Option<Self> {
        let Some(program) = find() else {
            eprintln!("SKIPPED: pgbouncer is not installed; `scripts/setup.sh pgbouncer` does that");
            return None;
        };
        let server: Url = db.url.parse().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("pgbouncer.ini");
        let text = format!(
            "[databases]\n* = host={} port={} user={} password={}\n\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = any\npool_mode = transaction\ndefault_pool_size = {SERVER_CONNECTIONS}\n\
             max_client_conn = 500\n",
            server.host_str().unwrap(),
            server.port().unwrap_or(5432),
            server.username(),
            server.password().unwrap_or_default(),
        );
        std::fs::write(&config, text).unwrap();
        // It is read by whomever it runs as; what it tells is the password of a throw-away database.
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let mut command = Command::new(program);
        if rustix::process::geteuid().is_root() {
            command.args(["-u", "nobody"]);
        }
        let child = command.arg(&config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut url = server;
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(port)).unwrap();
        let this = Self { child: child.unwrap(), _folder: folder, url: url.into() };
        super::eventually("pgbouncer listens", async || {
            tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok().map(drop)
        })
        .await;
        Some(this)
    }

    /// How a client of its own connects.
    pub fn options(&self) -> PgConnectOptions {
        self.url.parse().unwrap()
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }
}

fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = ["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(places).map(|folder| folder.join("pgbouncer")).find(|program| program.is_file())
}
