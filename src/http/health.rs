//! Whether the server lives, whether it is ready, and its figures.

use actix_web::{HttpResponse, get, http::header::RETRY_AFTER, web::Data};
use keytrail_domain::timestamp::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Api,
    auth::Auditor,
    error::{ApiError, Code},
};
use crate::{store::StoreError, views::Status};

/// The process answers.
#[derive(Serialize, ToSchema)]
pub(super) struct Liveness {
    /// `live`
    status: &'static str,
}

/// Whether requests can be carried out.
#[derive(Serialize, ToSchema)]
pub(super) struct Readiness {
    /// Whether they can.
    ready: bool,
    /// What keeps it from being ready: `no_space`, `store_unavailable`, `clock_behind`, `view_building`, `view_faulted`,
    /// `view_outdated`.
    causes: Vec<&'static str>,
    /// `sqlite` or `postgres`.
    engine: &'static str,
    /// Whether the store takes writes.
    store_writable: bool,
    /// The last position of the log.
    head: i64,
    /// When it was recorded.
    #[schema(value_type = String, format = DateTime)]
    head_recorded_at: Timestamp,
    /// By how many seconds this machine's clock is behind the log; times in the log never run backwards.
    clock_behind_seconds: i64,
    /// The views.
    views: Vec<ViewReadiness>,
}

/// Whether a view can be read.
#[derive(Serialize, ToSchema)]
struct ViewReadiness {
    /// Which.
    name: &'static str,
    /// `building`, `live`, `faulted` or `outdated`.
    #[schema(value_type = String)]
    status: Status,
    /// How many events it is behind the log.
    lag: i64,
}

/// A clock that is this much behind the log, in seconds, is wrong.
const TOLERATED_SECONDS: i64 = 5;

/// Whether the process answers. Asks nothing else.
#[utoipa::path(tag = "server", operation_id = "GetLiveness",
    responses((status = 200, description = "It does.", body = Liveness)))]
#[get("/livez")]
pub(super) async fn get_liveness() -> HttpResponse {
    HttpResponse::Ok().json(Liveness { status: "live" })
}

/// Whether the store takes writes, the views can be read, and the clock is not behind the log.
#[utoipa::path(tag = "server", operation_id = "GetReadiness",
    responses((status = 200, description = "Ready.", body = Readiness),
        (status = 503, description = "Not ready; `causes` says why.", body = Readiness)))]
#[get("/readyz")]
pub(super) async fn get_readiness(api: Data<Api>) -> HttpResponse {
    let app = &api.app;
    let head = app.log.feed().head();
    let written = app.log.check_writable().await;
    let store_writable = written.is_ok();
    let behind = (head.recorded_at.seconds() - app.clock.now().seconds()).max(0);
    let views: Vec<_> = app
        .views
        .states()
        .into_iter()
        .map(|(name, _, state)| {
            let lag = (head.position - state.position).max(0);
            ViewReadiness { name, status: state.status, lag }
        })
        .collect();
    let mut causes = Vec::new();
    match written {
        Ok(()) => {}
        Err(StoreError::Full) => causes.push("no_space"),
        Err(_) => causes.push("store_unavailable"),
    }
    if behind > TOLERATED_SECONDS {
        causes.push("clock_behind");
    }
    if views.iter().any(|view| view.status == Status::Building) {
        causes.push("view_building");
    }
    if views.iter().any(|view| view.status == Status::Faulted) {
        causes.push("view_faulted");
    }
    if app.jobs.is_outdated() || views.iter().any(|view| view.status == Status::Outdated) {
        causes.push("view_outdated");
    }
    let ready = causes.is_empty();
    let mut response = if ready { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    if !ready {
        response.insert_header((RETRY_AFTER, "5"));
    }
    response.json(Readiness {
        ready,
        causes,
        engine: app.db.engine(),
        store_writable,
        head: head.position,
        head_recorded_at: head.recorded_at,
        clock_behind_seconds: behind,
        views,
    })
}

/// The figures of this process, in the text format of Prometheus.
#[utoipa::path(tag = "server", operation_id = "GetMetrics", security(("bearer" = ["auditor"])),
    responses((status = 200, description = "The figures.", body = String, content_type = "text/plain"),
        (status = 404, description = "This server keeps no figures.")))]
#[get("/metrics")]
pub(super) async fn get_metrics(_: Auditor, api: Data<Api>) -> Result<HttpResponse, ApiError> {
    let Some(handle) = &api.metrics else {
        return Err(ApiError::new(Code::MetricsOff, "Start the server with metrics."));
    };
    let head = api.app.log.feed().head().position;
    metrics::gauge!("keytrail_log_position").set(head as f64);
    for (view, _, state) in api.app.views.states() {
        metrics::gauge!("keytrail_view_lag_events", "view" => view).set((head - state.position).max(0) as f64);
    }
    handle.run_upkeep();
    Ok(HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(handle.render()))
}
