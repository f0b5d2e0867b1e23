//! The real executable: run to its end, or started and waited for until it is ready.

use super::TestDb;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};
use tempfile::NamedTempFile;

/// How long a start may take on a machine that compiles at the same time: a first start runs `initdb`.
const READY_PATIENCE: Duration = Duration::from_secs(90);
/// How long a stop may take: the grace of shutdown, and Postgres' last checkpoint.
const STOP_PATIENCE: Duration = Duration::from_mins(1);

/// The master key of every process under test that is not given a data folder.
pub const MASTER_KEY: &str = "dGVzdC1tYXN0ZXIta2V5LW9mLXBsdW1ibGluZS0zMmI=";

/// `plumbline` with arguments, not started yet. The environment of whoever runs the tests does not reach it.
pub struct Plumbline(Command);

/// A `plumbline` that runs. Dropping it stops it as an operator would, with SIGTERM.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    log: NamedTempFile,
    /// Where its API is, from its ready line; empty for roles without one.
    pub url: String,
}

impl Plumbline {
    /// The executable with these arguments.
    pub fn new(args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_plumbline"));
        command.args(args).stdin(Stdio::null()).env_clear();
        for name in ["PATH", "HOME", "TMPDIR", "PLUMBLINE_POSTGRES_BIN", "LLVM_PROFILE_FILE"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.env("NO_PROXY", "127.0.0.1,localhost");
        Self(command)
    }

    /// On a test's database, with the tests' master key.
    pub fn database(self, db: &TestDb) -> Self {
        self.env("DATABASE_URL", &db.url).env("PLUMBLINE_MASTER_KEY", MASTER_KEY)
    }

    /// On a data folder of its own.
    pub fn data_dir(mut self, folder: &Path) -> Self {
        self.0.env("PLUMBLINE_DATA_DIR", folder);
        self
    }

    /// With an environment variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.0.env(name, value);
        self
    }

    /// Runs it to its end.
    pub fn output(mut self) -> Output {
        self.0.output().expect("plumbline runs")
    }

    /// Runs it to its end, which must be good; its standard output.
    pub fn stdout(self) -> String {
        let output = self.output();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {stderr}", output.status);
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// Runs it to its end, which must be good; the JSON objects that it printed.
    pub fn json(self) -> Vec<serde_json::Value> {
        self.stdout().lines().map(|line| serde_json::from_str(line).expect("one JSON object a line")).collect()
    }

    /// Starts it and waits for its ready line.
    pub fn start(mut self) -> Running {
        let log = NamedTempFile::new().expect("a file for its log");
        self.0.stdout(Stdio::piped()).stderr(log.reopen().expect("the log"));
        let mut child = self.0.spawn().expect("plumbline starts");
        let stdout = BufReader::new(child.stdout.take().expect("its standard output"));
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                // Nobody listens any more once the test has ended.
                let _ = sender.send(line);
            }
        });
        let mut running = Running { child, lines, log, url: String::new() };
        let line = match running.lines.recv_timeout(READY_PATIENCE) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => panic!("not ready in {READY_PATIENCE:?}:\n{}", running.log()),
            Err(RecvTimeoutError::Disconnected) => panic!("ended before it was ready:\n{}", running.log()),
        };
        let url = line.strip_prefix("ready").unwrap_or_else(|| panic!("{line:?} instead of a ready line"));
        url.trim().clone_into(&mut running.url);
        running
    }
}

impl Running {
    /// What it has logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log.path()).unwrap_or_default()
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a process id")
    }

    /// Kills it as the out-of-memory killer does, and collects it.
    pub fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// Sends SIGTERM and waits for the end: its status, and what it printed after its ready line.
    pub fn terminate(&mut self) -> (ExitStatus, Vec<String>) {
        self.signal(rustix::process::Signal::TERM);
        let status = self.wait().unwrap_or_else(|| panic!("did not stop in {STOP_PATIENCE:?}:\n{}", self.log()));
        (status, self.lines.iter().collect())
    }

    /// Sends a signal.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.pid()).expect("a process id");
        rustix::process::kill_process(pid, signal).expect("it runs");
    }

    /// Waits for the end, however it comes about.
    pub fn wait(&mut self) -> Option<ExitStatus> {
        let start = Instant::now();
        while start.elapsed() < STOP_PATIENCE {
            if let Some(status) = self.child.try_wait().expect("a child of ours") {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        None
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        self.signal(rustix::process::Signal::TERM);
        if self.wait().is_none() {
            // It has had its time; the test that cares has already failed.
            let _ = self.child.kill();
        }
        if std::thread::panicking() {
            eprintln!("--- log of plumbline\n{}", self.log());
        }
    }
}
