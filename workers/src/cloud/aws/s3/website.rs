//! `aws_s3_bucket_website_configuration`. Routing rules are written as `routing_rule` blocks; `routing_rules`, the same as
//! a JSON text, is left out because Terraform derives it.

use aws_sdk_s3::operation::get_bucket_website::GetBucketWebsiteOutput;
use aws_sdk_s3::types::{Condition, Protocol, Redirect, RoutingRule};

use super::bucket::{Bucket, Setting};
use crate::cloud::{OrAbsent, Properties, ReadError};

pub(super) async fn read(bucket: &Bucket) -> Result<Setting, ReadError> {
    let answer = bucket
        .client
        .get_bucket_website()
        .bucket(&bucket.name)
        .send()
        .await
        .or_absent(&["NoSuchWebsiteConfiguration"])?;
    Ok(match answer {
        Some(website) => Setting::Chosen(properties(&website)),
        None => Setting::Absent,
    })
}

fn properties(website: &GetBucketWebsiteOutput) -> Properties {
    let index = website.index_document.as_ref();
    let error = website.error_document.as_ref();
    let redirect = website.redirect_all_requests_to.as_ref().map(|redirect| {
        Properties::new()
            .set("host_name", &redirect.host_name)
            .set("protocol", redirect.protocol.as_ref().map(Protocol::as_str))
    });
    Properties::new()
        .block("index_document", index.map(|index| Properties::new().set("suffix", &index.suffix)))
        .block("error_document", error.map(|error| Properties::new().set("key", &error.key)))
        .block("redirect_all_requests_to", redirect)
        .blocks("routing_rule", website.routing_rules().iter().map(routing_rule))
}

fn routing_rule(rule: &RoutingRule) -> Properties {
    Properties::new()
        .block("condition", rule.condition.as_ref().map(condition))
        .block("redirect", rule.redirect.as_ref().map(redirect))
}

fn condition(condition: &Condition) -> Properties {
    Properties::new()
        .set("http_error_code_returned_equals", &condition.http_error_code_returned_equals)
        .set("key_prefix_equals", &condition.key_prefix_equals)
}

fn redirect(redirect: &Redirect) -> Properties {
    Properties::new()
        .set("host_name", &redirect.host_name)
        .set("http_redirect_code", &redirect.http_redirect_code)
        .set("protocol", redirect.protocol.as_ref().map(Protocol::as_str))
        .set("replace_key_prefix_with", &redirect.replace_key_prefix_with)
        .set("replace_key_with", &redirect.replace_key_with)
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::types::{ErrorDocument, IndexDocument};
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn documents_and_a_routing_rule() {
        let rule = RoutingRule::builder()
            .condition(Condition::builder().key_prefix_equals("docs/").build())
            .redirect(Redirect::builder().replace_key_prefix_with("documents/").protocol(Protocol::Https).build())
            .build();
        let website = GetBucketWebsiteOutput::builder()
            .index_document(IndexDocument::builder().suffix("index.html").build().unwrap())
            .error_document(ErrorDocument::builder().key("404.html").build().unwrap())
            .routing_rules(rule)
            .build();
        assert_eq!(
            Value::from(properties(&website)),
            json!({
                "index_document": [{"suffix": "index.html"}],
                "error_document": [{"key": "404.html"}],
                "redirect_all_requests_to": [],
                "routing_rule": [{
                    "condition": [{"http_error_code_returned_equals": null, "key_prefix_equals": "docs/"}],
                    "redirect": [{
                        "host_name": null, "http_redirect_code": null, "protocol": "https",
                        "replace_key_prefix_with": "documents/", "replace_key_with": null,
                    }],
                }],
            })
        );
    }
}
