//! One Postgres server for all tests, whether they are threads of one process (`cargo test`) or processes of their own
//! (`cargo nextest`): the embedded server, in the target folder, without fsync.
//!
//! The first test starts it, the others join. It outlives its starter, since others may be using it, so its starter leaves a
//! small shell script behind which stops it when nobody has been connected for half a minute; each process of tests keeps one
//! connection open all its life for that. The next run finds the cluster initialised and starts it in a fraction of a second.

use plumbline::postgres::{Durability, Embedded, Options};
use sqlx::{Connection as _, PgConnection};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// Tests that shall run against another server (for instance a CI service) name it here: a superuser's URL, any database.
const VARIABLE: &str = "PLUMBLINE_TEST_POSTGRES_URL";

/// The URL of the server, without a database.
pub fn url() -> &'static str {
    static URL: OnceLock<String> = OnceLock::new();
    URL.get_or_init(|| {
        let full = std::env::var(VARIABLE).ok().filter(|url| !url.is_empty()).unwrap_or_else(start);
        let (server, _database) = full.rsplit_once('/').expect("a Postgres URL with a database");
        server.to_owned()
    })
}

/// The folder of the shared server and of the locks that guard it.
pub fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("postgres");
    std::fs::create_dir_all(&folder).expect("a folder in the target folder");
    folder
}

/// Starts or joins the server; its share is kept until the process ends.
fn start() -> String {
    static SHARE: OnceLock<Embedded> = OnceLock::new();
    let options = Options { data_dir: folder(), durability: Durability::Throwaway };
    // On a thread of its own: the first test's runtime ends with that test, the server does not.
    let start = || {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let embedded = Embedded::start(&options).await;
            let embedded = embedded.unwrap_or_else(|e| panic!("the tests need a Postgres: {e}"));
            // Never closed: it tells the script that this process lives.
            std::mem::forget(PgConnection::connect(&embedded.url()).await.expect("a connection"));
            embedded
        })
    };
    let embedded = std::thread::scope(|scope| scope.spawn(start).join().expect("the server's thread"));
    if embedded.is_started_here() {
        leave_reaper(&embedded);
    }
    SHARE.get_or_init(|| embedded).url()
}

/// Starts the script that stops an idle server.
#[allow(clippy::zombie_processes, reason = "it is meant to outlive us")]
fn leave_reaper(embedded: &Embedded) {
    use std::os::unix::process::CommandExt as _;
    let psql = embedded.program("psql");
    Command::new("/bin/sh")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/reaper.sh"))
        .arg(if psql.is_file() { psql } else { "psql".into() })
        .env("DATABASE", embedded.url())
        .arg(embedded.pid().map(|pid| pid.to_string()).unwrap_or_default())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("a shell");
}
