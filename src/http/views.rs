//! The views of this server: how they stand, built anew, compared with the log.

use actix_web::{
    HttpResponse, get, post,
    web::{Data, Path, Query},
};
use keytrail_domain::recorded::Position;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Api,
    auth::{Admin, Auditor},
    error::{ApiError, Code, sentence},
    operations::{self, Operation, OperationRef},
};
use crate::{
    app::OperationId,
    log::FeedError,
    store::StoreError,
    views::{Status, Verdict, VerifyError, ViewState},
};

/// The views.
#[derive(Serialize, ToSchema)]
pub(super) struct Views {
    /// The last position of the log.
    head: i64,
    /// By name.
    items: Vec<Shown>,
    /// The build to watch; only when one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<OperationRef>,
}

/// How a view stands.
#[derive(Serialize, ToSchema)]
#[schema(as = View)]
pub(super) struct Shown {
    /// Its name.
    name: &'static str,
    /// Raised whenever its tables or its fold change.
    version: u32,
    /// `building`, `live`, `faulted` or `outdated`.
    #[schema(value_type = String)]
    status: Status,
    /// How far it is.
    position: i64,
    /// How many events it is behind the log.
    lag: i64,
    /// How far a new build is, when there is one.
    building: Option<i64>,
    /// What went wrong.
    error: Option<String>,
}

impl Shown {
    fn of((name, version, state): (&'static str, u32, ViewState), head: Position) -> Self {
        Self {
            name,
            version,
            status: state.status,
            position: state.position,
            lag: (head - state.position).max(0),
            building: state.building,
            error: state.error,
        }
    }
}

/// What came of comparing the views with the log.
#[derive(Serialize, ToSchema)]
pub(super) struct Verdicts {
    /// Whether every view is what the log says.
    same: bool,
    /// View by view.
    items: Vec<OneVerdict>,
}

/// What came of comparing one view.
#[derive(Serialize, ToSchema)]
#[schema(as = Verdict)]
struct OneVerdict {
    /// Which.
    view: &'static str,
    /// Whether it is what the log says.
    same: bool,
    /// At which position.
    position: i64,
    /// Table by table.
    tables: Vec<OneTable>,
}

/// What came of comparing one table.
#[derive(Serialize, ToSchema)]
#[schema(as = TableVerdict)]
struct OneTable {
    /// Which.
    table: &'static str,
    /// Rows that it has.
    rows: i64,
    /// Rows that it lacks, or has otherwise than the log says.
    missing: i64,
    /// Rows that it should not have, or have otherwise.
    surplus: i64,
}

impl OneVerdict {
    fn of(verdict: &Verdict) -> Self {
        Self {
            view: verdict.view,
            same: verdict.same(),
            position: verdict.position,
            tables: verdict
                .tables
                .iter()
                .map(|table| OneTable {
                    table: table.table,
                    rows: table.rows,
                    missing: table.missing,
                    surplus: table.surplus,
                })
                .collect(),
        }
    }
}

fn states(api: &Api) -> Views {
    let head = api.app.log.feed().head().position;
    let items = api.app.views.states().into_iter().map(|state| Shown::of(state, head)).collect();
    Views { head, items, operation: None }
}

/// How the views stand.
#[utoipa::path(tag = "views", operation_id = "ListViews", security(("bearer" = ["auditor"])),
    responses((status = 200, description = "All of them.", body = Views)))]
#[get("/api/v1/views")]
pub(super) async fn list_views(_: Auditor, api: Data<Api>) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(states(&api)))
}

/// Builds a view anew from the log, beside the one that is read, whose place it then takes. Asking again meanwhile begins
/// no second build.
#[utoipa::path(tag = "views", operation_id = "RebuildView", security(("bearer" = ["admin"])),
    responses((status = 202, description = "It is being built; GET /api/v1/views tells how far it is.", body = Views)))]
#[post("/api/v1/views/{name}/rebuild")]
pub(super) async fn rebuild_view(_: Admin, api: Data<Api>, name: Path<String>) -> Result<HttpResponse, ApiError> {
    let Some(number) = api.app.views.rebuild(&name).await? else {
        return Err(ApiError::new(Code::ViewUnknown, format!("The views are {}.", api.app.views.names().join(", "))));
    };
    let operation = OperationRef::of(&OperationId::RebuildView(name.into_inner(), number));
    Ok(HttpResponse::Accepted().json(Views { operation: Some(operation), ..states(&api) }))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct VerifyQuery {
    /// `true`: the answer comes when it is done, and says what came of it.
    wait: Option<bool>,
}

/// Folds every view anew and compares it, row by row, with the one that is read. Takes as long as building them; asking
/// again meanwhile begins no second one.
#[utoipa::path(tag = "views", operation_id = "VerifyViews", security(("bearer" = ["admin"])), params(VerifyQuery),
    responses((status = 200, description = "What came of it, when that was waited for.", body = Verdicts),
        (status = 202, description = "It goes on; the operation to watch.", body = Operation),
        (status = 409, description = "A view moved on each time it was compared.")))]
#[post("/api/v1/views/verify")]
pub(super) async fn verify_views(
    _: Admin,
    api: Data<Api>,
    query: Query<VerifyQuery>,
) -> Result<HttpResponse, ApiError> {
    let verification = api.app.verify_views();
    if query.wait != Some(true) {
        let id = OperationId::VerifyViews(verification.id);
        return operations::begun(&api, &id).await;
    }
    let end = verification.end().await.map(|end| end.verdicts);
    let verdicts = end.unwrap_or_else(|| Err(VerifyError::Cancelled.into())).map_err(|error| unverified(&error))?;
    Ok(HttpResponse::Ok().json(Verdicts::of(&verdicts)))
}

impl Verdicts {
    pub(super) fn of(verdicts: &[Verdict]) -> Self {
        Self { same: verdicts.iter().all(Verdict::same), items: verdicts.iter().map(OneVerdict::of).collect() }
    }
}

fn unverified(error: &VerifyError) -> ApiError {
    match error {
        VerifyError::NotLive(_) => ApiError::new(Code::ViewBuilding, sentence(&error.to_string())).retry_after(5),
        VerifyError::Moving(_) => ApiError::new(Code::ViewMoving, sentence(&error.to_string())),
        VerifyError::Cancelled => {
            ApiError::new(Code::Busy, "The verification was cancelled. Ask for a new one.").retry_after(1)
        }
        VerifyError::Feed(error) if error.is_of_the_future() => ApiError::new(
            Code::ViewOutdated,
            "A newer version of keytrail wrote to this log; start that version or a later one. Nothing is skipped.",
        ),
        VerifyError::Store(StoreError::Full) => StoreError::Full.into(),
        VerifyError::Store(StoreError::Unavailable(_) | StoreError::Undone(_) | StoreError::Fenced)
        | VerifyError::Feed(FeedError::Store(
            StoreError::Unavailable(_) | StoreError::Undone(_) | StoreError::Fenced,
        )) => {
            let detail = "The database did not answer while the views were compared. Ask again in a moment.";
            ApiError::new(Code::StoreUnavailable, detail).retry_after(2)
        }
        error @ (VerifyError::Broken | VerifyError::Fold(_) | VerifyError::Feed(_) | VerifyError::Store(_)) => {
            ApiError::internal(error)
        }
    }
}
