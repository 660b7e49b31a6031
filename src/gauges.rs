//! What is measured when somebody asks: how far things are behind, what waits, what the process holds. Set before the
//! metrics are shown; what happens is counted where it happens.

use keytrail_domain::timestamp::Timestamp;
use keytrail_projections::{
    host_key_list::{self, HostKeyCounts},
    ssh_key_list::{self, KeyCounts, KeyState},
};

use crate::{
    app::App,
    jobs::{self, JobError, Kind, STATES, backlog},
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

/// Keys of SSH that are read at once.
const KEYS: u32 = 1_000;

/// How many keys of SSH there are, how old, and how long not used. While the view is built they stay as they were.
async fn of_ssh_keys(app: &App) {
    let now = app.clock.now();
    match key_uses(app).await {
        Ok((never_used, used)) => {
            let longest = used.map_or(0, |used| (now.seconds() - used.seconds()).max(0));
            metrics::gauge!("keytrail_ssh_keys_never_used").set(never_used as f64);
            metrics::gauge!("keytrail_ssh_key_last_used_seconds").set(longest as f64);
        }
        Err(error) => tracing::debug!(?error, "the metrics do not tell which keys of SSH are used"),
    }
    let before = now.plus_micros(-app.config.ssh_keys.old_micros());
    let counts = match app.read(ssh_key_list::counts(before)).await {
        Ok(rows) => rows.into_iter().next().unwrap_or_default(),
        Err(error) => {
            tracing::debug!(%error, "the metrics do not tell how old the keys of SSH are");
            return;
        }
    };
    let KeyCounts { all, on_disk, old, oldest } = counts;
    let oldest = oldest.map_or(0, |oldest| (now.seconds() - oldest.seconds()).max(0));
    metrics::gauge!("keytrail_ssh_keys", "store" => "server").set(all.saturating_sub(on_disk) as f64);
    metrics::gauge!("keytrail_ssh_keys", "store" => "disk").set(on_disk as f64);
    metrics::gauge!("keytrail_ssh_keys_old").set(old as f64);
    metrics::gauge!("keytrail_ssh_key_oldest_seconds").set(oldest as f64);
}

/// How many keys of the pool no host ever took, and when the one was taken that was not for longest.
async fn key_uses(app: &App) -> Result<(u64, Option<Timestamp>), JobError> {
    let (mut never_used, mut longest, mut after) = (0, None, None);
    loop {
        let page = app.read(ssh_key_list::page(Some(KeyState::Active), None, after, KEYS)).await?;
        let ids = || page.iter().map(|key| key.id);
        let Some((first, last)) = ids().min().zip(ids().max()) else { return Ok((never_used, longest)) };
        after = page.last().map(|key| key.added_position);
        let used = jobs::last_ssh_key_uses(&app.db, first, last).await?;
        for key in ids() {
            match used.get(&key) {
                Some(at) => longest = Some(longest.map_or(*at, |before: Timestamp| before.min(*at))),
                None => never_used += 1,
            }
        }
    }
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
