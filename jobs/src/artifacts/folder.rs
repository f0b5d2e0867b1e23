//! Artifacts as files. Written beside their place and renamed into it, so that nobody reads half a file.

use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::stream::{Stream, StreamExt};
use tokio::fs::{self, DirBuilder, File};
use tokio::io::AsyncWriteExt;
use tokio_util::io::ReaderStream;
use uuid::Uuid;

use super::{Body, Error, Key};

/// Bytes read at a time.
const READ: usize = 64 << 10;

/// A folder that holds artifacts. Only its owner may look inside.
#[derive(Debug, Clone)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    pub(super) async fn open(root: impl Into<PathBuf>) -> io::Result<Self> {
        let root = root.into();
        make_private(&root).await?;
        Ok(Self { root })
    }

    pub(super) async fn put<B>(&self, key: &Key, mut body: B) -> Result<u64, Error>
    where
        B: Stream<Item = io::Result<Bytes>> + Send + Unpin,
    {
        let place = self.root.join(key.as_str());
        let folder = place.parent().unwrap_or(&self.root);
        let refused = |source| Error::Folder { key: key.clone(), source };
        make_private(folder).await.map_err(refused)?;
        // A name that no key can have; removed when anything below fails or this future is dropped.
        let unfinished = Unfinished(folder.join(format!(".{}", Uuid::new_v4())));
        let mut file = File::create_new(&unfinished.0).await.map_err(refused)?;
        let mut written = 0;
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(Error::Body)?;
            written += chunk.len() as u64;
            file.write_all(&chunk).await.map_err(refused)?;
        }
        file.flush().await.map_err(refused)?;
        file.sync_all().await.map_err(refused)?;
        fs::rename(&unfinished.0, &place).await.map_err(refused)?;
        Ok(written)
    }

    pub(super) async fn get(&self, key: &Key) -> Result<Body, Error> {
        match File::open(self.root.join(key.as_str())).await {
            Ok(file) => Ok(ReaderStream::with_capacity(file, READ).boxed()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::NotFound(key.clone())),
            Err(source) => Err(Error::Folder { key: key.clone(), source }),
        }
    }

    pub(super) async fn delete(&self, key: &Key) -> Result<(), Error> {
        match fs::remove_file(self.root.join(key.as_str())).await {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(Error::Folder { key: key.clone(), source }),
        }
    }
}

async fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    builder.mode(0o700);
    builder.create(folder).await
}

/// A file that goes away unless it was renamed before.
struct Unfinished(PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        // After the rename there is nothing of this name, and that is fine.
        let _ = std::fs::remove_file(&self.0);
    }
}
