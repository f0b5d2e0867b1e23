//! Parameter groups of instances and of clusters. Terraform: `aws_db_parameter_group`, `aws_rds_cluster_parameter_group`.
//!
//! Only the parameters that somebody set are told, not the engine's hundreds of defaults.

use aws_sdk_rds::types::{ApplyMethod, Parameter};

use super::{GONE, tags, tags_of};
use crate::cloud::aws::reader::{Context, Draft, Reader, Scope};
use crate::cloud::{OrAbsent, Properties, ReadError};

/// `DescribeDBParameterGroups`; `DescribeDBParameters` and `ListTagsForResource` for each that is not a default.
pub const READER: Reader = Reader {
    service: "rds",
    types: &["aws_db_parameter_group"],
    scope: Scope::Regional,
    read: |cx| Box::pin(read(cx)),
};

/// The same of clusters.
pub const CLUSTER_READER: Reader = Reader {
    service: "rds",
    types: &["aws_rds_cluster_parameter_group"],
    scope: Scope::Regional,
    read: |cx| Box::pin(read_cluster(cx)),
};

/// The parameters that were set by people.
const SET_BY_USER: &str = "user";

/// A group as either listing tells it.
struct Group {
    provider_type: &'static str,
    arn: Option<String>,
    name: Option<String>,
    family: Option<String>,
    description: Option<String>,
}

async fn read(cx: Context) -> Result<(), ReadError> {
    let pages = cx.rds().describe_db_parameter_groups().into_paginator().items().send();
    let groups = pages.collect::<Result<Vec<_>, _>>().await?;
    let groups = groups.into_iter().map(|group| Group {
        provider_type: "aws_db_parameter_group",
        arn: group.db_parameter_group_arn,
        name: group.db_parameter_group_name,
        family: group.db_parameter_group_family,
        description: group.description,
    });
    cx.for_each(groups, |cx, group| async move {
        let Some(draft) = begin(&cx, &group).await? else {
            return Ok(());
        };
        let listed = cx.rds().describe_db_parameters().set_db_parameter_group_name(group.name).source(SET_BY_USER);
        let parameters = listed.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        emit(&cx, draft, parameters.or_absent(GONE)?).await;
        Ok(())
    })
    .await
}

async fn read_cluster(cx: Context) -> Result<(), ReadError> {
    let pages = cx.rds().describe_db_cluster_parameter_groups().into_paginator().items().send();
    let groups = pages.collect::<Result<Vec<_>, _>>().await?;
    let groups = groups.into_iter().map(|group| Group {
        provider_type: "aws_rds_cluster_parameter_group",
        arn: group.db_cluster_parameter_group_arn,
        name: group.db_cluster_parameter_group_name,
        family: group.db_parameter_group_family,
        description: group.description,
    });
    cx.for_each(groups, |cx, group| async move {
        let Some(draft) = begin(&cx, &group).await? else {
            return Ok(());
        };
        let listed = cx
            .rds()
            .describe_db_cluster_parameters()
            .set_db_cluster_parameter_group_name(group.name)
            .source(SET_BY_USER);
        let parameters = listed.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        emit(&cx, draft, parameters.or_absent(GONE)?).await;
        Ok(())
    })
    .await
}

/// The group without its parameters; `None` when it is a default (emitted here, nobody can change its parameters) or gone.
async fn begin(cx: &Context, group: &Group) -> Result<Option<(Draft, Properties)>, ReadError> {
    let (Some(name), Some(arn)) = (&group.name, &group.arn) else {
        return Ok(None);
    };
    let draft = cx.resource(group.provider_type, name);
    let properties = Properties::new()
        .set("arn", arn)
        .set("name", name)
        .set("description", &group.description)
        .set("family", &group.family);
    if name.starts_with("default.") {
        cx.emit(draft.properties(properties).managed_by("default parameter group")).await;
        return Ok(None);
    }
    let tagged = tags_of(cx, arn).await?;
    Ok(tagged.map(|tagged| (draft, properties.tags(tags(&tagged)))))
}

async fn emit(cx: &Context, (draft, properties): (Draft, Properties), parameters: Option<Vec<Parameter>>) {
    if let Some(parameters) = parameters {
        let properties = properties.blocks("parameter", parameters.iter().filter_map(parameter));
        cx.emit(draft.properties(properties)).await;
    }
}

fn parameter(of: &Parameter) -> Option<Properties> {
    let value = of.parameter_value()?;
    let properties = Properties::new()
        .set("name", of.parameter_name().map(str::to_lowercase))
        .set("value", value)
        .set("apply_method", of.apply_method().map(ApplyMethod::as_str));
    Some(properties)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_rds::types::ApplyMethod;
    use serde_json::json;

    #[test]
    fn a_parameter_without_a_value_is_not_set() {
        let of = Parameter::builder().parameter_name("Log_Statement").apply_method(ApplyMethod::PendingReboot);
        assert_eq!(parameter(&of.clone().build()), None);
        assert_eq!(
            json!(parameter(&of.parameter_value("ddl").build())),
            json!({"name": "log_statement", "value": "ddl", "apply_method": "pending-reboot"})
        );
    }
}
