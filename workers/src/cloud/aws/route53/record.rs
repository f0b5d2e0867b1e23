//! Records. Terraform: `aws_route53_record`.

use super::{shape, zone_id};
use crate::cloud::aws::reader::{Context, Reader, Scope};
use crate::cloud::{OrAbsent, ReadError};

/// `ListHostedZones`; `ListResourceRecordSets` for each.
pub const READER: Reader =
    Reader { service: "route53", types: &["aws_route53_record"], scope: Scope::Global, read: |cx| Box::pin(read(cx)) };

async fn read(cx: Context) -> Result<(), ReadError> {
    let pages = cx.route53().list_hosted_zones().into_paginator().items().send();
    let zones = pages.collect::<Result<Vec<_>, _>>().await?;
    let zones = zones
        .into_iter()
        .map(|zone| (zone_id(zone.id()).to_owned(), shape::name(zone.name())))
        // A record's id starts with its zone's.
        .filter(|(id, _)| cx.only().is_none_or(|only| only.starts_with(id)));
    cx.for_each(zones, |cx, (zone, apex)| async move { read_zone(&cx, &zone, &apex).await }).await
}

async fn read_zone(cx: &Context, zone: &str, apex: &str) -> Result<(), ReadError> {
    let mut at = None;
    loop {
        let mut asked = cx.route53().list_resource_record_sets().hosted_zone_id(zone);
        if let Some((name, kind, identifier)) = at.clone() {
            asked = asked.start_record_name(name).set_start_record_type(kind).set_start_record_identifier(identifier);
        }
        let Some(page) = asked.send().await.or_absent(&["NoSuchHostedZone"])? else {
            return Ok(());
        };
        for record in page.resource_record_sets() {
            let draft = cx
                .resource("aws_route53_record", shape::record_id(zone, record))
                .name(shape::name(record.name()))
                .part_of("aws_route53_zone", zone)
                .properties(shape::record(zone, record));
            cx.emit(match shape::managed_by(apex, record) {
                Some(why) => draft.managed_by(why),
                None => draft,
            })
            .await;
        }
        let next = page.next_record_name.map(|name| (name, page.next_record_type, page.next_record_identifier));
        // The SDK has no paginator for records. A page that leads to itself would never end.
        if !page.is_truncated || next.is_none() || next == at {
            return Ok(());
        }
        at = next;
    }
}
