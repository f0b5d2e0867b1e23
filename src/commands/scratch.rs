//! A private folder for what a command starts, removed with its end.

use anyhow::{Context as _, Result};
use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// The folder.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    keep: bool,
}

impl Scratch {
    /// Creates it, named after the command.
    pub fn new(command: &str) -> Result<Self> {
        let path = std::env::temp_dir().join(format!("plumbline-{command}-{}", Uuid::new_v4().simple()));
        DirBuilder::new().mode(0o700).create(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self { path, keep: false })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The data folder in it.
    pub fn data_dir(&self) -> PathBuf {
        self.path.join("data")
    }

    /// A new file in it, for the log of a part.
    pub fn log(&self, name: &str) -> Result<File> {
        let path = self.path.join(name);
        File::create(&path).with_context(|| format!("cannot create {}", path.display()))
    }

    /// Leaves it behind, for whoever must find out what went wrong.
    pub fn keep(&mut self) {
        self.keep = true;
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.keep {
            eprintln!("logs are in {}", self.path.display());
        } else if let Err(error) = std::fs::remove_dir_all(&self.path) {
            eprintln!("{} could not be removed: {error}", self.path.display());
        }
    }
}
