//! Dashboards. Terraform: `aws_cloudwatch_dashboard`.
//!
//! AWS keeps dashboards for the account and lists all of them in any region; what imitates AWS keeps them region by region. Asking
//! every region of the scan and taking each name once is right for both, at one call a region.

use std::collections::BTreeSet;

use crate::cloud::aws::reader::{Context, Reader, Scope};
use crate::cloud::{GLOBAL, OrAbsent, Properties, ReadError};

/// `ListDashboards` in each region; `GetDashboard` for each.
pub const READER: Reader = Reader {
    service: "cloudwatch",
    types: &["aws_cloudwatch_dashboard"],
    scope: Scope::Global,
    read: |cx| Box::pin(read(cx)),
};

/// What CloudWatch answers for a dashboard that was deleted since it was listed.
const GONE: &[&str] = &["DashboardNotFoundError", "ResourceNotFound"];

async fn read(cx: Context) -> Result<(), ReadError> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for region in cx.regions() {
        let cx = cx.in_region(region);
        let mut dashboards = cx.cloudwatch().list_dashboards().into_paginator().items().send();
        while let Some(dashboard) = dashboards.try_next().await? {
            if let Some(name) = dashboard.dashboard_name.filter(|name| seen.insert(name.clone())) {
                found.push((cx.clone(), name));
            }
        }
    }
    cx.for_each(found, |_, (cx, name)| async move { read_one(&cx, &name).await }).await
}

async fn read_one(cx: &Context, name: &str) -> Result<(), ReadError> {
    let asked = cx.cloudwatch().get_dashboard().dashboard_name(name).send().await;
    if let Some(dashboard) = asked.or_absent(GONE)? {
        let properties = Properties::new()
            .set("dashboard_arn", dashboard.dashboard_arn())
            .set("dashboard_body", dashboard.dashboard_body())
            .set("dashboard_name", name);
        let mut draft = cx.resource("aws_cloudwatch_dashboard", name).region(GLOBAL).name(name);
        if let Some(arn) = dashboard.dashboard_arn() {
            draft = draft.arn(arn);
        }
        cx.emit(draft.properties(properties)).await;
    }
    Ok(())
}
