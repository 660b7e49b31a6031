//! What the server says of itself: log lines and metrics.

mod described;

use std::io::IsTerminal;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::{EnvFilter, fmt};

pub use self::described::{METRICS, Metric, Sort};
use crate::{
    config::{self, Log, LogFormat},
    process,
};

const REPEATS_ADDRESSES: &str = "actix_web::types=off";

/// Starts log lines on standard error. Called once, by `main`; a filter that cannot be read counts as `info`.
pub fn start_log(log: &Log) {
    process::begin();
    let filter = EnvFilter::try_new(&log.level).unwrap_or_else(|_| EnvFilter::new("info"));
    // Whatever level is asked for: this part of the framework repeats addresses and queries as they were sent, and a
    // token may stand there that belongs elsewhere.
    let filter = filter.add_directive(REPEATS_ADDRESSES.parse().expect("it is a directive"));
    let pretty = match log.format {
        LogFormat::Json => false,
        LogFormat::Pretty => true,
        LogFormat::Auto => std::io::stderr().is_terminal(),
    };
    let lines = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Somebody else's subscriber, in a test, stays.
    let _ = if pretty {
        lines.with_ansi(!config::no_color()).with_target(false).try_init()
    } else {
        lines.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init()
    };
}

/// Starts the metrics of this process. `None` when they were started before.
pub fn start_metrics() -> Option<PrometheusHandle> {
    const SECONDS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];
    let builder = PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS).ok()?;
    let handle = builder.install_recorder().ok()?;
    described::describe();
    Some(handle)
}
