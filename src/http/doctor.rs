//! What is well with the server and what is not.

use actix_web::{HttpResponse, get, web::Data};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Api, auth::Admin, error::ApiError, words};
use crate::doctor::{self, Finding, State};

/// What was found.
#[derive(Serialize, ToSchema)]
struct Examined {
    /// Each check, in the order in which a person reads it.
    items: Vec<Shown>,
}

/// What a check found.
#[derive(Serialize, ToSchema)]
#[schema(as = Finding)]
struct Shown {
    /// The stable word of the check.
    #[schema(example = "git_program")]
    id: &'static str,
    /// How bad it is.
    #[schema(schema_with = words::finding_state)]
    state: State,
    /// What is so.
    sentence: String,
    /// What to do; nothing when all is well.
    remedy: Option<String>,
}

impl From<Finding> for Shown {
    fn from(Finding { id, state, sentence, remedy }: Finding) -> Self {
        Self { id, state, sentence, remedy }
    }
}

/// What is well with this server and what is not, each with what to do. Paths of the server are in it.
#[utoipa::path(tag = "server", operation_id = "GetDoctor", security(("bearer" = ["admin"])),
    responses((status = 200, description = "What was found, good or bad.", body = Examined)))]
#[get("/api/v1/doctor")]
pub(super) async fn get_doctor(_: Admin, api: Data<Api>) -> Result<HttpResponse, ApiError> {
    let items = doctor::examine(&api.app).await.into_iter().map(Shown::from).collect();
    Ok(HttpResponse::Ok().json(Examined { items }))
}
