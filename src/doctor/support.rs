//! What somebody who helps from afar needs to know of a server: figures, words of closed lists, settings; no payload, no
//! name of a thing or a person, no place, no secret. Asked for support archives.

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;

use super::{State, Subject, examine, places::Places};
use crate::{
    app::App,
    config::for_others,
    jobs::{JobError, backlog},
    process, reactors,
};

/// What is told of a server.
#[derive(Debug, Serialize)]
pub struct Support {
    /// Its version.
    pub version: &'static str,
    /// `sqlite` or `postgres`.
    pub engine: &'static str,
    /// The engine's own version.
    pub engine_version: String,
    /// How long it runs.
    pub uptime_seconds: u64,
    /// Key and value; what names places or machines is only counted.
    pub configuration: BTreeMap<&'static str, String>,
    /// What the doctor found, without what names things.
    pub findings: Vec<Brief>,
    /// How the views stand.
    pub views: Vec<BriefView>,
    /// Where things stand in the log, by name.
    pub positions: BTreeMap<&'static str, i64>,
    /// Jobs by kind and state: how many, and for how many seconds the oldest waits.
    pub jobs: Vec<BriefJobs>,
    /// How many events of each type there are.
    pub events: BTreeMap<String, i64>,
    /// Bytes of each table with its indexes.
    pub tables: BTreeMap<String, i64>,
}

/// A finding in short.
#[derive(Debug, Serialize)]
pub struct Brief {
    /// What it is about.
    pub subject: Subject,
    /// The check.
    pub id: &'static str,
    /// How bad it is.
    pub state: State,
    /// What is so.
    pub sentence: String,
    /// How many things it is about.
    pub details: usize,
}

/// A view in short.
#[derive(Debug, Serialize)]
pub struct BriefView {
    /// Which.
    pub name: &'static str,
    /// Of its tables and fold.
    pub version: u32,
    /// `building`, `live`, `faulted` or `outdated`.
    pub status: crate::views::Status,
    /// How far it is.
    pub position: i64,
}

/// Jobs in short.
#[derive(Debug, Serialize)]
pub struct BriefJobs {
    /// What they do.
    pub kind: &'static str,
    /// `waiting` or `running`.
    pub state: &'static str,
    /// How many.
    pub count: i64,
    /// How long ago the oldest was asked for.
    pub oldest_seconds: i64,
}

/// Tells it. Every check is made, and tables are measured: that takes a while.
pub async fn support(app: &Arc<App>) -> Result<Support, JobError> {
    // Whoever asks may be on another machine, and does not know which words name a place of this one.
    let places = Places::of(&app.config);
    let findings = examine(app).await.into_iter().map(|(subject, found)| Brief {
        subject,
        id: found.id,
        state: found.state,
        sentence: places.hidden_in(&found.sentence),
        details: found.details.len(),
    });
    let views = app.views.states().into_iter().map(|(name, version, state)| BriefView {
        name,
        version,
        status: state.status,
        position: state.position,
    });
    let jobs = backlog(&app.db, app.clock.now()).await?.into_iter().map(|some| BriefJobs {
        kind: some.kind,
        state: some.state,
        count: some.count,
        oldest_seconds: some.oldest_seconds,
    });
    let engine_version = match (app.db.sqlite_version(), app.db.postgres_facts().await?) {
        (Some(version), _) => version.to_owned(),
        (None, facts) => facts.map_or_else(String::new, |facts| facts.version),
    };
    Ok(Support {
        version: env!("CARGO_PKG_VERSION"),
        engine: app.db.engine(),
        engine_version,
        uptime_seconds: process::uptime_seconds() as u64,
        configuration: for_others(&app.config),
        findings: findings.collect(),
        views: views.collect(),
        positions: BTreeMap::from([
            ("head", app.log.stored_head().await?.position),
            ("newest_event", app.log.newest_stored().await?),
            ("policies", reactors::position(&app.db).await?),
        ]),
        jobs: jobs.collect(),
        events: app.log.counts_by_type().await?.into_iter().collect(),
        tables: app.db.table_sizes().await?.into_iter().collect(),
    })
}
