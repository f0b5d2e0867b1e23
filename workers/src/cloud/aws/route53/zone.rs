//! Hosted zones. Terraform: `aws_route53_zone`.

use aws_sdk_route53::operation::get_hosted_zone::GetHostedZoneOutput;
use aws_sdk_route53::types::{TagResourceType, VpcRegion};

use super::{TAGGED_AT_ONCE, Tags, shape, tags, zone_id};
use crate::cloud::aws::reader::{Context, Reader, Scope};
use crate::cloud::{OrAbsent, Properties, ReadError};

/// `ListHostedZones`; `GetHostedZone` (VPCs, delegation set) for each, tags ten at a time.
pub const READER: Reader =
    Reader { service: "route53", types: &["aws_route53_zone"], scope: Scope::Global, read: |cx| Box::pin(read(cx)) };

async fn read(cx: Context) -> Result<(), ReadError> {
    let pages = cx.route53().list_hosted_zones().into_paginator().items().send();
    let zones = pages.collect::<Result<Vec<_>, _>>().await?;
    let ids: Vec<_> = zones.iter().map(|zone| zone_id(zone.id()).to_owned()).collect();
    let chunks: Vec<_> = ids.chunks(TAGGED_AT_ONCE).map(<[String]>::to_vec).collect();
    cx.for_each(chunks, |cx, ids| async move {
        let tags = tags(&cx, TagResourceType::Hostedzone, &ids).await?;
        for id in &ids {
            read_one(&cx, id, &tags).await?;
        }
        Ok(())
    })
    .await
}

async fn read_one(cx: &Context, id: &str, tags: &Tags) -> Result<(), ReadError> {
    let asked = cx.route53().get_hosted_zone().id(id).send().await;
    let Some(answer) = asked.or_absent(&["NoSuchHostedZone"])? else {
        return Ok(());
    };
    let service = answer.hosted_zone().and_then(|zone| zone.linked_service());
    let properties = zone(&answer)
        .set("arn", format!("arn:{}:route53:::hostedzone/{id}", cx.partition()))
        .set("zone_id", id)
        .tags(tags.get(id).cloned().unwrap_or_default());
    let mut draft = cx.resource("aws_route53_zone", id).properties(properties);
    if let Some(service) = service {
        draft = draft.managed_by(format!("made by {}", service.service_principal().unwrap_or("another service")));
    }
    cx.emit(draft).await;
    Ok(())
}

fn zone(answer: &GetHostedZoneOutput) -> Properties {
    let zone = answer.hosted_zone();
    let config = zone.and_then(|zone| zone.config());
    let delegation = answer.delegation_set();
    let vpcs = answer.vpcs().iter().map(|vpc| {
        Properties::new().set("vpc_id", vpc.vpc_id()).set("vpc_region", vpc.vpc_region().map(VpcRegion::as_str))
    });
    // A private zone's name servers stand only in its NS record.
    let servers = delegation.map(|set| {
        let mut servers = set.name_servers().to_vec();
        servers.sort();
        servers
    });
    Properties::new()
        .set("name", zone.map(|zone| shape::name(zone.name())))
        .set("comment", config.and_then(|config| config.comment()))
        .set(
            "delegation_set_id",
            delegation.and_then(|set| set.id()).map(|id| id.trim_start_matches("/delegationset/")),
        )
        .told("name_servers", servers)
        .blocks("vpc", vpcs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_route53::types::{DelegationSet, HostedZone, HostedZoneConfig, Vpc, VpcRegion};
    use serde_json::json;

    #[test]
    fn public_and_private_zones() -> Result<(), Box<dyn std::error::Error>> {
        let of = |name: &str| HostedZone::builder().id("/hostedzone/Z1").name(name).caller_reference("1").build();
        let servers =
            DelegationSet::builder().id("/delegationset/N1").name_servers("ns-2.example").name_servers("ns-1.example");
        let public = GetHostedZoneOutput::builder().hosted_zone(of("example.net.")?).delegation_set(servers.build()?);
        let expected = json!({
            "name": "example.net", "comment": null, "delegation_set_id": "N1", "name_servers": ["ns-1.example", "ns-2.example"],
            "vpc": [],
        });
        assert_eq!(json!(zone(&public.build())), expected);

        let mut inside = of("example.internal.")?;
        inside.config = Some(HostedZoneConfig::builder().comment("Inside").private_zone(true).build());
        let private = GetHostedZoneOutput::builder()
            .hosted_zone(inside)
            .vpcs(Vpc::builder().vpc_id("vpc-1").vpc_region(VpcRegion::EuWest1).build())
            .build();
        assert_eq!(zone(&private).get("vpc"), Some(&json!([{"vpc_id": "vpc-1", "vpc_region": "eu-west-1"}])));
        assert_eq!(zone(&private).get("name_servers"), None);
        assert_eq!(zone(&private).get("comment"), Some(&json!("Inside")));
        Ok(())
    }
}
