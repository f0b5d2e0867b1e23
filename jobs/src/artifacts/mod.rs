//! Big things that do not belong into a database: uploaded states, finished packs.
//!
//! A [`Store`] is a bucket or a folder with the same interface, named by `PLUMBLINE_ARTIFACTS` (`s3://bucket/prefix`, or a
//! path). An artifact is there whole or not at all: a folder renames a finished file into place, a bucket completes an
//! upload. What holds secrets is sealed on its way ([`sealed`]), so the store never sees a plain byte.

mod folder;
mod listing;
mod s3;
pub mod sealed;

use std::fmt;
use std::io;
use std::str::FromStr;

use bytes::Bytes;
use futures::stream::{BoxStream, Stream};
use uuid::Uuid;

use crate::crypto::{Aad, Keyring};
use crate::ids::{OrgId, StateSourceId};

pub use folder::Folder;
pub use listing::{PAGE, Page, Place};
pub use s3::S3;

/// Bytes on their way.
pub type Body = BoxStream<'static, io::Result<Bytes>>;

/// The name of an artifact: segments of letters, digits, `.`, `_` and `-`, separated by `/`, none of them starting with a dot.
/// So it is a path below a folder and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key(String);

/// A text that is no [`Key`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "an artifact's key is made of letters, digits, '.', '_', '-' and single '/'s, no part starts with a dot, 512 bytes at most"
)]
pub struct InvalidKey;

/// The longest key.
const MAX_KEY: usize = 512;

/// The folder of uploaded states.
const UPLOADS: &str = "states";

impl Key {
    /// A new key for an uploaded state.
    #[must_use]
    pub fn for_upload(org: OrgId, source: StateSourceId) -> Self {
        Self(format!("{UPLOADS}/{org}/{source}/{}", Uuid::now_v7()))
    }

    /// The key's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Where uploaded states are.
    #[must_use]
    pub fn uploads() -> Self {
        Self(UPLOADS.to_owned())
    }

    /// The id that [`for_upload`](Self::for_upload) gave the key, which tells when; `None` of any other key.
    #[must_use]
    pub fn upload_id(&self) -> Option<Uuid> {
        let mut parts = self.0.split('/');
        let (folder, org, source, id) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let is_ours = folder == UPLOADS && parts.next().is_none();
        (is_ours && org.parse::<OrgId>().is_ok() && source.parse::<StateSourceId>().is_ok())
            .then(|| id.parse::<Uuid>().ok().filter(|id| id.get_version_num() == 7))
            .flatten()
    }

    /// The place that an artifact of this key is sealed for.
    fn place(&self, org: OrgId) -> Aad<'_> {
        Aad { org: org.uuid(), table: "artifact", column: "bytes", row: &self.0 }
    }
}

impl FromStr for Key {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let is_segment = |segment: &str| {
            !segment.is_empty()
                && !segment.starts_with('.')
                && segment.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        };
        if text.len() <= MAX_KEY && text.split('/').all(is_segment) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidKey)
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An artifact could not be put, got or deleted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is none of this key.
    #[error("no artifact {0}")]
    NotFound(Key),
    /// The bytes broke off, or are not what was stored. When putting, nothing was stored.
    #[error("the artifact's bytes cannot be used: {0}")]
    Body(#[source] io::Error),
    /// The folder refused.
    #[error("the artifact folder refused {key}: {source}")]
    Folder {
        /// Which artifact.
        key: Key,
        /// The system's words.
        source: io::Error,
    },
    /// The bucket refused.
    #[error("the artifact bucket refused {key}: {message}")]
    Bucket {
        /// Which artifact.
        key: Key,
        /// S3's words.
        message: String,
    },
    /// The store refused to tell what is in it.
    #[error("the artifacts below {folder} cannot be listed: {message}")]
    Listing {
        /// Where.
        folder: Key,
        /// The system's words, or S3's.
        message: String,
    },
    /// Sealing or opening failed.
    #[error("artifact {key}: {source}")]
    Sealing {
        /// Which artifact.
        key: Key,
        /// Why.
        source: crate::crypto::OpenError,
    },
}

