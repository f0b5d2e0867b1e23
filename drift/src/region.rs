//! Which region a declared object lives in, as far as its state tells.
//!
//! It matters where ids are names: two log groups of one name in two regions are two resources. A state does not hold the providers'
//! configuration, so the region comes from the object's own attributes, and otherwise from what other objects of the same
//! provider say about theirs (see [`crate::compare`]).

use serde_json::{Map, Value};

use crate::live::GLOBAL;

/// Prefixes of types whose service is the same everywhere. Source: AWS's list of global services.
const GLOBAL_PREFIXES: &[&str] = &[
    "aws_account_",
    "aws_budgets_",
    "aws_ce_",
    "aws_cloudfront_",
    "aws_cloudwatch_dashboard",
    "aws_globalaccelerator_",
    "aws_iam_",
    "aws_networkmanager_",
    "aws_organizations_",
    "aws_route53_",
    "aws_shield_",
    "aws_waf_",
];

/// Those that look like it and are regional.
const REGIONAL_PREFIXES: &[&str] = &["aws_route53_resolver_", "aws_route53_profiles_"];

/// Attributes that hold the ARN of something in the same region, or an URL that names it, in the order of trust.
const TELLING: &[&str] = &[
    "topic_arn",
    "queue_url",
    "target_key_arn",
    "secret_arn",
    "secret_id",
    "cluster_arn",
    "cluster",
    "load_balancer_arn",
    "listener_arn",
    "target_group_arn",
    "function_arn",
    "function_name",
    "stream_arn",
    "resource_arn",
    "table_arn",
    "api_arn",
    "execution_arn",
    "certificate_arn",
    "url",
    "id",
];

/// Whether the type's service is global.
#[must_use]
pub fn is_global(provider_type: &str) -> bool {
    starts_with_any(provider_type, GLOBAL_PREFIXES) && !starts_with_any(provider_type, REGIONAL_PREFIXES)
}

fn starts_with_any(text: &str, prefixes: &[&str]) -> bool {
    prefixes.iter().any(|p| text.starts_with(p))
}

/// The region that an object's own attributes tell.
#[must_use]
pub fn of_attributes(provider_type: &str, attributes: &Map<String, Value>) -> Option<String> {
    if is_global(provider_type) {
        return Some(GLOBAL.to_owned());
    }
    let text = |name: &str| attributes.get(name).and_then(Value::as_str).filter(|s| !s.is_empty());
    let own = text("region").filter(|r| prefix(r) == Some(r)).map(str::to_owned);
    own.or_else(|| text("arn").and_then(of_arn).map(str::to_owned))
        .or_else(|| text("availability_zone").and_then(prefix).map(str::to_owned))
        .or_else(|| TELLING.iter().find_map(|name| text(name).and_then(of_text)).map(str::to_owned))
}

fn of_text(text: &str) -> Option<&str> {
    of_arn(text).or_else(|| of_queue_url(text))
}

/// The region in an ARN, where it has one.
#[must_use]
pub fn of_arn(arn: &str) -> Option<&str> {
    arn.strip_prefix("arn:")?.split(':').nth(2).filter(|r| prefix(r) == Some(r))
}

/// The account in an ARN, where it has one.
#[must_use]
pub fn account_of_arn(arn: &str) -> Option<&str> {
    let account = arn.strip_prefix("arn:")?.split(':').nth(3)?;
    (account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit())).then_some(account)
}

fn of_queue_url(url: &str) -> Option<&str> {
    let host = url.split_once("://")?.1.split('/').next()?;
    host.strip_prefix("sqs.")?.split('.').next().filter(|r| prefix(r) == Some(r))
}

/// The region at the start of a zone's name: `us-east-1` of `us-east-1a`, `us-west-2` of `us-west-2-lax-1a`.
fn prefix(text: &str) -> Option<&str> {
    let mut at = 0;
    for (words, word) in text.split('-').enumerate() {
        if words >= 2 && word.starts_with(|c: char| c.is_ascii_digit()) {
            let digits = word.bytes().take_while(u8::is_ascii_digit).count();
            return text.get(..at + digits);
        }
        let letters = !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
        if !letters || (words == 0 && word.len() != 2) {
            return None;
        }
        at += word.len() + 1;
    }
    None
}

/// The region in a provider's alias, where people name aliases after regions: `eu_west_1`, `by_region["us-east-1"]`.
#[must_use]
pub fn of_provider(provider: &str) -> Option<String> {
    let alias = provider.rsplit_once("/aws").map_or(provider, |(_, rest)| rest);
    let spelled = alias.replace('_', "-");
    spelled
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
        .filter(|word| word.len() > 6)
        .find_map(|word| prefix(word).filter(|r| *r == word).map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(provider_type: &str, attributes: &Value) -> Option<String> {
        of_attributes(provider_type, attributes.as_object().unwrap())
    }

    #[test]
    fn attributes_tell() {
        assert_eq!(of("aws_iam_role", &json!({})), Some("global".into()));
        assert_eq!(of("aws_route53_resolver_rule", &json!({})), None);
        assert_eq!(of("aws_sqs_queue", &json!({"arn": "arn:aws:sqs:eu-west-1:1:q"})), Some("eu-west-1".into()));
        assert_eq!(of("aws_ebs_volume", &json!({"availability_zone": "us-gov-west-1a"})), Some("us-gov-west-1".into()));
        assert_eq!(of("aws_subnet", &json!({"availability_zone": "us-west-2-lax-1a"})), Some("us-west-2".into()));
        assert_eq!(
            of("aws_s3_bucket", &json!({"arn": "arn:aws:s3:::b", "region": "ap-southeast-2"})),
            Some("ap-southeast-2".into())
        );
        assert_eq!(
            of("aws_sqs_queue_policy", &json!({"queue_url": "https://sqs.us-east-2.amazonaws.com/1/q"})),
            Some("us-east-2".into())
        );
        assert_eq!(of("aws_s3_bucket_policy", &json!({"bucket": "us-east-1"})), None);
    }

    #[test]
    fn providers_tell_when_named_after_regions() {
        assert_eq!(of_provider("registry.terraform.io/hashicorp/aws.eu_west_1"), Some("eu-west-1".into()));
        assert_eq!(
            of_provider("registry.opentofu.org/hashicorp/aws.by_region[\"us-east-1\"]"),
            Some("us-east-1".into())
        );
        assert_eq!(of_provider("registry.terraform.io/hashicorp/aws.eu"), None);
        assert_eq!(of_provider("registry.terraform.io/hashicorp/aws"), None);
    }

    #[test]
    fn arns_tell_accounts() {
        assert_eq!(account_of_arn("arn:aws:iam::123456789012:role/a"), Some("123456789012"));
        assert_eq!(account_of_arn("arn:aws:iam::aws:policy/a"), None);
        assert_eq!(account_of_arn("arn:aws:s3:::b"), None);
    }
}
