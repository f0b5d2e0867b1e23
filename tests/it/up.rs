//! `plumbline up` and the roles: from nothing to serving, and back to nothing.

use crate::support::{Api, Plumbline, TestDb, eventually};
use rustix::process::Signal;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

fn up(folder: &Path) -> Plumbline {
    Plumbline::new(&["up", "--listen", "127.0.0.1:0"]).data_dir(folder)
}

/// The embedded server's process, from its lock file.
fn postgres_pid(folder: &Path) -> Option<i32> {
    let text = std::fs::read_to_string(folder.join("postgres/postmaster.pid")).ok()?;
    text.lines().next()?.parse().ok()
}

#[tokio::test]
async fn a_first_start_makes_everything_and_a_stop_leaves_nothing_running() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("data");
    let mut running = up(&folder).start();
    assert!(running.url.starts_with("http://127.0.0.1:"), "{}", running.url);
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(mode(&folder.join("master.key")), 0o600);
    assert_eq!(mode(&folder.join("operator.key")), 0o600);
    let operator = std::fs::read_to_string(folder.join("operator.key")).unwrap();
    assert!(operator.starts_with("pl_op_"), "an operator's key");
    assert_eq!(Api::new(&running.url).get("/readyz").await.status, 200);

    // Another command on the folder shares the server.
    let orgs = Plumbline::new(&["org", "list", "--json"]).data_dir(&folder).json();
    assert_eq!(orgs.len(), 1);
    assert_eq!(orgs[0]["slug"], "default");
    assert_eq!(Api::new(&running.url).get("/readyz").await.status, 200, "its end does not stop the server");

    let (status, printed) = running.terminate();
    assert_eq!(status.code(), Some(0), "{}", running.log());
    assert_eq!(printed, Vec::<String>::new(), "the ready line is all that stdout gets");
    assert_eq!(postgres_pid(&folder), None);
}

#[tokio::test]
async fn after_a_kill_the_next_start_goes_on_with_the_same_data() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("data");
    let mut killed = up(&folder).start();
    let key = std::fs::read(folder.join("master.key")).unwrap();
    Plumbline::new(&["org", "create", "kept", "--json"]).data_dir(&folder).json();
    killed.kill();
    let orphan = postgres_pid(&folder).expect("postgres outlives it");

    let mut running = up(&folder).start();
    assert_eq!(postgres_pid(&folder), Some(orphan), "it is adopted");
    assert_eq!(std::fs::read(folder.join("master.key")).unwrap(), key);
    let orgs = Plumbline::new(&["org", "list", "--json"]).data_dir(&folder).json();
    assert_eq!(orgs.iter().map(|org| org["slug"].as_str().unwrap()).collect::<Vec<_>>(), ["default", "kept"]);
    assert_eq!(running.terminate().0.code(), Some(0), "{}", running.log());
    assert_eq!(postgres_pid(&folder), None);
}

#[tokio::test]
async fn postgres_is_started_again_when_it_dies_under_a_running_up() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("data");
    let mut running = up(&folder).start();
    let api = Api::new(&running.url);
    let pid = rustix::process::Pid::from_raw(postgres_pid(&folder).unwrap()).unwrap();
    rustix::process::kill_process(pid, Signal::KILL).unwrap();
    eventually("another postgres", async || postgres_pid(&folder).filter(|new| *new != pid.as_raw_nonzero().get()))
        .await;
    eventually("the API to be ready again", async || (api.get("/readyz").await.status == 200).then_some(())).await;
    assert_eq!(running.terminate().0.code(), Some(0), "{}", running.log());
}

#[tokio::test]
async fn a_lost_master_key_is_not_silently_replaced() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("data");
    up(&folder).start().terminate();
    std::fs::remove_file(folder.join("master.key")).unwrap();
    let output = up(&folder).output();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("master.key does not exist"), "{message}");
    assert_eq!(postgres_pid(&folder), None, "a failed start stops what it started");
}

#[tokio::test]
async fn roles_refuse_a_database_that_lacks_migrations() {
    let db = TestDb::unmigrated().await;
    for role in ["api", "worker", "scheduler"] {
        let output = Plumbline::new(&[role]).database(&db).output();
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{role}: {message}");
        assert!(message.contains("plumbline migrate"), "{role}: {message}");
    }
}

#[tokio::test]
async fn an_address_that_is_taken_ends_up_with_what_it_was() {
    let db = TestDb::new().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let holder = std::net::TcpListener::bind(&taken).unwrap();
    let output = Plumbline::new(&["api", "--listen", &taken]).database(&db).output();
    drop(holder);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains(&taken), "{message}");
}

#[tokio::test]
async fn connections_are_open_before_the_first_request() {
    let db = TestDb::new().await;
    let artifacts = tempfile::tempdir().unwrap();
    let place = artifacts.path().to_str().unwrap();
    let api = Plumbline::new(&["api", "--listen", "127.0.0.1:0"]).database(&db).env("PLUMBLINE_ARTIFACTS", place);
    let _running = api.start();
    let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let open: i64 = sqlx::query_scalar(others).fetch_one(&db.pool).await.unwrap();
    assert!(open >= 6, "{open} are open");
}

#[tokio::test]
async fn every_role_starts_and_stops_well() {
    let db = TestDb::new().await;
    let artifacts = tempfile::tempdir().unwrap();
    let place = artifacts.path().to_str().unwrap();
    for args in [&["api", "--listen", "127.0.0.1:0"][..], &["worker"], &["scheduler"]] {
        let mut running = Plumbline::new(args).database(&db).env("PLUMBLINE_ARTIFACTS", place).start();
        let (status, printed) = running.terminate();
        assert_eq!((status.code(), printed.len()), (Some(0), 0), "{args:?}: {}", running.log());
    }
}
