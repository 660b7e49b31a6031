//! What is well with the server and what is not.

use actix_web::{HttpResponse, get, web::Data};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Api, auth::Admin, error::ApiError, words};
use crate::doctor::{self, Finding, State, Subject, support::support};

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
    /// What the check is about; findings of one subject stand together.
    #[schema(schema_with = words::finding_subject)]
    subject: Subject,
    /// The stable word of the check.
    #[schema(example = "git_program")]
    id: &'static str,
    /// How bad it is.
    #[schema(schema_with = words::finding_state)]
    state: State,
    /// What is so, in figures and settings.
    sentence: String,
    /// Which things it is about, by name, and what is wrong with each; not all of many.
    details: Vec<String>,
    /// What to do; nothing when all is well.
    remedy: Option<String>,
}

impl Shown {
    fn of((subject, Finding { id, state, sentence, details, remedy }): (Subject, Finding)) -> Self {
        Self { subject, id, state, sentence, details, remedy }
    }
}

/// What is well with this server and what is not, each with what to do. Paths of the server are in it.
#[utoipa::path(tag = "server", operation_id = "GetDoctor", security(("bearer" = ["admin"])),
    responses((status = 200, description = "What was found, good or bad.", body = Examined)))]
#[get("/api/v1/doctor")]
pub(super) async fn get_doctor(_: Admin, api: Data<Api>) -> Result<HttpResponse, ApiError> {
    let items = doctor::examine(&api.app).await.into_iter().map(Shown::of).collect();
    Ok(HttpResponse::Ok().json(Examined { items }))
}

/// What is told to somebody who helps from afar: figures, settings, findings; no name, no place, no secret.
#[utoipa::path(tag = "server", operation_id = "GetSupport", security(("bearer" = ["admin"])),
    responses((status = 200, description = "What is told.", body = Object)))]
#[get("/api/v1/doctor/support")]
pub(super) async fn get_support(_: Admin, api: Data<Api>) -> Result<HttpResponse, ApiError> {
    match support(&api.app).await {
        Ok(support) => Ok(HttpResponse::Ok().json(support)),
        Err(error) => Err(ApiError::internal(&format!("{error:?}"))),
    }
}
