//! What is in a store, a page at a time.

use super::{Error, Key, Store};

/// Keys of one page of a listing: as many as S3 gives at once.
pub const PAGE: usize = 1_000;

/// Where a listing goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place(pub(super) String);

/// A part of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Up to [`PAGE`] keys, in an order of the store's own.
    pub keys: Vec<Key>,
    /// Where the next page begins; `None`: this is the last one.
    pub next: Option<Place>,
}

impl Store {
    /// What is there below a folder, from a place on. What somebody else put there under a name that is no key is left out.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn list(&self, folder: &Key, from: Option<&Place>) -> Result<Page, Error> {
        match self {
            Self::Folder(root) => root.list(folder, from).await,
            Self::S3(s3) => s3.list(folder, from).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures::stream;

    use super::*;

    #[tokio::test]
    async fn a_folder_is_listed_page_by_page_and_shows_nothing_unfinished() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::open(root.path().to_str().unwrap()).await.unwrap();
        let states: Key = "states".parse().unwrap();
        assert_eq!(store.list(&states, None).await.unwrap(), Page { keys: Vec::new(), next: None });
        let mut put: Vec<String> = (0..PAGE + 5).map(|n| format!("states/org-{}/s.{}/{n:05}", n % 3, n % 7)).collect();
        put.push("states/top".to_owned());
        for name in &put {
            store.put_stream(&name.parse().unwrap(), stream::iter([Ok(Bytes::from_static(b"x"))])).await.unwrap();
        }
        store.put_stream(&"packs/a".parse().unwrap(), stream::iter([Ok(Bytes::from_static(b"x"))])).await.unwrap();
        std::fs::write(root.path().join("states/org-0/.half"), "x").unwrap();
        std::fs::write(root.path().join("states/a name with spaces"), "x").unwrap();

        let first = store.list(&states, None).await.unwrap();
        assert_eq!(first.keys.len(), PAGE);
        // What is deleted meanwhile, the place itself included, makes nothing else disappear.
        store.delete(&first.keys[PAGE - 1]).await.unwrap();
        let second = store.list(&states, first.next.as_ref()).await.unwrap();
        assert_eq!((second.keys.len(), &second.next), (6, &None));
        let mut listed: Vec<String> = first.keys.iter().chain(&second.keys).map(ToString::to_string).collect();
        listed.sort_unstable();
        put.sort_unstable();
        assert_eq!(listed, put);
    }
}
