//! Key pairs. Terraform: `aws_key_pair`, whose id is the name.

use aws_sdk_ec2::types::KeyType;

use super::tags;
use crate::cloud::aws::reader::{Context, Reader, Scope};
use crate::cloud::{Properties, ReadError};

/// `DescribeKeyPairs`.
pub const READER: Reader =
    Reader { service: "ec2", types: &["aws_key_pair"], scope: Scope::Regional, read: |cx| Box::pin(read(cx)) };

async fn read(cx: Context) -> Result<(), ReadError> {
    let answer = cx.ec2().describe_key_pairs().send().await?;
    for pair in answer.key_pairs() {
        let Some(name) = pair.key_name() else { continue };
        let properties = Properties::new()
            .set("arn", cx.arn("ec2", format!("key-pair/{name}")))
            .set("fingerprint", pair.key_fingerprint())
            .set("key_name", name)
            .set("key_pair_id", pair.key_pair_id())
            .told("key_type", pair.key_type().map(KeyType::as_str))
            .tags(tags(pair.tags()));
        cx.emit(cx.resource("aws_key_pair", name).name(name).properties(properties)).await;
    }
    Ok(())
}
