//! The embedded Postgres: its first start, sharing, and what a crash leaves behind.

use crate::support::{Plumbline, eventually};
use plumbline::postgres::{Durability, Embedded, Error, Options};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use sqlx::{Connection as _, PgConnection};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A data folder that only we can reach, with a path longer than a Unix socket's may be.
fn data_dir() -> (TempDir, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("long".repeat(30));
    std::fs::create_dir(&path).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    (root, path)
}

async fn start(path: &Path) -> Result<Embedded, Error> {
    Embedded::start(&Options { data_dir: path.into(), durability: Durability::Throwaway }).await
}

fn is_alive(pid: i32) -> bool {
    // One that has ended and was not collected still has an entry; its command line is empty.
    test_kill_process(Pid::from_raw(pid).unwrap()).is_ok()
        && std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}

fn kill(pid: i32) {
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
}

async fn answers(embedded: &Embedded) {
    PgConnection::connect(&embedded.url()).await.unwrap().ping().await.unwrap();
}

#[tokio::test]
async fn a_first_start_keeps_everything_private_and_a_stop_leaves_nothing_running() {
    let (_root, path) = data_dir();
    let embedded = start(&path).await.unwrap();
    answers(&embedded).await;
    let mode = |name: &str| path.join(name).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("postgres"), mode("postgres.json"), mode("postgres.log")), (0o700, 0o600, 0o600));
    let password = embedded.url().replace("plumbline:", "plumbline:wrong");
    assert!(PgConnection::connect(&password).await.is_err(), "a wrong password is refused");
    let pid = embedded.pid().unwrap();
    embedded.stop().await.unwrap();
    assert!(!is_alive(pid));
    assert!(!path.join("postgres/postmaster.pid").exists());
}

#[tokio::test]
async fn the_last_of_two_users_stops_the_server() {
    let (_root, path) = data_dir();
    let (first, second) = tokio::join!(start(&path), start(&path));
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!(first.pid(), second.pid());
    assert_ne!(first.is_started_here(), second.is_started_here());
    let pid = first.pid().unwrap();
    first.stop().await.unwrap();
    answers(&second).await;
    second.stop().await.unwrap();
    assert!(!is_alive(pid));
}

#[tokio::test]
async fn a_server_that_outlived_its_plumbline_is_adopted_and_then_stopped() {
    let (_root, path) = data_dir();
    let killed = start(&path).await.unwrap();
    let pid = killed.pid().unwrap();
    drop(killed);
    assert!(is_alive(pid), "dropping is what a kill -9 does: nobody stops the server");
    let adopted = start(&path).await.unwrap();
    assert_eq!(adopted.pid(), Some(pid));
    answers(&adopted).await;
    adopted.stop().await.unwrap();
    eventually("the server to go", async || (!is_alive(pid)).then_some(())).await;
}

/// How the role's password is kept.
async fn verifier(embedded: &Embedded) -> String {
    let mut conn = PgConnection::connect(&embedded.url()).await.unwrap();
    let own = "SELECT rolpassword FROM pg_authid WHERE rolname = current_user";
    sqlx::query_scalar(own).fetch_one(&mut conn).await.unwrap()
}

#[tokio::test]
async fn connecting_costs_one_iteration() {
    let (_root, path) = data_dir();
    let embedded = start(&path).await.unwrap();
    assert!(verifier(&embedded).await.starts_with("SCRAM-SHA-256$1:"));
    embedded.stop().await.unwrap();
}

#[tokio::test]
async fn a_killed_server_is_recovered_at_the_next_start() {
    let (_root, path) = data_dir();
    let embedded = start(&path).await.unwrap();
    kill(embedded.pid().unwrap());
    drop(embedded);
    let recovered = start(&path).await.unwrap();
    answers(&recovered).await;
    recovered.stop().await.unwrap();
}

#[tokio::test]
async fn a_stale_lock_that_names_a_process_of_somebody_else_is_removed() {
    let (_root, path) = data_dir();
    start(&path).await.unwrap().stop().await.unwrap();
    let lock = path.join("postgres/postmaster.pid");
    let text = format!("{}\n/elsewhere\n1\n1\n\n127.0.0.1\n0 0\nready\n", std::process::id());
    std::fs::write(&lock, text).unwrap();
    let embedded = start(&path).await.unwrap();
    assert_ne!(embedded.pid(), i32::try_from(std::process::id()).ok());
    embedded.stop().await.unwrap();
}

#[tokio::test]
async fn a_server_that_dies_under_its_user_is_revived_on_the_same_port() {
    let (_root, path) = data_dir();
    let mut embedded = start(&path).await.unwrap();
    let (url, pid) = (embedded.url(), embedded.pid().unwrap());
    assert!(!embedded.revive().await.unwrap(), "it runs");
    kill(pid);
    eventually("the server to go", async || (!is_alive(pid)).then_some(())).await;
    assert!(embedded.revive().await.unwrap());
    assert_eq!(embedded.url(), url);
    answers(&embedded).await;
    embedded.stop().await.unwrap();
}

#[tokio::test]
async fn a_cluster_without_its_password_is_not_overwritten() {
    let (_root, path) = data_dir();
    start(&path).await.unwrap().stop().await.unwrap();
    std::fs::remove_file(path.join("postgres.json")).unwrap();
    let error = start(&path).await.unwrap_err();
    assert!(matches!(error, Error::NoCredentials { .. }), "{error}");
}

#[tokio::test]
async fn an_interrupted_first_start_is_begun_anew() {
    let (_root, path) = data_dir();
    std::fs::create_dir(path.join("postgres.new")).unwrap();
    std::fs::write(path.join("postgres.new/PG_VERSION"), "15\n").unwrap();
    start(&path).await.unwrap().stop().await.unwrap();
}

#[test]
fn without_a_server_the_command_names_the_package() {
    let folder = tempfile::tempdir().unwrap();
    let output =
        Plumbline::new(&["migrate"]).data_dir(folder.path()).env("PLUMBLINE_POSTGRES_BIN", "/nonexistent").output();
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("PLUMBLINE_POSTGRES_BIN is /nonexistent"), "{message}");
}
