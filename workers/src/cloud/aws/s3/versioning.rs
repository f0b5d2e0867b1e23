//! `aws_s3_bucket_versioning`. Every bucket answers; one whose versioning was never switched on answers with nothing,
//! which Terraform calls `Disabled`.

use aws_sdk_s3::operation::get_bucket_versioning::GetBucketVersioningOutput;
use aws_sdk_s3::types::MfaDeleteStatus;

use super::bucket::{Bucket, Setting};
use crate::cloud::{Properties, ReadError};

pub(super) async fn read(bucket: &Bucket) -> Result<Setting, ReadError> {
    let answer = bucket.client.get_bucket_versioning().bucket(&bucket.name).send().await?;
    let properties = properties(&answer);
    Ok(match answer.status {
        None if answer.mfa_delete.is_none() => Setting::Default(properties),
        _ => Setting::Chosen(properties),
    })
}

fn properties(answer: &GetBucketVersioningOutput) -> Properties {
    let status = answer.status.as_ref().map_or("Disabled", |status| status.as_str());
    let versioning = Properties::new()
        .set("status", status)
        .set("mfa_delete", answer.mfa_delete.as_ref().map(MfaDeleteStatus::as_str));
    Properties::new().block("versioning_configuration", Some(versioning))
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::types::BucketVersioningStatus;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn never_switched_on_is_disabled() {
        let answer = GetBucketVersioningOutput::builder().build();
        assert_eq!(
            Value::from(properties(&answer)),
            json!({"versioning_configuration": [{"status": "Disabled", "mfa_delete": null}]})
        );
    }

    #[test]
    fn status_and_mfa_delete_are_told() {
        let answer = GetBucketVersioningOutput::builder()
            .status(BucketVersioningStatus::Suspended)
            .mfa_delete(MfaDeleteStatus::Disabled)
            .build();
        assert_eq!(
            Value::from(properties(&answer)),
            json!({"versioning_configuration": [{"status": "Suspended", "mfa_delete": "Disabled"}]})
        );
    }
}
