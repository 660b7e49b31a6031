//! What is measured when somebody asks: how far things are behind, what waits, what the process holds. Set before the
//! metrics are shown; what happens is counted where it happens.

use keytrail_projections::{
    host_key_list::{self, HostKeyCounts},
    ssh_key_list::{self, KeyCounts},
};

use crate::{
    app::App,
    jobs::{Kind, STATES, backlog},
    process, reactors,
    store::StoreError,
};

/// Measures all of it. What the store does not tell stays as it was.
pub async fn set(app: &App) {
    let head = app.log.feed().head().position;
    metrics::gauge!("keytrail_log_position").set(head as f64);
    let labels = [("version", env!("CARGO_PKG_VERSION")), ("engine", app.db.engine())];
    metrics::gauge!("keytrail_build_info", &labels).set(1.0);
    metrics::gauge!("keytrail_process_uptime_seconds").set(process::uptime_seconds());
    if let Some(bytes) = process::resident_bytes() {
        metrics::gauge!("keytrail_process_resident_bytes").set(bytes as f64);
    }
    if let Some(files) = process::open_files() {
        metrics::gauge!("keytrail_process_open_files").set(files as f64);
    }
    of_ssh_keys(app).await;
    of_host_keys(app).await;
    if let Err(error) = of_store(app, head).await {
        tracing::warn!(%error, "the metrics do not tell how far things are: the store did not say");
    }
}

/// How many keys of SSH there are, and how old. While the view is built they stay as they were.
async fn of_ssh_keys(app: &App) {
    let now = app.clock.now();
    let before = now.plus_micros(-app.config.ssh_keys.old_micros());
    let counts = match app.read(ssh_key_list::counts(before)).await {
        Ok(rows) => rows.into_iter().next().unwrap_or_default(),
        Err(error) => {
            tracing::debug!(%error, "the metrics do not tell how old the keys of SSH are");
            return;
        }
    };
    let KeyCounts { all, old, oldest } = counts;
    let oldest = oldest.map_or(0, |oldest| (now.seconds() - oldest.seconds()).max(0));
    metrics::gauge!("keytrail_ssh_keys").set(all as f64);
    metrics::gauge!("keytrail_ssh_keys_old").set(old as f64);
    metrics::gauge!("keytrail_ssh_key_oldest_seconds").set(oldest as f64);
}

/// How many SSH servers are trusted, and how many wait for a decision. While the view is built they stay as they were.
async fn of_host_keys(app: &App) {
    match app.read(host_key_list::counts()).await {
        Ok(rows) => {
            let HostKeyCounts { trusted, changed } = rows.into_iter().next().unwrap_or_default();
            metrics::gauge!("keytrail_ssh_servers").set(trusted as f64);
            metrics::gauge!("keytrail_ssh_servers_changed").set(changed as f64);
        }
        Err(error) => tracing::debug!(%error, "the metrics do not tell which SSH servers show another key"),
    }
}

async fn of_store(app: &App, head: i64) -> Result<(), StoreError> {
    for (view, _, state) in app.views.states() {
        metrics::gauge!("keytrail_view_lag_events", "view" => view).set((head - state.position).max(0) as f64);
        let seconds = app.lag_seconds(state.position).await?.unwrap_or(0);
        metrics::gauge!("keytrail_view_lag_seconds", "view" => view).set(seconds as f64);
    }
    let position = reactors::position(&app.db).await?;
    metrics::gauge!("keytrail_reactor_lag_events").set((head - position).max(0) as f64);
    metrics::gauge!("keytrail_reactor_lag_seconds").set(app.lag_seconds(position).await?.unwrap_or(0) as f64);
    let jobs = backlog(&app.db, app.clock.now()).await?;
    for (kind, state) in Kind::ALL.iter().flat_map(|kind| STATES.map(|state| (kind.as_str(), state))) {
        let some = jobs.iter().find(|some| some.kind == kind && some.state == state);
        let labels = [("kind", kind), ("state", state)];
        metrics::gauge!("keytrail_jobs", &labels).set(some.map_or(0, |some| some.count) as f64);
        metrics::gauge!("keytrail_job_oldest_seconds", &labels).set(some.map_or(0, |some| some.oldest_seconds) as f64);
    }
    Ok(())
}
