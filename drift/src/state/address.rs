//! Addresses as Terraform writes them.

use std::fmt::Write as _;

use serde_json::Value;

/// The address of an instance; none if the key is neither absent, a whole number nor a string.
pub(super) fn instance(
    module: Option<&str>,
    provider_type: &str,
    name: &str,
    index_key: Option<&Value>,
) -> Option<String> {
    let mut address = resource(module, provider_type, name);
    match index_key {
        None | Some(Value::Null) => {}
        Some(Value::Number(n)) if n.is_u64() || n.is_i64() => {
            let _ = write!(address, "[{n}]");
        }
        Some(Value::String(key)) => {
            address.push('[');
            quote(key, &mut address);
            address.push(']');
        }
        Some(_) => return None,
    }
    Some(address)
}

/// The address of a resource without an index.
pub(super) fn resource(module: Option<&str>, provider_type: &str, name: &str) -> String {
    match module {
        Some(module) if !module.is_empty() => format!("{module}.{provider_type}.{name}"),
        _ => format!("{provider_type}.{name}"),
    }
}

/// As `addrs.StringKey` prints: an HCL string, template markers doubled.
fn quote(key: &str, out: &mut String) {
    out.push('"');
    let mut chars = key.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '$' | '%' => {
                out.push(c);
                if chars.peek() == Some(&'{') {
                    out.push(c);
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// The provider's address without its wrapping: `registry.terraform.io/hashicorp/aws.eu` for
/// `provider["registry.terraform.io/hashicorp/aws"].eu`.
pub(super) fn provider(written: &str) -> String {
    written.replacen("provider[\"", "", 1).replacen("\"]", "", 1).replacen("provider.", "", 1)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_quoted_as_terraform_does() {
        let of = |key: Value| instance(Some("module.m[\"a.b\\\"c\"]"), "aws_vpc", "v", Some(&key));
        assert_eq!(of(json!(0)).unwrap(), r#"module.m["a.b\"c"].aws_vpc.v[0]"#);
        assert_eq!(of(json!("a\"b${c}%{d}$e\n")).unwrap(), r#"module.m["a.b\"c"].aws_vpc.v["a\"b$${c}%%{d}$e\n"]"#);
        assert_eq!(of(json!("grün")).unwrap(), r#"module.m["a.b\"c"].aws_vpc.v["grün"]"#);
        assert_eq!(of(Value::Null).unwrap(), r#"module.m["a.b\"c"].aws_vpc.v"#);
        assert_eq!(of(json!(1.5)), None);
        assert_eq!(of(json!({})), None);
    }

    #[test]
    fn providers_keep_module_alias_and_key() {
        for (written, want) in [
            (r#"provider["registry.terraform.io/hashicorp/aws"]"#, "registry.terraform.io/hashicorp/aws"),
            (r#"provider["registry.terraform.io/hashicorp/aws"].eu"#, "registry.terraform.io/hashicorp/aws.eu"),
            (
                r#"module.a.provider["registry.terraform.io/hashicorp/aws"].eu"#,
                "module.a.registry.terraform.io/hashicorp/aws.eu",
            ),
            (
                r#"provider["registry.opentofu.org/hashicorp/aws"].by_region["us-east-1"]"#,
                r#"registry.opentofu.org/hashicorp/aws.by_region["us-east-1"]"#,
            ),
            ("provider.aws.eu", "aws.eu"),
        ] {
            assert_eq!(provider(written), want);
        }
    }
}
