//! `GET /readyz`: requests can be served. The database answers and has every migration that this binary needs.

use std::time::Duration;

use jobs::schema;
use salvo::handler;
use salvo::prelude::{Depot, Json};
use serde::Serialize;

use crate::context;
use crate::problem::Problem;

/// The database must answer within this time.
const WITHIN: Duration = Duration::from_secs(2);

#[derive(Debug, Serialize)]
pub(super) struct Ready {
    status: &'static str,
}

#[handler]
pub(super) async fn ready(depot: &mut Depot) -> Result<Json<Ready>, Problem> {
    let app = context::of(depot)?.app.clone();
    let look = async {
        let mut conn = app.pool().acquire().await?;
        schema::pending(&mut conn).await.map_err(|error| Problem::internal(error.to_string()))
    };
    match tokio::time::timeout(WITHIN, look).await {
        Ok(Ok(pending)) if pending.is_empty() => Ok(Json(Ready { status: "ready" })),
        Ok(Ok(_)) => Err(Problem::Unavailable {
            class: "migrations_pending",
            message: "the database lacks migrations: run `plumbline migrate`",
        }),
        Ok(Err(_)) | Err(_) => {
            Err(Problem::Unavailable { class: "database_unavailable", message: "the database does not answer" })
        }
    }
}
