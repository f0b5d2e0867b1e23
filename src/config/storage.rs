//! Where big things are kept, and who Plumbline is in its customers' clouds.

use super::given;
use anyhow::Result;
use jobs::artifacts::Store;
use std::path::Path;

/// The artifact store.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Storage")]
pub struct Storage {
    /// Where uploaded states and packs are kept: a folder, or `s3://bucket/prefix`; without it, `artifacts` in the data folder.
    /// Every API, worker and scheduler process needs the same.
    #[arg(long, env = "PLUMBLINE_ARTIFACTS", value_name = "PLACE")]
    artifacts: Option<String>,
}

impl Storage {
    /// Opens the store.
    ///
    /// # Errors
    /// A place that cannot be used.
    pub async fn open(&self, data_dir: &Path) -> Result<Store> {
        let folder = data_dir.join("artifacts");
        let folder = folder.to_string_lossy();
        Ok(Store::open(given(self.artifacts.as_ref()).unwrap_or(&folder)).await?)
    }
}
