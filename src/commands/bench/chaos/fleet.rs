//! The worker processes: started, struck, and replaced; none outlives the fleet.

use crate::commands::scratch::Scratch;
use crate::postgres::signal;
use anyhow::{Context as _, Result};
use rustix::process::Signal;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::process::{Child, ChildStdin, Command};

/// How long a worker may take to stop well: its graces are shorter than three seconds together.
const STOP_PATIENCE: Duration = Duration::from_secs(20);

/// One worker process.
#[derive(Debug)]
struct Member {
    child: Child,
    pid: i32,
    /// It ends when this is closed, however we end.
    _life_line: Option<ChildStdin>,
}

/// All of them.
#[derive(Debug)]
pub struct Fleet {
    executable: PathBuf,
    url: String,
    concurrency: usize,
    members: Vec<Member>,
    started: usize,
    /// Processes that a poison job took with it.
    pub aborted: u64,
    /// Processes that ended although nobody struck them: none should.
    pub deserted: Vec<String>,
}

impl Fleet {
    /// Starts `size` workers on the database.
    pub fn start(size: usize, concurrency: usize, url: &str, scratch: &Scratch) -> Result<Self> {
        let executable = std::env::current_exe().context("cannot find this executable")?;
        let mut this = Self {
            executable,
            url: url.to_owned(),
            concurrency,
            members: Vec::new(),
            started: 0,
            aborted: 0,
            deserted: Vec::new(),
        };
        for _ in 0..size {
            this.add(scratch)?;
        }
        Ok(this)
    }

    /// Starts one more.
    pub fn add(&mut self, scratch: &Scratch) -> Result<()> {
        let mut child = Command::new(&self.executable)
            .args(["bench", "chaos-worker", "--concurrency", &self.concurrency.to_string()])
            .env("DATABASE_URL", &self.url)
            .env("PLUMBLINE_LOG", "warn,jobs=info")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(scratch.log(&format!("worker-{}.log", self.started))?)
            // Ctrl-C is for us, who end them.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .context("cannot start a worker")?;
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).context("a worker ended at once")?;
        let life_line = child.stdin.take();
        self.members.push(Member { child, pid, _life_line: life_line });
        self.started += 1;
        Ok(())
    }

    /// The process ids.
    pub fn pids(&self) -> Vec<i32> {
        self.members.iter().map(|member| member.pid).collect()
    }

    /// Replaces those that have ended by themselves.
    pub fn tend(&mut self, scratch: &Scratch) -> Result<()> {
        for at in (0..self.members.len()).rev() {
            if let Some(status) = self.members[at].child.try_wait().context("cannot look after a worker")? {
                let member = self.members.swap_remove(at);
                self.note_end(member.pid, status);
                self.add(scratch)?;
            }
        }
        Ok(())
    }

    fn note_end(&mut self, pid: i32, status: ExitStatus) {
        if status.signal() == Some(Signal::ABORT.as_raw()) {
            self.aborted += 1;
        } else {
            self.deserted.push(format!("worker {pid} ended unasked: {status}"));
        }
    }

    fn take(&mut self, pid: i32) -> Option<Member> {
        let at = self.members.iter().position(|member| member.pid == pid)?;
        Some(self.members.swap_remove(at))
    }

    /// Kills one and starts another.
    pub async fn kill(&mut self, pid: i32, scratch: &Scratch) -> Result<()> {
        if let Some(mut member) = self.take(pid) {
            member.child.kill().await.context("cannot kill a worker")?;
        }
        self.add(scratch)
    }

    /// Tells one to stop and waits for it; whether it did so well. A poison job may be faster: then there was no stop.
    pub async fn stop(&mut self, pid: i32) -> Result<Option<bool>> {
        let Some(mut member) = self.take(pid) else { return Ok(None) };
        signal(pid, Signal::TERM);
        let Ok(status) = tokio::time::timeout(STOP_PATIENCE, member.child.wait()).await else {
            return Ok(Some(false));
        };
        let status = status.context("cannot wait for a worker")?;
        if status.signal() == Some(Signal::ABORT.as_raw()) {
            self.aborted += 1;
            return Ok(None);
        }
        Ok(Some(status.success()))
    }
}
