//! A moto server with a recorded account in it, and what our readers find there.
//!
//! The recordings, and the server with a standing clock, are those of `tests/fixtures`. Needs Python with `moto[server]`
//! 5.2.1, which `make setup` puts into `.tools/moto`; `PLUMBLINE_PYTHON` names another one.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use drift::live::LiveResource;
use jobs::ids::OrgId;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use workers::cloud::aws::Options;
use workers::cloud::{Credential, DiscoverRequest, Event, ScanError, connect};

/// Which moto: the repository's own with a standing clock and AWS's queue URLs, or the plain one.
#[derive(Debug, Clone, Copy)]
pub enum Flavour {
    Fixture,
    Plain,
}

/// A server that ends with the test.
pub struct Moto {
    child: Child,
    url: String,
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures").join(path)
}

/// A Python that has moto: the one that is named, else the repository's own, else the system's.
fn python() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/moto/bin/python");
    let named = std::env::var_os("PLUMBLINE_PYTHON").filter(|path| !path.is_empty()).map(PathBuf::from);
    named.unwrap_or_else(|| if own.exists() { own } else { PathBuf::from("python3") })
}

impl Moto {
    /// Starts a server and replays recordings into it, such as `aws-core/apply.jsonl`.
    pub fn with(flavour: Flavour, recordings: &[&str]) -> Self {
        // Free now, and nobody else's by the time moto takes it in all but the rarest case.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
        let mut command = Command::new(python());
        match flavour {
            Flavour::Fixture => command.arg(fixture("tools/moto_fixture_server.py")).args(["--port", &port]),
            Flavour::Plain => command.args(["-m", "moto.server", "-p", &port]),
        };
        let child = command
            .env("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")
            .env("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("moto 5.2.1 is installed (make setup)");
        let moto = Self { child, url: format!("http://127.0.0.1:{port}") };
        // Which waits until the server accepts connections, half a minute at most.
        let replayed = Command::new(python())
            .arg(fixture("tools/replay.py"))
            .arg(&moto.url)
            .args(recordings.iter().map(|path| fixture(path)))
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(replayed.success(), "moto answers the recordings as it did");
        moto
    }

    /// See [`discover_at`].
    pub async fn discover(&self, regions: &[&str], types: &[&str]) -> (Vec<LiveResource>, Vec<ScanError>) {
        discover_at(&self.url, regions, types).await
    }
}

/// Everything of these types at an endpoint, and what could not be read.
pub async fn discover_at(url: &str, regions: &[&str], types: &[&str]) -> (Vec<LiveResource>, Vec<ScanError>) {
    let credential = Credential {
        org_id: OrgId::new(),
        account_id: "123456789012".to_owned(),
        credential_type: "access_key".to_owned(),
        credential_ref: r#"{"access_key_id":"test","secret_access_key":"test"}"#.to_owned(),
    };
    let options = Options { endpoint_url: Some(url.to_owned()), ..Options::default() };
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let request = DiscoverRequest { regions: owned(regions), provider_types: owned(types) };
    let account = connect("aws", &credential, options).unwrap();
    let mut discovery = account.discover(request, CancellationToken::new()).await.unwrap();
    let (mut found, mut failed) = (Vec::new(), Vec::new());
    while let Some(event) = discovery.next().await {
        match event {
            Event::Resources(batch) => found.extend(batch),
            Event::Failed(error) => failed.push(error),
            Event::Progress(_) => {}
        }
    }
    (found, failed)
}

/// A fixture's JSON file, such as `aws-core/oracle.json`.
pub fn json(path: &str) -> Value {
    serde_json::from_slice(&std::fs::read(fixture(path)).unwrap()).unwrap()
}
