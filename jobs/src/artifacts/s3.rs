//! Artifacts as objects. Small ones are put at once, big ones in parts; an upload that fails is aborted, so that nothing half
//! done is kept, or paid for.

use aws_sdk_s3::operation::get_object::GetObjectError;
use std::io;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::DisplayErrorContext;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::{Bytes, BytesMut};
use futures::stream::{Stream, StreamExt};
use tokio_util::io::ReaderStream;
use uuid::Uuid;

use super::{Body, Error, Key, PAGE, Page, Place};

/// Bytes of a part: above S3's least (5 MiB), and 10,000 of them are 80 GB.
const PART: usize = 8 << 20;
/// Bytes read at a time.
const READ: usize = 64 << 10;
/// Metadata of an object that was sent in parts: which upload made it.
const UPLOAD: &str = "plumbline-upload";

/// A bucket, and the prefix of all keys in it.
#[derive(Debug, Clone)]
pub struct S3 {
    client: Client,
    bucket: String,
    prefix: String,
}

/// An object on its way in parts.
struct Upload<'a> {
    /// The bucket's id of it, gone once it is complete.
    id: &'a str,
    /// Ours, which stays with the object.
    mark: &'a str,
}

impl S3 {
    /// A bucket with the process's own credentials and endpoint (`AWS_*`).
    pub(super) async fn from_env(bucket: &str, prefix: &str) -> Self {
        Self::new(&aws_config::defaults(aws_config::BehaviorVersion::latest()).load().await, bucket, prefix)
    }

    /// A bucket, reached as a configuration says.
    #[must_use]
    pub fn new(shared: &aws_config::SdkConfig, bucket: &str, prefix: &str) -> Self {
        // Behind another endpoint the bucket goes into the path: nobody resolves `bucket.127.0.0.1`.
        let path_style = shared.endpoint_url().is_some();
        let config = aws_sdk_s3::config::Builder::from(shared).force_path_style(path_style).build();
        Self { client: Client::from_conf(config), bucket: bucket.to_owned(), prefix: prefix.to_owned() }
    }

    fn object(&self, key: &Key) -> String {
        if self.prefix.is_empty() { key.as_str().to_owned() } else { format!("{}/{key}", self.prefix) }
    }

    pub(super) async fn put<B>(&self, key: &Key, mut body: B) -> Result<u64, Error>
    where
        B: Stream<Item = io::Result<Bytes>> + Send + Unpin,
    {
        let first = next_part(&mut body).await?;
        if first.len() < PART {
            let length = first.len() as u64;
            self.client
                .put_object()
                .bucket(&self.bucket)
                .key(self.object(key))
                .body(ByteStream::from(first))
                .send()
                .await
                .map_err(|error| refused(key, error))?;
            return Ok(length);
        }
        let mark = Uuid::new_v4().to_string();
        let upload = self
            .client
            .create_multipart_upload()
            .bucket(&self.bucket)
            .key(self.object(key))
            .metadata(UPLOAD, &mark)
            .send()
            .await
            .map_err(|error| refused(key, error))?;
        let id = upload.upload_id.ok_or_else(|| no_answer(key, "an upload id"))?;
        let sent = self.put_parts(key, &Upload { id: &id, mark: &mark }, first, &mut body).await;
        if sent.is_err() {
            let abort = self.client.abort_multipart_upload().bucket(&self.bucket).key(self.object(key)).upload_id(&id);
            if let Err(error) = abort.send().await {
                tracing::warn!(key = key.as_str(), error = %DisplayErrorContext(error), "upload not aborted");
            }
        }
        sent
    }

