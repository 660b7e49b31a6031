//! What there is to look at, kept up with the views: of a long list only what changed is read. Kept by the schedule; it
//! decides nothing about when.

use std::{
    collections::{HashMap, hash_map::Entry},
    path::Path,
    sync::Arc,
    time::Duration,
};

use keytrail_domain::{
    id::{IntegrationId, RepositoryId},
    installation::{Installation as State, Status},
    recorded::Position,
    service::Connection,
};
use keytrail_projections::{
    installation_status,
    integration_list::{self, Integration, IntegrationState},
    repository_list::{self, Brief, RepositoryState},
};
use tokio::time::Instant;

use super::{TICK, installation::Installation, poll::Remembered, timer::Timer};
use crate::{
    app::App,
    jobs::{JobError, mounts::Mounts},
    views::Views,
};

/// Rows that are read at once.
const PAGE: u32 = 1_000;
/// The views that it is made of.
const VIEWS: [&str; 3] = ["integration_list", "repository_list", "installation_status"];

/// A repository that is looked at.
pub(super) struct Watched {
    pub(super) integration: IntegrationId,
    pub(super) state: RepositoryState,
    pub(super) timer: Timer,
    pub(super) remembered: Remembered,
    /// Somebody wants it to be looked at now.
    pub(super) wanted: bool,
    /// Somebody wanted that, and a run was under way.
    pub(super) owed: bool,
}

impl Watched {
    /// Whether the run that was under way when somebody wanted a look failed: perhaps of what was over by then, such as a
    /// suspension. One that was cancelled owes nothing: before the first index a look only asks for that run again.
    pub(super) fn owes_a_look(&self) -> bool {
        self.owed && self.state == RepositoryState::Failed
    }
}

/// Repositories and tracked folders of integrations that are active.
pub(super) struct WatchList {
    pub(super) repositories: HashMap<RepositoryId, Watched>,
    pub(super) folders: HashMap<IntegrationId, (Connection, Timer)>,
    pub(super) installations: HashMap<IntegrationId, Installation>,
    /// Where each integration looks: a server, by scheme, name and port, or a file system of this machine.
    pub(super) places: HashMap<IntegrationId, Arc<str>>,
    active: HashMap<IntegrationId, Connection>,
    /// By which the places on this machine were told.
    mounts: Mounts,
    /// When those were read last.
    pub(super) mounts_read: Option<Instant>,
    /// The head of the log when the list was begun: what changed before that changed for nobody here.
    began_at: Position,
    /// Where both views stood when they were read last.
    stood_at: Position,
    /// The last changes that were read.
    integrations_to: Position,
    repositories_to: Position,
    installations_to: Position,
    /// Rows that were read so far.
    pub(super) rows_read: u64,
}

impl WatchList {
    /// Forgets all; the next time everything is read again.
    pub(super) fn clear(&mut self) {
        *self = Self { rows_read: self.rows_read, ..Self::beginning_at(self.began_at) };
    }

    /// An empty one, of whoever begins when this is the head of the log.
    pub(super) fn beginning_at(began_at: Position) -> Self {
        Self {
            repositories: HashMap::new(),
            folders: HashMap::new(),
            installations: HashMap::new(),
            places: HashMap::new(),
            active: HashMap::new(),
            mounts: Mounts::default(),
            mounts_read: None,
            began_at,
            stood_at: 0,
            integrations_to: 0,
            repositories_to: 0,
            installations_to: 0,
            rows_read: 0,
        }
    }

    /// Reads what changed since the last time: nothing, when nothing did. The repositories of integrations that connect
    /// in another way now, or go on after a pause: what was seen of them before says nothing.
    pub(super) async fn keep_up(&mut self, app: &App) -> Result<Vec<RepositoryId>, JobError> {
        self.read_mounts().await;
        let stands_at = stand_at(&app.views);
        if stands_at <= self.stood_at {
            return Ok(Vec::new());
        }
        let mut reconnected = Vec::new();
        // Before the repositories: what failed before an app came back is known as failed when that is seen.
        let readable = self.follow_installations(app).await?;
        loop {
            let page = app.read(integration_list::changed(self.integrations_to, PAGE)).await?;
            self.count(page.len());
            let Some(last) = page.last().map(|integration| integration.position) else { break };
            for integration in page {
                self.follow(app, integration, &mut reconnected).await?;
            }
            self.integrations_to = last;
        }
        loop {
            let page = app.read(repository_list::briefs_changed(self.repositories_to, PAGE)).await?;
            self.count(page.len());
            let Some(last) = page.last().map(|brief| brief.position) else { break };
            page.into_iter().for_each(|brief| self.put(app.jobs.git.shortest_poll, brief));
            self.repositories_to = last;
        }
        for (id, was_active) in readable {
            let of_it = self.repositories.iter().filter(|(_, watched)| watched.integration == id);
            // One that was away so shortly that nobody saw it may have let something fail.
            let again = of_it.filter(|(_, watched)| !was_active || watched.state == RepositoryState::Failed);
            reconnected.extend(again.map(|(id, _)| *id));
        }
        self.stood_at = stands_at;
        metrics::gauge!("keytrail_repositories_polled").set(self.repositories.len() as f64);
        Ok(reconnected)
    }

