//! `aws_s3_bucket_accelerate_configuration` and `aws_s3_bucket_request_payment_configuration`: one word each.

use aws_sdk_s3::types::Payer;

use super::bucket::{Bucket, Setting};
use crate::cloud::{Properties, ReadError};

/// A bucket on which acceleration was never touched answers without a status.
pub(super) async fn read_accelerate(bucket: &Bucket) -> Result<Setting, ReadError> {
    let answer = bucket.client.get_bucket_accelerate_configuration().bucket(&bucket.name).send().await?;
    Ok(match answer.status {
        Some(status) => Setting::Chosen(Properties::new().set("status", status.as_str())),
        None => Setting::Absent,
    })
}

/// Every bucket answers; that its owner pays is the default.
pub(super) async fn read_request_payment(bucket: &Bucket) -> Result<Setting, ReadError> {
    let answer = bucket.client.get_bucket_request_payment().bucket(&bucket.name).send().await?;
    Ok(match answer.payer {
        Some(Payer::BucketOwner) => Setting::Default(Properties::new().set("payer", Payer::BucketOwner.as_str())),
        Some(payer) => Setting::Chosen(Properties::new().set("payer", payer.as_str())),
        None => Setting::Absent,
    })
}
