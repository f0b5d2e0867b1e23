//! A moto server of one's own: AWS's protocols on loopback, holding a recorded account.
//!
//! Python comes from `PLUMBLINE_PYTHON`, else from `.tools/moto` (made by `make setup`), else it is `python3`; it must have
//! what `tests/fixtures/tools/requirements.txt` lists.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tempfile::NamedTempFile;

/// A start takes two seconds of CPU; many tests may start one at once.
const PATIENCE: Duration = Duration::from_mins(2);

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// moto with a fixed clock and AWS's queue URLs.
    Fixture,
    /// moto as everybody has it.
    Plain,
}

/// A running server; killed when dropped.
pub struct Moto {
    /// `http://127.0.0.1:port`.
    pub url: String,
    child: Child,
    _recorder: NamedTempFile,
}

impl Moto {
    /// Starts a server and replays recordings of a fixture, such as `&["apply", "tamper"]`. Waits until it serves.
    pub fn start(server: Server, fixture: &str, recordings: &[&str]) -> Self {
        let recorder = NamedTempFile::new().expect("a temporary file");
        let mut command = Command::new(python());
        match server {
            Server::Fixture => command.arg(fixtures().join("tools/moto_fixture_server.py")),
            Server::Plain => command.args(["-m", "moto.server"]),
        };
        let mut child = command
            .args(["-p", "0"])
            .env("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")
            .env("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
            .env("MOTO_RECORDER_FILEPATH", recorder.path())
            .env("PYTHONUNBUFFERED", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("python with moto[server]; set PLUMBLINE_PYTHON or run `make setup`");
        let stderr = child.stderr.take().expect("a piped stderr");
        let url = address(stderr);
        let moto = Self { url, child, _recorder: recorder };
        moto.warm_up();
        moto.replay(fixture, recordings);
        moto
    }

    /// Asks EC2 for something: moto reads its tables of instance types at the first such call, for longer than an AWS
    /// client waits when the machine is busy.
    fn warm_up(&self) {
        let body = "Action=DescribeRegions&Version=2016-11-15";
        let scope = "Credential=test/20260101/us-east-1/ec2/aws4_request";
        let request = format!(
            "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Authorization: AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=test\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut connection = TcpStream::connect(self.url.trim_start_matches("http://")).expect("a server that listens");
        connection.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        connection.write_all(request.as_bytes()).expect("a request sent");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    fn replay(&self, fixture: &str, recordings: &[&str]) {
        if recordings.is_empty() {
            return;
        }
        let files = recordings.iter().map(|name| fixtures().join(fixture).join(format!("{name}.jsonl")));
        let output = Command::new(python())
            .arg(fixtures().join("tools/replay.py"))
            .arg(&self.url)
            .args(files)
            .output()
            .expect("python");
        assert!(output.status.success(), "replay: {}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads the server's talk until it says where it listens, and goes on reading so that it never blocks.
fn address(stderr: impl std::io::Read + Send + 'static) -> String {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut talk = String::new();
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            if let Some((_, rest)) = line.split_once("Running on ") {
                let url = rest.split_whitespace().next().unwrap_or_default().to_owned();
                // Sent twice if it says so twice; nobody listens then.
                let _ = sender.send(Ok(url));
            }
            if talk.len() < 4_000 {
                talk.push_str(&line);
                talk.push('\n');
            }
        }
        let _ = sender.send(Err(talk));
    });
    match receiver.recv_timeout(PATIENCE) {
        Ok(Ok(url)) => url,
        Ok(Err(talk)) => panic!("moto ended at once:\n{talk}"),
        Err(error) => panic!("moto did not serve within {PATIENCE:?}: {error}"),
    }
}

/// The folder of the fixtures.
pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// A Python that has `tests/fixtures/tools/requirements.txt`.
pub fn python() -> PathBuf {
    if let Some(python) = std::env::var_os("PLUMBLINE_PYTHON") {
        return python.into();
    }
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools/moto/bin/python");
    if own.exists() { own } else { "python3".into() }
}
