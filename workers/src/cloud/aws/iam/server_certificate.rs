//! Server certificates. Terraform: `aws_iam_server_certificate`. IAM never changes a certificate's body, so only what
//! can change is written.

use aws_sdk_iam::types::ServerCertificate;

use super::{ABSENT, tags};
use crate::cloud::aws::reader::{Context, Reader, Scope};
use crate::cloud::{OrAbsent, Properties, ReadError};

/// `ListServerCertificates`, and `GetServerCertificate` for the tags.
pub const READER: Reader = Reader {
    service: "iam",
    types: &["aws_iam_server_certificate"],
    scope: Scope::Global,
    read: |cx| Box::pin(read(cx)),
};

async fn read(cx: Context) -> Result<(), ReadError> {
    let mut pages = cx.iam().list_server_certificates().into_paginator().items().send();
    let mut names = Vec::new();
    while let Some(certificate) = pages.try_next().await? {
        names.push(certificate.server_certificate_name);
    }
    cx.for_each(names, |cx, name| async move {
        let call = cx.iam().get_server_certificate().server_certificate_name(name);
        let answer = call.send().await.or_absent(ABSENT)?;
        let certificate = answer.and_then(|answer| answer.server_certificate);
        if let Some((id, properties)) = certificate.as_ref().and_then(properties) {
            cx.emit(cx.resource("aws_iam_server_certificate", id).properties(properties)).await;
        }
        Ok(())
    })
    .await
}

fn properties(certificate: &ServerCertificate) -> Option<(&str, Properties)> {
    let metadata = certificate.server_certificate_metadata()?;
    let properties = Properties::new()
        .set("arn", metadata.arn())
        .set("name", metadata.server_certificate_name())
        .set("path", metadata.path())
        .tags(tags(certificate.tags()));
    Some((metadata.server_certificate_id(), properties))
}
