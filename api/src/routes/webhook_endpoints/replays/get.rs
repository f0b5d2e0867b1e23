//! `GET /orgs/{id}/webhook-endpoints/{endpoint_id}/replays/{replay_id}`

use jobs::db::webhook_replay;
use jobs::ids::{WebhookEndpointId, WebhookReplayId};
use salvo::Writer as _;
use salvo::oapi::endpoint;
use salvo::prelude::Json;

use super::Replay;
use crate::access::{Tenant, Viewer};
use crate::problem::Problem;
use crate::request::PathId;

/// How far a replay is
///
/// Also of an endpoint that is deleted.
#[endpoint(operation_id = "get_webhook_replay", tags("outbound-webhooks"))]
pub(super) async fn get(
    tenant: Tenant<Viewer>,
    endpoint_id: PathId<WebhookEndpointId>,
    replay_id: PathId<WebhookReplayId>,
) -> Result<Json<Replay>, Problem> {
    let mut conn = tenant.app.pool().acquire().await?;
    let replay = webhook_replay::get(&mut conn, (tenant.org, endpoint_id.0), replay_id.0).await?;
    Ok(Json(replay.ok_or(Problem::not_found("replay"))?.into()))
}