    async fn put_parts<B>(&self, key: &Key, upload: &Upload<'_>, first: Bytes, body: &mut B) -> Result<u64, Error>
    where
        B: Stream<Item = io::Result<Bytes>> + Send + Unpin,
    {
        let mut parts = Vec::new();
        let mut total = 0;
        let mut part = first;
        for number in 1.. {
            total += part.len() as u64;
            let last = part.len() < PART;
            let sent = self
                .client
                .upload_part()
                .bucket(&self.bucket)
                .key(self.object(key))
                .upload_id(upload.id)
                .part_number(number)
                .body(ByteStream::from(part))
                .send()
                .await
                .map_err(|error| refused(key, error))?;
            parts.push(CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag).build());
            if last {
                break;
            }
            part = next_part(body).await?;
        }
        let completed = self
            .client
            .complete_multipart_upload()
            .bucket(&self.bucket)
            .key(self.object(key))
            .upload_id(upload.id)
            .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(parts)).build())
            .send()
            .await;
        match completed {
            Err(error) if !self.is_there(key, upload).await => Err(refused(key, error)),
            _ => Ok(total),
        }
    }

    /// Whether this upload has become its object after all. An answer that gets lost, or that cannot be read, says nothing about
    /// what the bucket has done; and asked again, it no longer knows the upload.
    async fn is_there(&self, key: &Key, upload: &Upload<'_>) -> bool {
        let object = self.client.head_object().bucket(&self.bucket).key(self.object(key)).send().await;
        object.is_ok_and(|object| object.metadata.is_some_and(|all| all.get(UPLOAD).is_some_and(|m| m == upload.mark)))
    }

    pub(super) async fn get(&self, key: &Key) -> Result<Body, Error> {
        let got = self.client.get_object().bucket(&self.bucket).key(self.object(key)).send().await;
        match got {
            Ok(object) => Ok(ReaderStream::with_capacity(object.body.into_async_read(), READ).boxed()),
            Err(error) if error.as_service_error().is_some_and(GetObjectError::is_no_such_key) => {
                Err(Error::NotFound(key.clone()))
            }
            Err(error) => Err(refused(key, error)),
        }
    }

    pub(super) async fn delete(&self, key: &Key) -> Result<(), Error> {
        let deleted = self.client.delete_object().bucket(&self.bucket).key(self.object(key)).send().await;
        deleted.map(|_| ()).map_err(|error| refused(key, error))
    }

    pub(super) async fn list(&self, folder: &Key, from: Option<&Place>) -> Result<Page, Error> {
        let refused = |message: String| Error::Listing { folder: folder.clone(), message };
        let listed = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(format!("{}/", self.object(folder)))
            .set_start_after(from.map(|place| place.0.clone()))
            .max_keys(i32::try_from(PAGE).unwrap_or(i32::MAX))
            .send()
            .await
            .map_err(|error| refused(DisplayErrorContext(error).to_string()))?;
        let names: Vec<String> =
            listed.contents.unwrap_or_default().into_iter().filter_map(|object| object.key).collect();
        let ours = if self.prefix.is_empty() { String::new() } else { format!("{}/", self.prefix) };
        let keys = names.iter().filter_map(|name| name.strip_prefix(&ours)?.parse().ok()).collect();
        // By the last name, whether it is a key or not: a page of others' objects leads on to the next one.
        let next = names.last().filter(|_| listed.is_truncated == Some(true)).map(|name| Place(name.clone()));
        Ok(Page { keys, next })
    }
}

/// The next [`PART`] bytes; fewer at the end, none after it.
async fn next_part<B>(body: &mut B) -> Result<Bytes, Error>
where
    B: Stream<Item = io::Result<Bytes>> + Send + Unpin,
{
    let mut part = BytesMut::new();
    while part.len() < PART {
        match body.next().await {
            Some(chunk) => part.extend_from_slice(&chunk.map_err(Error::Body)?),
            None => break,
        }
    }
    Ok(part.freeze())
}

fn refused(key: &Key, error: impl std::error::Error + 'static) -> Error {
    Error::Bucket { key: key.clone(), message: DisplayErrorContext(error).to_string() }
}

fn no_answer(key: &Key, what: &str) -> Error {
    Error::Bucket { key: key.clone(), message: format!("the answer lacks {what}") }
}
