//! The cluster's files: made once by `initdb` beside their final place, and renamed into it when they are complete, so that
//! an interrupted first start leaves nothing half-made.

use super::binaries::{self, Binaries};
use super::owner::Owner;
use super::{Durability, Error, io, process};
use jobs::crypto::scram;
use serde::{Deserialize, Serialize};
use std::fs::{DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// The server's superuser and plumbline's database: both are ours alone.
pub const NAME: &str = "plumbline";

/// The file that the server's own configuration includes.
const SETTINGS: &str = "plumbline.conf";

/// What must be known to talk to the cluster; kept in `postgres.json`, mode 0600.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Credentials {
    /// The superuser's password.
    pub password: String,
    /// The cluster's name, which marks its server among the machine's processes.
    pub cluster: String,
}

/// A cluster in a data folder, and who and what runs it.
#[derive(Debug)]
pub struct Cluster {
    /// The cluster's folder, `DATA_DIR/postgres`.
    pub dir: PathBuf,
    /// Its server's programs, of its version.
    pub binaries: Binaries,
    /// The user that owns and runs it, if not ourselves.
    pub owner: Option<Owner>,
    /// Its name and password.
    pub credentials: Credentials,
}

impl Cluster {
    /// Opens the cluster of `home`, making it first if there is none. The caller holds the start lock.
    pub async fn open(home: &Path, durability: Durability) -> Result<Self, Error> {
        let dir = home.join("postgres");
        let version = major_of(&dir)?;
        let binaries = binaries::choose(&binaries::find_all()?, version, &dir)?;
        let path = home.join("postgres.json");
        let credentials = match read_credentials(&path)? {
            Some(credentials) => credentials,
            None if version.is_some() => return Err(Error::NoCredentials { path, cluster: dir }),
            None => write_credentials(&path)?,
        };
        let owner = super::owner::unprivileged()?;
        let cluster = Self { dir, binaries, owner, credentials };
        if version.is_none() {
            cluster.init(durability).await?;
        }
        Ok(cluster)
    }

    /// Runs `initdb` beside the final place.
    async fn init(&self, durability: Durability) -> Result<(), Error> {
        let new = self.dir.with_extension("new");
        if new.exists() {
            std::fs::remove_dir_all(&new).map_err(io("remove", &new))?;
        }
        DirBuilder::new().mode(0o700).create(&new).map_err(io("create", &new))?;
        // In the temporary folder, as the owner cannot reach the data folder.
        let password = std::env::temp_dir().join(format!("plumbline-{}", Uuid::new_v4()));
        // initdb passes the line on to ALTER USER, which takes a verifier as well as a password.
        private_file(&password, &scram::verifier(&self.credentials.password))?;
        let result = self.run_initdb(&new, &password, durability).await;
        std::fs::remove_file(&password).map_err(io("remove", &password))?;
        result?;
        let conf = new.join("postgresql.conf");
        let mut file = OpenOptions::new().append(true).open(&conf).map_err(io("open", &conf))?;
        writeln!(file, "include_if_exists = '{SETTINGS}'").map_err(io("write", &conf))?;
        std::fs::rename(&new, &self.dir).map_err(io("create", &self.dir))
    }

    async fn run_initdb(&self, dir: &Path, password: &Path, durability: Durability) -> Result<(), Error> {
        if let Some(owner) = self.owner {
            owner.own(dir)?;
            owner.own(password)?;
        }
        let mut command = process::command(&self.binaries.program("initdb"), dir, self.owner)?;
        command.args(["--username", NAME, "--auth", "scram-sha-256", "--pwfile"]).arg(password);
        command.args(["--encoding", "UTF8", "--locale", "C", "--no-instructions"]);
        if durability == Durability::Throwaway {
            command.arg("--no-sync");
        }
        let output = command.output().await.map_err(io("run", self.binaries.program("initdb")))?;
        if output.status.success() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&output.stderr);
        Err(Error::Failed { program: "initdb", output: text.trim().to_owned() })
    }

    /// Writes `plumbline.conf`, which the next start of the server reads.
    pub fn configure(&self, settings: &str) -> Result<(), Error> {
        let path = self.dir.join(SETTINGS);
        let new = self.dir.join("plumbline.conf.new");
        private_file(&new, settings)?;
        if let Some(owner) = self.owner {
            owner.own(&new)?;
        }
        std::fs::rename(&new, &path).map_err(io("write", &path))
    }

    /// Where clients connect, with the database.
    pub fn url(&self, port: u16) -> String {
        format!("postgres://{NAME}:{}@127.0.0.1:{port}/{NAME}", self.credentials.password)
    }
}

/// The major version of the cluster in `dir`; none where there is no cluster.
fn major_of(dir: &Path) -> Result<Option<u32>, Error> {
    let path = dir.join("PG_VERSION");
    match std::fs::read_to_string(&path) {
        Ok(text) => text.trim().parse().map(Some).map_err(|_| Error::Io {
            what: "read",
            path,
            source: std::io::Error::new(std::io::ErrorKind::InvalidData, format!("not a version: {text:?}")),
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(io("read", path)(source)),
    }
}

fn read_credentials(path: &Path) -> Result<Option<Credentials>, Error> {
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|e| io("read", path)(e.into())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(io("read", path)(source)),
    }
}

fn write_credentials(path: &Path) -> Result<Credentials, Error> {
    // Two random (version 4) UUIDs hold 244 random bits from the system's generator.
    let password = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
    let cluster = format!("plumbline-{}", Uuid::new_v4().simple());
    let credentials = Credentials { password, cluster };
    let text = serde_json::to_string(&credentials).map_err(|e| io("write", path)(e.into()))?;
    let new = path.with_extension("json.new");
    private_file(&new, &text)?;
    std::fs::rename(&new, path).map_err(io("write", path))?;
    Ok(credentials)
}

/// Writes a file that only its owner may read.
fn private_file(path: &Path, text: &str) -> Result<(), Error> {
    let mut file = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .map_err(io("create", path))?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(io("write", path))
}
