//! Live resources between the shape of the readers and drift, and that of the table.

use drift::LiveResource;
use jobs::db::live_resource::{Found, LiveResource as Row};
use jobs::queue::JobError;
use serde_json::Value;

/// A resource as the table takes it.
///
/// # Errors
/// When its properties cannot be written as JSON, which would be a reader's fault.
pub fn found(resource: LiveResource) -> Result<Found, JobError> {
    let properties = serde_json::to_string(&resource.properties)
        .map_err(|error| JobError::fail("properties_unwritable", format!("{}: {error}", resource.provider_type)))?;
    Ok(Found {
        provider_type: resource.provider_type,
        provider_resource_id: resource.provider_resource_id,
        region: resource.region,
        arn: resource.arn,
        name: resource.name,
        properties,
        managed_by: resource.managed_by,
        part_of: resource.part_of,
    })
}

/// A row as drift takes it.
#[must_use]
pub fn resource(row: Row) -> LiveResource {
    let properties = match row.properties {
        Value::Object(properties) => properties,
        _ => serde_json::Map::new(),
    };
    LiveResource {
        provider_type: row.provider_type,
        provider_resource_id: row.provider_resource_id,
        arn: row.arn,
        name: row.name,
        region: row.region,
        properties,
        managed_by: row.managed_by,
        part_of: row.part_of,
    }
}