    /// How the apps are by now. Those that changed and may read, each with whether it was seen to before.
    async fn follow_installations(&mut self, app: &App) -> Result<Vec<(IntegrationId, bool)>, JobError> {
        let mut readable = Vec::new();
        loop {
            let page = app.read(installation_status::changed(self.installations_to, PAGE)).await?;
            self.count(page.len());
            let Some(last) = page.last().map(|row| row.position) else { return Ok(readable) };
            for row in page {
                // What was removed is over, unless there is a key to ask with.
                let left_at: Option<Arc<str>> = match &row.state {
                    State::Removed { kept: Some(kept), .. } => Some(kept.host.as_str().into()),
                    _ => None,
                };
                if row.status == Status::Removed && left_at.is_none() {
                    self.installations.remove(&row.id);
                    app.jobs.installation_turns.forget(row.id);
                    continue;
                }
                let now_active = row.status == Status::Active;
                match self.installations.entry(row.id) {
                    Entry::Vacant(place) => {
                        let seed = row.id.0.as_bytes()[15];
                        place.insert(Installation { left_at, ..Installation::new(row.status, seed) });
                        // It may have been away, and back, before this was read for the first time.
                        if now_active && row.position > self.began_at {
                            readable.push((row.id, true));
                        }
                    }
                    Entry::Occupied(mut known) => {
                        let was_active = known.get().status == Status::Active;
                        known.get_mut().is_now(row.status);
                        known.get_mut().left_at = left_at;
                        if now_active {
                            readable.push((row.id, was_active));
                        }
                    }
                }
            }
            self.installations_to = last;
        }
    }

    /// Whether the app that reads these repositories may not read now.
    pub(super) fn is_held(&self, integration: IntegrationId) -> bool {
        self.installations.get(&integration).is_some_and(|one| one.status != Status::Active)
    }

    async fn follow(
        &mut self,
        app: &App,
        integration: Integration,
        reconnected: &mut Vec<RepositoryId>,
    ) -> Result<(), JobError> {
        let (id, connection) = (integration.id, integration.connection);
        if integration.state != IntegrationState::Active {
            self.active.remove(&id);
            self.places.remove(&id);
            self.folders.remove(&id);
            self.repositories.retain(|_, watched| watched.integration != id);
            return Ok(());
        }
        let shortest = app.jobs.git.shortest_poll;
        if matches!(connection, Connection::Folder { .. }) {
            let folder = || (connection.clone(), Timer::new(shortest, id.0.as_bytes()[15]));
            self.folders.entry(id).or_insert_with(folder).0 = connection.clone();
        }
        self.places.insert(id, place_of(&connection, &self.mounts));
        match self.active.insert(id, connection.clone()) {
            Some(before) if before == connection => {}
            Some(_) => self.reconnect(id, reconnected),
            // New, or one that goes on: its repositories need not have changed since.
            None => {
                self.read_all_of(app, id).await?;
                // It was paused, or is new and connects in another way already.
                if integration.position > self.began_at.max(integration.added_position) {
                    self.reconnect(id, reconnected);
                }
            }
        }
        Ok(())
    }

    /// At most once in each tick, and on a thread of its own: with many file systems it is a long list.
    async fn read_mounts(&mut self) {
        if self.mounts_read.is_some_and(|at| at.elapsed() < TICK) {
            return;
        }
        self.mounts_read = Some(Instant::now());
        if let Ok(mounts) = tokio::task::spawn_blocking(Mounts::read).await {
            self.follow_mounts(mounts);
        }
    }

    /// A share that was mounted, or taken away, makes other places of the same paths.
    pub(super) fn follow_mounts(&mut self, mounts: Mounts) {
        if mounts != self.mounts {
            self.mounts = mounts;
            let places = self.active.iter().map(|(id, connection)| (*id, place_of(connection, &self.mounts)));
            self.places.extend(places);
        }
    }

    fn reconnect(&self, integration: IntegrationId, reconnected: &mut Vec<RepositoryId>) {
        let of_it = self.repositories.iter().filter(|(_, watched)| watched.integration == integration);
        reconnected.extend(of_it.map(|(id, _)| *id));
    }

    async fn read_all_of(&mut self, app: &App, integration: IntegrationId) -> Result<(), JobError> {
        let mut after = None;
        loop {
            let page = app.read(repository_list::briefs_of(integration, after, PAGE)).await?;
            self.count(page.len());
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.added_position);
            page.into_iter().for_each(|brief| self.put(app.jobs.git.shortest_poll, brief));
        }
    }

    fn put(&mut self, shortest: Duration, brief: Brief) {
        let Brief { id, integration, state, archived, .. } = brief;
        // Of what nobody may change, only what was never read is to be looked at.
        let over = matches!(state, RepositoryState::Refused | RepositoryState::Forgotten)
            || archived && state == RepositoryState::Indexed;
        if over || !self.active.contains_key(&integration) {
            self.repositories.remove(&id);
            return;
        }
        let new = || Watched {
            integration,
            state,
            timer: Timer::new(shortest, id.0.as_bytes()[14]),
            remembered: Remembered::default(),
            wanted: false,
            owed: false,
        };
        let watched = self.repositories.entry(id).or_insert_with(new);
        watched.state = state;
        if watched.owes_a_look() {
            watched.timer.due = Instant::now();
        }
    }

    fn count(&mut self, rows: usize) {
        self.rows_read += rows as u64;
        metrics::counter!("keytrail_schedule_rows_read_total").absolute(self.rows_read);
    }
}

fn place_of(connection: &Connection, mounts: &Mounts) -> Arc<str> {
    match connection {
        Connection::Git(remote) => remote.url.origin().into(),
        Connection::GithubApp(github) => github.host.web.as_str().into(),
        Connection::Path { path, .. } | Connection::Folder { path, .. } => mounts.of(Path::new(path)),
    }
}

/// Up to where all of these views are told of.
fn stand_at(views: &Views) -> Position {
    let states = views.states();
    let of_these = states.iter().filter(|(name, ..)| VIEWS.contains(name));
    of_these.map(|(.., state)| state.position).min().unwrap_or(0)
}
