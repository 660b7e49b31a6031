//! The figures of this process.

use actix_web::{HttpResponse, get, web::Data};

use super::{
    Api,
    auth::Auditor,
    error::{ApiError, Code},
};
use crate::gauges;

/// The figures of this process, in the text format of Prometheus.
#[utoipa::path(tag = "server", operation_id = "GetMetrics", security(("bearer" = ["auditor"])),
    responses((status = 200, description = "The figures.", body = String, content_type = "text/plain"),
        (status = 404, description = "This server keeps no figures.")))]
#[get("/metrics")]
pub(super) async fn get_metrics(_: Auditor, api: Data<Api>) -> Result<HttpResponse, ApiError> {
    let Some(handle) = &api.metrics else {
        return Err(ApiError::new(Code::MetricsOff, "Start the server with metrics."));
    };
    gauges::set(&api.app).await;
    handle.run_upkeep();
    Ok(HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(handle.render()))
}
