//! The figures of this process.

use actix_web::{HttpResponse, get, web::Data};

use super::{
    Api,
    auth::Auditor,
    error::{ApiError, Code},
};
use crate::gauges;

/// A few lines of an answer.
const EXAMPLE: &str = "\
# HELP keytrail_events_appended_total Events that this node appended; index_run.completed, .failed and .cancelled are the outcomes of runs.
# TYPE keytrail_events_appended_total counter
keytrail_events_appended_total{type=\"index_run.completed\"} 42
# HELP keytrail_append_batches_total Batches of commands that were written to the log.
# TYPE keytrail_append_batches_total counter
keytrail_append_batches_total 97
";

/// The figures of this process, in the text format of Prometheus.
#[utoipa::path(tag = "server", operation_id = "GetMetrics", security(("bearer" = ["auditor"])),
    responses((status = 200, description = "The figures.", body = String, content_type = "text/plain",
            example = json!(EXAMPLE)),
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

#[cfg(test)]
mod tests {
    use super::EXAMPLE;
    use crate::telemetry::{METRICS, Sort};

    #[test]
    fn the_example_is_of_figures_that_there_are_in_their_own_words() {
        let mut shown = 0;
        for part in EXAMPLE.split("# HELP ").skip(1) {
            let (name, rest) = part.split_once(' ').expect("a name");
            let metric = METRICS.iter().find(|metric| metric.name == name).expect("a metric");
            assert!(metric.sort == Sort::Counter && rest.contains(&format!("# TYPE {name} counter")), "{name}");
            assert_eq!(rest.lines().next(), Some(metric.about));
            let labels = rest.lines().last().and_then(|line| line.split_once('{')).map_or(0, |_| 1);
            assert_eq!(labels, metric.labels.len(), "{name}");
            shown += 1;
        }
        assert!(shown > 1);
    }
}
