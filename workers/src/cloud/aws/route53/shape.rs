//! Records and names in Terraform's shapes.

use aws_sdk_route53::types::{GeoProximityLocation, ResourceRecordSet, RrType};

use crate::cloud::Properties;

/// A domain name as people write it: without the dot at the end, in lower case, and with Route 53's escapes undone
/// (`\052.example.net.` is `*.example.net`). Every other byte than letters, digits, `-` and `_` comes escaped, three octal digits each.
pub(super) fn name(of: &str) -> String {
    let bytes = of.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let escaped = bytes.get(at + 1..at + 4).filter(|_| byte == b'\\').and_then(octal);
        out.push(escaped.unwrap_or(byte));
        at += if escaped.is_some() { 4 } else { 1 };
    }
    let name = String::from_utf8_lossy(&out).to_lowercase();
    name.strip_suffix('.').map_or(name.clone(), str::to_owned)
}

fn octal(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
}

/// `ZONE_name_TYPE`, or `ZONE_name_TYPE_identifier`.
pub(super) fn record_id(zone: &str, record: &ResourceRecordSet) -> String {
    let id = format!("{zone}_{}_{}", name(record.name()), record.r#type().as_str());
    match record.set_identifier() {
        Some(identifier) => format!("{id}_{identifier}"),
        None => id,
    }
}

/// Records that come with the zone, or that another service keeps in it.
pub(super) fn managed_by(apex: &str, record: &ResourceRecordSet) -> Option<&'static str> {
    let of_zone = matches!(record.r#type(), RrType::Ns | RrType::Soa) && name(record.name()) == apex;
    if of_zone {
        Some("made with the zone")
    } else if record.traffic_policy_instance_id().is_some() {
        Some("made by a traffic policy")
    } else {
        None
    }
}

pub(super) fn record(zone: &str, of: &ResourceRecordSet) -> Properties {
    let text = matches!(of.r#type(), RrType::Txt | RrType::Spf);
    let values: Vec<_> = of
        .resource_records()
        .iter()
        .map(|record| if text { unquoted(record.value()) } else { record.value() })
        .collect();
    let fqdn = name(of.name());
    let alias = of.alias_target().map(|target| {
        Properties::new()
            .set("evaluate_target_health", target.evaluate_target_health())
            .set("name", alias_name(target.dns_name()))
            .set("zone_id", target.hosted_zone_id())
    });
    Properties::new()
        .set("zone_id", zone)
        // Terraform's `name` is as it was written: relative to the zone or not.
        .set("fqdn", fqdn)
        .set("type", of.r#type().as_str())
        .set("set_identifier", of.set_identifier())
        .set("records", values)
        .set("ttl", of.ttl().unwrap_or(0))
        .set("health_check_id", of.health_check_id())
        .set("multivalue_answer_routing_policy", of.multi_value_answer().unwrap_or(false))
        .block("alias", alias)
        .block(
            "cidr_routing_policy",
            of.cidr_routing_config().map(|cidr| {
                Properties::new().set("collection_id", cidr.collection_id()).set("location_name", cidr.location_name())
            }),
        )
        .block("failover_routing_policy", of.failover().map(|role| Properties::new().set("type", role.as_str())))
        .block(
            "geolocation_routing_policy",
            of.geo_location().map(|place| {
                Properties::new()
                    .set("continent", place.continent_code())
                    .set("country", place.country_code())
                    .set("subdivision", place.subdivision_code())
            }),
        )
        .block("geoproximity_routing_policy", of.geo_proximity_location().map(proximity))
        .block("latency_routing_policy", of.region().map(|region| Properties::new().set("region", region.as_str())))
        .block("weighted_routing_policy", of.weight().map(|weight| Properties::new().set("weight", weight)))
}

fn proximity(of: &GeoProximityLocation) -> Properties {
    let coordinates = of
        .coordinates()
        .map(|place| Properties::new().set("latitude", place.latitude()).set("longitude", place.longitude()));
    Properties::new()
        .set("aws_region", of.aws_region())
        .set("bias", of.bias().unwrap_or(0))
        .set("local_zone_group", of.local_zone_group())
        .block("coordinates", coordinates)
}

/// Terraform writes the text of a TXT record without its outer quotes.
fn unquoted(value: &str) -> &str {
    let value = value.strip_prefix('"').unwrap_or(value);
    value.strip_suffix('"').unwrap_or(value)
}

/// The console writes `dualstack.` before a load balancer's name; Terraform drops it.
fn alias_name(of: &str) -> String {
    let name = name(of);
    name.strip_prefix("dualstack.").map_or(name.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_route53::types::{
        AliasTarget, GeoLocation, ResourceRecord, ResourceRecordSetFailover, builders::ResourceRecordSetBuilder,
    };
    use serde_json::json;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    fn set(name: &str, kind: RrType) -> ResourceRecordSetBuilder {
        ResourceRecordSet::builder().name(name).r#type(kind)
    }

    #[test]
    fn names_lose_escapes_case_and_dot() {
        for (told, written) in [
            ("\\052.example.net.", "*.example.net"),
            ("A\\100b.Example.NET", "a@b.example.net"),
            ("_dmarc.example.net.", "_dmarc.example.net"),
            ("caf\\303\\251.example.net.", "café.example.net"),
            ("odd\\.", "odd\\"),
            ("odd\\9", "odd\\9"),
            ("", ""),
        ] {
            assert_eq!(name(told), written);
        }
    }

    #[test]
    fn only_the_apex_belongs_to_the_zone() -> Outcome {
        let why = |record: ResourceRecordSetBuilder| -> Result<_, Box<dyn std::error::Error>> {
            Ok(managed_by("example.net", &record.build()?))
        };
        assert_eq!(why(set("example.net.", RrType::Ns))?, Some("made with the zone"));
        assert_eq!(why(set("example.net.", RrType::Soa))?, Some("made with the zone"));
        assert_eq!(why(set("sub.example.net.", RrType::Ns))?, None);
        assert_eq!(why(set("example.net.", RrType::Txt))?, None);
        Ok(())
    }

    #[test]
    fn texts_lose_their_outer_quotes_only() -> Outcome {
        let long = ResourceRecord::builder().value("\"first\" \"second\"").build()?;
        let properties = record("Z1", &set("example.net.", RrType::Txt).ttl(60).resource_records(long).build()?);
        assert_eq!(properties.get("records"), Some(&json!(["first\" \"second"])));
        let caa = ResourceRecord::builder().value("0 issue \"ca.example\"").build()?;
        let properties = record("Z1", &set("example.net.", RrType::Caa).resource_records(caa).build()?);
        assert_eq!(properties.get("records"), Some(&json!(["0 issue \"ca.example\""])));
        Ok(())
    }

    #[test]
    fn an_alias_with_a_routing_policy() -> Outcome {
        let target = AliasTarget::builder()
            .dns_name("dualstack.LB-1.eu-west-1.elb.amazonaws.com.")
            .hosted_zone_id("Z32O12XQLNTSW2")
            .evaluate_target_health(true)
            .build()?;
        let of = set("www.example.net.", RrType::A)
            .alias_target(target)
            .set_identifier("first")
            .failover(ResourceRecordSetFailover::Primary)
            .geo_location(GeoLocation::builder().country_code("*").build())
            .build()?;
        assert_eq!(record_id("Z1", &of), "Z1_www.example.net_A_first");
        let properties = record("Z1", &of);
        assert_eq!(
            properties.get("alias"),
            Some(&json!([{
                "evaluate_target_health": true, "name": "lb-1.eu-west-1.elb.amazonaws.com", "zone_id": "Z32O12XQLNTSW2",
            }]))
        );
        assert_eq!(properties.get("failover_routing_policy"), Some(&json!([{"type": "PRIMARY"}])));
        assert_eq!(
            properties.get("geolocation_routing_policy"),
            Some(&json!([{"continent": null, "country": "*", "subdivision": null}]))
        );
        assert_eq!(properties.get("weighted_routing_policy"), Some(&json!([])));
        Ok(())
    }
}
