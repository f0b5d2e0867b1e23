//! `POST /admin/queues/{name}/pause` and `/resume`

use jobs::audit::By;
use jobs::steering::{self, Stand, Steering};
use salvo::Writer as _;
use salvo::oapi::extract::PathParam;
use salvo::oapi::{ToSchema, endpoint};
use salvo::prelude::Json;
use serde::{Deserialize, Serialize};

use crate::access::Operator;
use crate::problem::Problem;
use crate::request::OptionalBody;

/// Longest note, in characters.
const NOTE: usize = 500;

/// Why a queue is paused or resumed.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[salvo(schema(name = "SteerQueue", example = json!({"note": "the cloud throttles us"})))]
pub(super) struct Steer {
    /// For the audit log; at most 500 characters.
    #[salvo(schema(required = false))]
    note: Option<String>,
}

impl Steer {
    fn note(&self) -> Result<Option<&str>, Problem> {
        match self.note.as_deref() {
            Some(note) if note.chars().count() > NOTE || note.contains('\0') => {
                Err(Problem::invalid("note", format!("must be at most {NOTE} characters, without NUL")))
            }
            note => Ok(note.filter(|note| !note.is_empty())),
        }
    }
}

/// How a queue stands now.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "SteeredQueue", example = json!({"name": "scans", "paused": true, "changed": true})))]
pub(super) struct Steered {
    /// Its name.
    name: String,
    /// Whether nothing is taken from it.
    paused: bool,
    /// Whether that is new; if not, nothing was done.
    changed: bool,
}

/// Pause a queue
///
/// Nothing more is taken from it until it is resumed; what runs, runs on. A queue that is paused stays so.
#[endpoint(
    operation_id = "pause_queue",
    tags("admin"),
    responses((status_code = 404, description = "There is no such queue; `error` says which there are"))
)]
pub(super) async fn pause_queue(
    operator: Operator,
    name: PathParam<String>,
    body: OptionalBody<Steer>,
) -> Result<Json<Steered>, Problem> {
    steer(&operator, name.into_inner(), &body.0, Stand::Paused).await
}

/// Resume a paused queue
///
/// Its workers are woken. A queue that runs stays so.
#[endpoint(
    operation_id = "resume_queue",
    tags("admin"),
    responses((status_code = 404, description = "There is no such queue; `error` says which there are"))
)]
pub(super) async fn resume_queue(
    operator: Operator,
    name: PathParam<String>,
    body: OptionalBody<Steer>,
) -> Result<Json<Steered>, Problem> {
    steer(&operator, name.into_inner(), &body.0, Stand::Running).await
}

async fn steer(operator: &Operator, name: String, body: &Steer, stand: Stand) -> Result<Json<Steered>, Problem> {
    let steering = Steering { queue: &name, stand, note: body.note()? };
    let (actor, origin) = (operator.actor(), operator.origin());
    let mut conn = operator.app.pool().acquire().await?;
    let changed = steering::steer(&mut conn, By { actor: &actor, origin: &origin }, &steering).await?;
    Ok(Json(Steered { name, paused: stand == Stand::Paused, changed }))
}
