//! Reading one object of a bucket with an account's credentials: where Terraform states live.

use serde::Deserialize;
use tokio::io::AsyncRead;

use super::client::{Connector, Options};
use crate::cloud::{CloudError, Credential, ReadError};

/// Where an object lives.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Location {
    /// The bucket.
    pub bucket: String,
    /// The object's key.
    pub key: String,
    /// The bucket's region; none: the account's default region.
    #[serde(default)]
    pub region: Option<String>,
}

/// Why an object could not be opened.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ObjectError {
    /// The credentials cannot be used at all.
    #[error(transparent)]
    Cloud(#[from] CloudError),
    /// S3 refused or failed; see its class.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Opens an object. The bytes follow as they are read; a connection that stalls is given up by the SDK.
///
/// # Errors
/// See [`ObjectError`].
pub async fn open(
    credential: &Credential,
    options: Options,
    location: &Location,
) -> Result<impl AsyncRead + Send + Unpin + 'static, ObjectError> {
    let connector = Connector::new(credential, options)?;
    let region = location.region.as_deref().unwrap_or(connector.home_region());
    let clients = connector.pool().await.region(region);
    let object = clients.s3().get_object().bucket(&location.bucket).key(&location.key).send().await;
    Ok(object.map_err(ReadError::from)?.body.into_async_read())
}