/// `PLUMBLINE_ARTIFACTS` names no store.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Not `s3://bucket[/prefix]`.
    #[error("PLUMBLINE_ARTIFACTS is \"{0}\": an S3 store is written s3://bucket or s3://bucket/prefix")]
    Address(String),
    /// The folder cannot be made.
    #[error("PLUMBLINE_ARTIFACTS names a folder that cannot be used, {path}: {source}")]
    Folder {
        /// The folder.
        path: String,
        /// The system's words.
        source: io::Error,
    },
}

/// Where artifacts are kept. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Store {
    /// A folder of this machine, or one that machines share.
    Folder(Folder),
    /// A bucket of S3 or of something that speaks it.
    S3(S3),
}

impl Store {
    /// The store that a setting names. A folder is made where it is missing; a bucket is not looked for yet.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub async fn open(setting: &str) -> Result<Self, ConfigError> {
        match setting.strip_prefix("s3://") {
            Some(address) => {
                let (bucket, prefix) = address.split_once('/').unwrap_or((address, ""));
                let prefix = prefix.trim_matches('/');
                if bucket.is_empty() || !(prefix.is_empty() || prefix.parse::<Key>().is_ok()) {
                    return Err(ConfigError::Address(setting.to_owned()));
                }
                Ok(Self::S3(S3::from_env(bucket, prefix).await))
            }
            None => Folder::open(setting)
                .await
                .map(Self::Folder)
                .map_err(|source| ConfigError::Folder { path: setting.to_owned(), source }),
        }
    }

    /// Stores bytes under a key, in the place of what was there; how many.
    ///
    /// # Errors
    /// See [`Error`]; then nothing has changed.
    pub async fn put_stream<B>(&self, key: &Key, body: B) -> Result<u64, Error>
    where
        B: Stream<Item = io::Result<Bytes>> + Send + Unpin,
    {
        match self {
            Self::Folder(folder) => folder.put(key, body).await,
            Self::S3(s3) => s3.put(key, body).await,
        }
    }

    /// The bytes of a key.
    ///
    /// # Errors
    /// See [`Error`]; later failures are items of the stream.
    pub async fn get_stream(&self, key: &Key) -> Result<Body, Error> {
        match self {
            Self::Folder(folder) => folder.get(key).await,
            Self::S3(s3) => s3.get(key).await,
        }
    }

    /// Removes an artifact; one that is not there is no error.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn delete(&self, key: &Key) -> Result<(), Error> {
        match self {
            Self::Folder(folder) => folder.delete(key).await,
            Self::S3(s3) => s3.delete(key).await,
        }
    }

    /// [`put_stream`](Self::put_stream), sealed for the organisation.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn put_sealed<B>(&self, keyring: &Keyring, org: OrgId, key: &Key, body: B) -> Result<(), Error>
    where
        B: Stream<Item = io::Result<Bytes>> + Send + Unpin,
    {
        let body = sealed::seal(keyring, key.place(org), body);
        let body = body.map_err(|source| Error::Sealing { key: key.clone(), source })?;
        futures::pin_mut!(body);
        self.put_stream(key, body).await?;
        Ok(())
    }

    /// [`get_stream`](Self::get_stream) of what [`put_sealed`](Self::put_sealed) stored for the same organisation. A changed
    /// or cut artifact ends in an error (kind `InvalidData`), never in wrong bytes.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn get_sealed(&self, keyring: &Keyring, org: OrgId, key: &Key) -> Result<Body, Error> {
        let body = self.get_stream(key).await?;
        sealed::open(keyring, key.place(org), body).await.map_err(Error::Body)
    }
}

#[cfg(test)]
mod tests {
    use futures::stream::{self, StreamExt, TryStreamExt};

    use super::*;

