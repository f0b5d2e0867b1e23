//! Identity providers. Terraform: `aws_iam_openid_connect_provider` and `aws_iam_saml_provider`.

use aws_sdk_iam::operation::get_open_id_connect_provider::GetOpenIdConnectProviderOutput;
use aws_sdk_iam::operation::get_saml_provider::GetSamlProviderOutput;

use super::{ABSENT, tags};
use crate::cloud::aws::reader::{Context, Reader, Scope};
use crate::cloud::{OrAbsent, Properties, ReadError};

/// `ListOpenIDConnectProviders`, which has no pages, and `GetOpenIDConnectProvider`.
pub const OIDC: Reader = Reader {
    service: "iam",
    types: &["aws_iam_openid_connect_provider"],
    scope: Scope::Global,
    read: |cx| Box::pin(read_oidc(cx)),
};

/// `ListSAMLProviders`, which has no pages, and `GetSAMLProvider`.
pub const SAML: Reader = Reader {
    service: "iam",
    types: &["aws_iam_saml_provider"],
    scope: Scope::Global,
    read: |cx| Box::pin(read_saml(cx)),
};

async fn read_oidc(cx: Context) -> Result<(), ReadError> {
    let answer = cx.iam().list_open_id_connect_providers().send().await?;
    let arns = answer.open_id_connect_provider_list.unwrap_or_default();
    cx.for_each(arns.into_iter().filter_map(|entry| entry.arn), |cx, arn| async move {
        let call = cx.iam().get_open_id_connect_provider().open_id_connect_provider_arn(&arn);
        if let Some(provider) = call.send().await.or_absent(ABSENT)? {
            let properties = oidc_properties(&arn, &provider);
            cx.emit(cx.resource("aws_iam_openid_connect_provider", arn).properties(properties)).await;
        }
        Ok(())
    })
    .await
}

fn oidc_properties(arn: &str, provider: &GetOpenIdConnectProviderOutput) -> Properties {
    Properties::new()
        .set("arn", arn)
        .set("url", provider.url())
        .set("client_id_list", provider.client_id_list())
        .set("thumbprint_list", provider.thumbprint_list())
        .tags(tags(provider.tags()))
}

async fn read_saml(cx: Context) -> Result<(), ReadError> {
    let answer = cx.iam().list_saml_providers().send().await?;
    let arns = answer.saml_provider_list.unwrap_or_default();
    cx.for_each(arns.into_iter().filter_map(|entry| entry.arn), |cx, arn| async move {
        let call = cx.iam().get_saml_provider().saml_provider_arn(&arn);
        if let Some(provider) = call.send().await.or_absent(ABSENT)? {
            let properties = saml_properties(&arn, &provider);
            cx.emit(cx.resource("aws_iam_saml_provider", arn).properties(properties)).await;
        }
        Ok(())
    })
    .await
}

/// The name stands only in the ARN.
fn saml_properties(arn: &str, provider: &GetSamlProviderOutput) -> Properties {
    Properties::new()
        .set("arn", arn)
        .set("name", arn.rsplit('/').next())
        .told("saml_metadata_document", provider.saml_metadata_document())
        .tags(tags(provider.tags()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_saml_providers_name_is_the_end_of_its_arn() {
        let provider = GetSamlProviderOutput::builder().saml_metadata_document("<xml/>").build();
        let written = saml_properties("arn:aws:iam::123456789012:saml-provider/okta", &provider);
        assert_eq!(written.get("name"), Some(&json!("okta")));
    }
}
