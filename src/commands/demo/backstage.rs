//! What runs for the demo: the double of AWS, and Plumbline itself, both as child processes in a folder that goes away with
//! them.

use crate::commands::demo::say;
use crate::commands::scratch::Scratch;
use anyhow::{Context as _, Result, bail};
use rustix::process::Signal;
use serde_json::Value;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::{sleep, timeout};

/// How long a part may take to start: moto imports a great deal, and a first start of Postgres initialises a cluster.
const START_PATIENCE: Duration = Duration::from_mins(2);
/// Between two looks whether something has started.
const LOOK: Duration = Duration::from_millis(50);
/// How long Plumbline may take to stop.
const STOP_PATIENCE: Duration = Duration::from_mins(1);

/// The last lines of a log, for a failure that needs explaining.
fn tail(scratch: &Path, name: &str) -> String {
    let text = std::fs::read_to_string(scratch.join(name)).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}

/// The double of AWS.
#[derive(Debug)]
pub struct Double {
    child: Child,
    port: u16,
    scratch: PathBuf,
}

impl Double {
    /// Starts it on a free port.
    pub fn start(python: &Path, fixtures: &Path, scratch: &Scratch) -> Result<Self> {
        let port = TcpListener::bind(("127.0.0.1", 0)).and_then(|l| l.local_addr()).context("no free port")?.port();
        let log = scratch.log("aws.log")?;
        let child = Command::new(python)
            .arg(fixtures.join("tools/moto_fixture_server.py"))
            .args(["--port", &port.to_string()])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot run {}", python.display()))?;
        Ok(Self { child, port, scratch: scratch.path().to_owned() })
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Waits until it listens, and replays the recordings of a fixture.
    pub async fn replay(&mut self, python: &Path, fixtures: &Path, fixture: &Path) -> Result<()> {
        let listening = async {
            while TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
                if self.child.try_wait()?.is_some() {
                    bail!("the double of AWS ended:\n{}", tail(&self.scratch, "aws.log"));
                }
                sleep(LOOK).await;
            }
            Ok(())
        };
        timeout(START_PATIENCE, listening).await.context("the double of AWS does not start")??;
        let output = Command::new(python)
            .arg(fixtures.join("tools/replay.py"))
            .arg(self.url())
            .args(["apply.jsonl", "tamper.jsonl"].map(|name| fixture.join(name)))
            .kill_on_drop(true)
            .output()
            .await
            .with_context(|| format!("cannot run {}", python.display()))?;
        if !output.status.success() {
            bail!("the recording does not fit this double of AWS:\n{}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }

    /// Ends it; it holds nothing worth keeping.
    pub async fn stop(mut self) {
        if let Err(error) = self.child.kill().await {
            say(&format!("the double of AWS could not be stopped: {error}"));
        }
    }
}

/// `plumbline up`.
#[derive(Debug)]
pub struct Platform {
    child: Child,
    stdout: Option<BufReader<ChildStdout>>,
    scratch: PathBuf,
}

/// This executable, with none of the settings of whoever started the demo.
fn plumbline(scratch: &Scratch) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe().context("cannot find this executable")?);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text == "DATABASE_URL"
            || text.starts_with("AWS_")
            || (text.starts_with("PLUMBLINE_") && text != "PLUMBLINE_POSTGRES_BIN")
        {
            command.env_remove(name);
        }
    }
    command.env("PLUMBLINE_DATA_DIR", scratch.data_dir()).stdin(Stdio::null());
    Ok(command)
}

/// Runs a command on the demo's data; the first object that it prints.
async fn command_line(scratch: &Scratch, args: &[&str]) -> Result<Value> {
    let output = plumbline(scratch)?.args(args).output().await.context("cannot run plumbline")?;
    if !output.status.success() {
        bail!("`plumbline {}` failed: {}", args.join(" "), String::from_utf8_lossy(&output.stderr));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(text.lines().next().unwrap_or_default())
        .with_context(|| format!("`plumbline {}` printed no JSON", args.join(" ")))
}

impl Platform {
    /// Starts it, with the double in AWS's place.
    pub fn start(endpoint: &str, scratch: &Scratch) -> Result<Self> {
        let mut child = plumbline(scratch)?
            .args(["up", "--listen", "127.0.0.1:0"])
            .env("AWS_ENDPOINT_URL", endpoint)
            .stdout(Stdio::piped())
            .stderr(scratch.log("plumbline.log")?)
            .process_group(0)
            .spawn()
            .context("cannot start `plumbline up`")?;
        let stdout = child.stdout.take().map(BufReader::new);
        Ok(Self { child, stdout, scratch: scratch.path().to_owned() })
    }

    /// Waits for its ready line; the URL in it.
    pub async fn ready(&mut self) -> Result<String> {
        let mut line = String::new();
        if let Some(stdout) = &mut self.stdout {
            let read = timeout(START_PATIENCE, stdout.read_line(&mut line)).await;
            read.context("`plumbline up` does not get ready")?.context("cannot read from `plumbline up`")?;
        }
        match line.trim().strip_prefix("ready ") {
            Some(url) => Ok(url.to_owned()),
            None => bail!("`plumbline up` ended:\n{}", tail(&self.scratch, "plumbline.log")),
        }
    }

    /// The first organisation's id and a key for it, made at the command line as an operator would.
    pub async fn admit(&self, scratch: &Scratch) -> Result<(String, String)> {
        let orgs = command_line(scratch, &["org", "list", "--json"]).await?;
        let key = ["key", "create", "--org", "default", "--name", "demo", "--role", "admin", "--json"];
        let key = command_line(scratch, &key).await?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        text(&orgs["id"]).zip(text(&key["raw_key"])).context("the command line names no organisation or no key")
    }

    /// Stops it as an operator would, and waits.
    pub async fn stop(mut self) {
        if let Some(pid) =
            self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw)
            && let Err(error) = rustix::process::kill_process(pid, Signal::TERM)
        {
            say(&format!("plumbline could not be told to stop: {error}"));
        }
        if timeout(STOP_PATIENCE, self.child.wait()).await.is_err() {
            say("plumbline does not stop; killing it");
            if let Err(error) = self.child.kill().await {
                say(&format!("plumbline could not be killed: {error}"));
            }
        }
    }
}
