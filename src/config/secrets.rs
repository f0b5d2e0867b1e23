//! The master key, under which every stored secret is encrypted.

use super::given;
use anyhow::{Context as _, Result, bail};
use jobs::crypto::Keyring;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// The file that holds the key where the environment does not.
const FILE: &str = "master.key";

/// The master key and, while it is being rotated, the one before.
#[derive(Clone, clap::Args)]
#[command(next_help_heading = "Secrets")]
pub struct Secrets {
    /// Master key, 32 bytes in base64; without it, the file `master.key` in the data folder.
    #[arg(long, env = "PLUMBLINE_MASTER_KEY", value_name = "KEY", hide_env_values = true)]
    master_key: Option<String>,

    /// The master key before the current one, while stored secrets are rewrapped.
    #[arg(long, env = "PLUMBLINE_MASTER_KEY_PREVIOUS", value_name = "KEY", hide_env_values = true)]
    master_key_previous: Option<String>,
}

/// What to do when there is no master key yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissingKey {
    /// Make one: the installation is new, so nothing can be encrypted yet.
    Create,
    /// Refuse: what is stored would be unreadable.
    Refuse,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secrets").finish_non_exhaustive()
    }
}

impl Secrets {
    /// The keys: from the environment, or from the data folder.
    ///
    /// # Errors
    /// A key that is not 32 bytes of base64, an unreadable file, or no key where one is needed.
    pub fn keyring(&self, data_dir: &Path, missing: MissingKey) -> Result<Keyring> {
        let previous = given(self.master_key_previous.as_ref());
        if let Some(current) = given(self.master_key.as_ref()) {
            return Keyring::parse(current, previous).context("PLUMBLINE_MASTER_KEY cannot be used");
        }
        let path = data_dir.join(FILE);
        let current = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => match missing {
                MissingKey::Create => create(&path)?,
                MissingKey::Refuse => bail!(
                    "there is no master key: PLUMBLINE_MASTER_KEY is not set and {} does not exist. Give this process the key \
                     that its installation was begun with",
                    path.display()
                ),
            },
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        Keyring::parse(current.trim(), previous).with_context(|| format!("{} cannot be used", path.display()))
    }

    /// Where the key comes from, for reading.
    #[must_use]
    pub fn source(&self, data_dir: &Path) -> Option<String> {
        if given(self.master_key.as_ref()).is_some() {
            return Some("PLUMBLINE_MASTER_KEY".into());
        }
        let path: PathBuf = data_dir.join(FILE);
        path.exists().then(|| path.display().to_string())
    }
}

/// Writes a new key, for its owner's eyes only.
fn create(path: &Path) -> Result<String> {
    let key = Keyring::generate();
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| writeln!(file, "{key}").and_then(|()| file.sync_all()))
        .with_context(|| format!("cannot write {}", path.display()))?;
    tracing::info!(path = %path.display(), "master key created; keep a copy of it");
    Ok(key)
}
