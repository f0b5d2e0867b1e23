//! Option groups. Terraform: `aws_db_option_group`.

use aws_sdk_rds::types::{Option as DbOption, OptionGroup, OptionSetting};

use super::{security_groups, tags, tags_of};
use crate::cloud::aws::reader::{Context, Reader, Scope};
use crate::cloud::{Properties, ReadError};

/// `DescribeOptionGroups`; `ListTagsForResource` for each that is not a default.
pub const READER: Reader = Reader {
    service: "rds",
    types: &["aws_db_option_group"],
    scope: Scope::Regional,
    read: |cx| Box::pin(read(cx)),
};

async fn read(cx: Context) -> Result<(), ReadError> {
    let pages = cx.rds().describe_option_groups().into_paginator().items().send();
    let groups = pages.collect::<Result<Vec<_>, _>>().await?;
    cx.for_each(groups, read_one).await
}

async fn read_one(cx: Context, group: OptionGroup) -> Result<(), ReadError> {
    let (Some(name), Some(arn)) = (group.option_group_name(), group.option_group_arn()) else {
        return Ok(());
    };
    let draft = cx.resource("aws_db_option_group", name);
    if name.starts_with("default:") {
        cx.emit(draft.properties(shape(&group)).managed_by("default option group")).await;
    } else if let Some(tagged) = tags_of(&cx, arn).await? {
        cx.emit(draft.properties(shape(&group).tags(tags(&tagged)))).await;
    }
    Ok(())
}

fn shape(group: &OptionGroup) -> Properties {
    Properties::new()
        .set("arn", group.option_group_arn())
        .set("name", group.option_group_name())
        .set("option_group_description", group.option_group_description())
        .set("engine_name", group.engine_name())
        .set("major_engine_version", group.major_engine_version())
        .blocks("option", group.options().iter().map(option))
}

fn option(of: &DbOption) -> Properties {
    let groups: Vec<_> = of
        .db_security_group_memberships()
        .iter()
        .filter_map(|group| group.db_security_group_name())
        .collect();
    let settings = of.option_settings().iter().filter(|setting| is_set(setting)).map(|setting| {
        Properties::new()
            .set("name", setting.name())
            .set("value", setting.value())
    });
    Properties::new()
        .set("option_name", of.option_name())
        .set("port", of.port().unwrap_or(0))
        .set("version", of.option_version())
        .set("db_security_group_memberships", groups)
        .set("vpc_security_group_memberships", security_groups(of.vpc_security_group_memberships()))
        .blocks("option_settings", settings)
}

/// RDS tells every setting that an option has; Terraform keeps those that differ from the default.
fn is_set(setting: &OptionSetting) -> bool {
    setting.value().is_some() && setting.value() != setting.default_value()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_option_tells_what_differs_from_its_default() {
        let setting = |value: &str| {
            OptionSetting::builder()
                .name("SERVER_AUDIT_EVENTS")
                .default_value("CONNECT")
                .value(value)
                .build()
        };
        let of = DbOption::builder()
            .option_name("MARIADB_AUDIT_PLUGIN")
            .option_settings(setting("CONNECT"))
            .option_settings(setting("QUERY"))
            .build();
        let expected = json!({
            "option_name": "MARIADB_AUDIT_PLUGIN", "port": 0, "version": null, "db_security_group_memberships": [],
            "vpc_security_group_memberships": [],
            "option_settings": [{"name": "SERVER_AUDIT_EVENTS", "value": "QUERY"}],
        });
        assert_eq!(json!(option(&of)), expected);
    }
}
