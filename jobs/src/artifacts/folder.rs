//! Artifacts as files. Written beside their place and renamed into it, so that nobody reads half a file.

use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::stream::{Stream, StreamExt};
use tokio::fs::{self, DirBuilder, File};
use tokio::io::AsyncWriteExt;
use tokio_util::io::ReaderStream;
use uuid::Uuid;

use super::{Body, Error, Key, PAGE, Page, Place};

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

    pub(super) async fn list(&self, folder: &Key, from: Option<&Place>) -> Result<Page, Error> {
        let refused = |message: String| Error::Listing { folder: folder.clone(), message };
        let (root, below, from) = (self.root.clone(), folder.clone(), from.cloned());
        // Many small calls of the system: better on one thread than each on its way to one.
        let walked = tokio::task::spawn_blocking(move || {
            let after = from.as_ref().and_then(|place| place.0.strip_prefix(below.as_str()));
            let after: Vec<&str> = after.map(|rest| rest.split('/').skip(1).collect()).unwrap_or_default();
            let mut found = Vec::new();
            walk(&root, &below, &after, &mut found).map(|()| found)
        });
        let mut keys = walked.await.map_err(|error| refused(error.to_string()))?.map_err(|e| refused(e.to_string()))?;
        let has_more = keys.len() > PAGE;
        keys.truncate(PAGE);
        let next = keys.last().filter(|_| has_more).map(|key| Place(key.as_str().to_owned()));
        Ok(Page { keys, next })
    }
}

/// Collects the keys below a folder that come after one, whose parts below the folder are given, until there is one more than a page of
/// them. The order is that of names, part by part.
fn walk(root: &Path, folder: &Key, after: &[&str], found: &mut Vec<Key>) -> io::Result<()> {
    let entries = match std::fs::read_dir(root.join(folder.as_str())) {
        Ok(entries) => entries,
        // Never made, or removed meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| after.first().is_none_or(|first| name >= first)) else { continue };
        // Unfinished files, and whatever else is not ours, have names that no key has.
        if let Ok(key) = format!("{folder}/{name}").parse::<Key>() {
            names.push((name.to_owned(), key, entry.file_type()?.is_dir()));
        }
    }
    names.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    for (name, key, is_folder) in names {
        let rest = after.split_first().filter(|(first, _)| **first == name).map(|(_, rest)| rest);
        if is_folder {
            walk(root, &key, rest.unwrap_or_default(), found)?;
        } else if rest.is_none() {
            found.push(key);
        }
        if found.len() > PAGE {
            break;
        }
    }
    Ok(())
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