    #[test]
    fn a_key_is_a_path_below_and_nothing_else() {
        for good in ["a", "states/0190-ab/x.tfstate", "A_b-c.d/e"] {
            assert_eq!(good.parse::<Key>().unwrap().as_str(), good);
        }
        let long = "a".repeat(MAX_KEY + 1);
        for bad in ["", "/a", "a/", "a//b", "..", "a/../b", ".hidden", "a/.b", "a b", "a\\b", "a\0", "ä", long.as_str()]
        {
            assert_eq!(bad.parse::<Key>(), Err(InvalidKey), "{bad:?}");
        }
    }

    fn body(chunks: &[&'static [u8]]) -> Body {
        let chunks: Vec<io::Result<Bytes>> = chunks.iter().map(|chunk| Ok(Bytes::from_static(chunk))).collect();
        stream::iter(chunks).boxed()
    }

    async fn all(body: Body) -> io::Result<Vec<u8>> {
        body.try_fold(Vec::new(), |mut all, chunk| async move {
            all.extend_from_slice(&chunk);
            Ok(all)
        })
        .await
    }

    #[tokio::test]
    async fn a_folder_keeps_whole_artifacts_only() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::open(root.path().join("new").to_str().unwrap()).await.unwrap();
        let key: Key = "states/a/b".parse().unwrap();
        assert!(matches!(store.get_stream(&key).await, Err(Error::NotFound(missing)) if missing == key));

        let broken = stream::iter([Ok(Bytes::from_static(b"half")), Err(io::Error::other("gone"))]);
        assert!(matches!(store.put_stream(&key, broken).await, Err(Error::Body(_))));
        assert!(matches!(store.get_stream(&key).await, Err(Error::NotFound(_))));
        let left = std::fs::read_dir(root.path().join("new/states/a")).unwrap().count();
        assert_eq!(left, 0, "an unfinished file stayed");

        assert_eq!(store.put_stream(&key, body(&[b"one", b"two"])).await.unwrap(), 6);
        assert_eq!(store.put_stream(&key, body(&[b"three"])).await.unwrap(), 5);
        assert_eq!(all(store.get_stream(&key).await.unwrap()).await.unwrap(), b"three");
        store.delete(&key).await.unwrap();
        store.delete(&key).await.unwrap();
        assert!(matches!(store.get_stream(&key).await, Err(Error::NotFound(_))));
    }

    #[tokio::test]
    async fn a_sealed_artifact_opens_for_its_organisation_and_key_only() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::open(root.path().to_str().unwrap()).await.unwrap();
        let keyring = Keyring::parse(&Keyring::generate(), None).unwrap();
        let (org, key) = (OrgId::new(), "a".parse::<Key>().unwrap());
        store.put_sealed(&keyring, org, &key, body(&[b"hunter2"])).await.unwrap();
        assert_eq!(all(store.get_sealed(&keyring, org, &key).await.unwrap()).await.unwrap(), b"hunter2");
        assert!(store.get_sealed(&keyring, OrgId::new(), &key).await.is_err());
        std::fs::rename(root.path().join("a"), root.path().join("b")).unwrap();
        assert!(store.get_sealed(&keyring, org, &"b".parse().unwrap()).await.is_err());
        let stored = std::fs::read(root.path().join("b")).unwrap();
        assert!(!stored.windows(7).any(|window| window == b"hunter2"));
    }

    #[test]
    fn the_key_of_an_upload_tells_when_and_no_other_key_does() {
        let before = Uuid::now_v7();
        let (org, source) = (OrgId::new(), StateSourceId::new());
        let key = Key::for_upload(org, source);
        assert!(key.upload_id().unwrap() > before);
        let v4 = Uuid::new_v4();
        for other in [
            format!("states/{org}/{source}/{v4}"),
            format!("states/{org}/{source}/{before}/x"),
            format!("states/{org}/{before}"),
            format!("states/acme/{source}/{before}"),
            format!("packs/{org}/{source}/{before}"),
        ] {
            assert_eq!(other.parse::<Key>().unwrap().upload_id(), None, "{other}");
        }
    }

    #[tokio::test]
    async fn an_odd_address_is_refused() {
        for odd in ["s3://", "s3:///prefix", "s3://bucket/../x"] {
            assert!(matches!(Store::open(odd).await, Err(ConfigError::Address(_))), "{odd}");
        }
    }
}
