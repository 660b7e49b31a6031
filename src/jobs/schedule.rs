//! When each repository is looked at, and each tracked folder: timers in memory, shorter where something happens. Started
//! with the server; a look that finds nothing writes nothing.

mod poll;
mod shards;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use keytrail_domain::{
    id::{IntegrationId, RepositoryId},
    integration::Integration,
    recorded::StreamId,
    service::Connection,
};
use keytrail_projections::{
    integration_list::{self, IntegrationState},
    repository_list::{self, RepositoryState},
};
use tokio::{task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;

use self::{
    poll::{Polled, Remembered, poll},
    shards::PollShards,
};
use super::{JobError, discover_repositories::discover, looks::LookOutcome};
use crate::app::App;

/// How often timers are looked at.
const TICK: Duration = Duration::from_millis(500);
/// How often the lists are read again, and other nodes told that this one lives.
const REFRESH: Duration = Duration::from_secs(10);
/// Looks at once.
const AT_ONCE: usize = 8;

/// Starts to look.
pub(super) fn start(app: &Arc<App>, stop: &CancellationToken) {
    let schedule = Schedule {
        app: app.clone(),
        cancel: Arc::new(AtomicBool::new(false)),
        shards: PollShards::default(),
        repositories: HashMap::new(),
        folders: HashMap::new(),
        looks: JoinSet::new(),
    };
    let stop = stop.clone();
    app.jobs.keep(tokio::spawn(schedule.run(stop)));
}

/// When something is looked at next.
struct Timer {
    due: Instant,
    pause: Duration,
    busy: bool,
}

impl Timer {
    /// The first look is soon, and not at all of them at once.
    fn new(shortest: Duration, seed: u8) -> Self {
        let spread = shortest.mul_f64(f64::from(seed) / 256.0);
        Self { due: Instant::now() + spread, pause: shortest, busy: false }
    }

    /// After a look: sooner again where something happened, later and later where nothing does.
    fn rest(&mut self, happened: bool, at_least: Duration, shortest: Duration, longest: Duration) {
        self.pause = if happened { shortest } else { self.pause.mul_f64(1.5).clamp(shortest, longest) };
        self.due = Instant::now() + self.pause.max(at_least);
        self.busy = false;
    }
}

struct Watched {
    state: RepositoryState,
    timer: Timer,
    remembered: Remembered,
    wanted: bool,
}

enum Looked {
    Repository(RepositoryId, Remembered, Result<Polled, JobError>),
    Folder(IntegrationId, Result<usize, JobError>),
}

struct Schedule {
    app: Arc<App>,
    cancel: Arc<AtomicBool>,
    shards: PollShards,
    repositories: HashMap<RepositoryId, Watched>,
    folders: HashMap<IntegrationId, (Connection, Timer)>,
    looks: JoinSet<Looked>,
}

impl Schedule {
    async fn run(mut self, stop: CancellationToken) {
        let mut refreshed: Option<Instant> = None;
        while !stop.is_cancelled() {
            if refreshed.is_none_or(|at| at.elapsed() >= REFRESH) {
                if let Err(error) = self.refresh().await {
                    tracing::warn!(?error, "repositories to look at cannot be listed; trying again");
                }
                refreshed = Some(Instant::now());
            }
            let wanted = self.app.jobs.take_wanted();
            // One may have been indexed for the first time a moment ago.
            if wanted.iter().any(|id| !self.repositories.contains_key(id))
                && let Err(error) = self.refresh().await
            {
                tracing::warn!(?error, "repositories to look at cannot be listed; trying again");
            }
            for id in wanted {
                match self.repositories.get_mut(&id) {
                    Some(watched) => (watched.wanted, watched.timer.due) = (true, Instant::now()),
                    None => self.app.jobs.looks.end(id, LookOutcome::NotWatched, self.app.clock.now()),
                }
            }
            self.begin();
            tokio::select! {
                Some(looked) = self.looks.join_next(), if !self.looks.is_empty() => self.end(looked),
                () = self.app.jobs.wanted_soon(), if self.looks.len() < AT_ONCE => {}
                () = tokio::time::sleep(TICK) => {}
                () = stop.cancelled() => {}
            }
        }
        self.cancel.store(true, std::sync::atomic::Ordering::Relaxed);
        while self.looks.join_next().await.is_some() {}
        let (db, node) = (&self.app.db, &self.app.jobs.node);
        if let Err(error) = self.shards.leave(db, node).await {
            tracing::warn!(%error, "this node's repositories could not be given back; others wait for its lease to end");
        }
    }

    /// Reads again what there is to look at.
    async fn refresh(&mut self) -> Result<(), JobError> {
        if self.app.jobs.is_outdated() {
            // What it would say may be wrong by now.
            self.repositories.clear();
            self.folders.clear();
            return Ok(());
        }
        let (db, node) = (&self.app.db, &self.app.jobs.node);
        self.shards.renew(db, node, self.app.clock.now()).await?;
        let shortest = self.app.jobs.git.shortest_poll;
        let (mut active, mut after) = (HashSet::new(), None);
        loop {
            let page = self.app.read(integration_list::page(Some(IntegrationState::Active), None, after, 500)).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.added_position);
            for integration in page {
                active.insert(integration.id);
                let seed = integration.id.0.as_bytes()[15];
                match self.folders.get_mut(&integration.id) {
                    Some((connection, _)) => *connection = integration.connection,
                    None if matches!(integration.connection, Connection::Folder { .. }) => {
                        let watched = (integration.connection, Timer::new(shortest, seed));
                        self.folders.insert(integration.id, watched);
                    }
                    None => {}
                }
            }
        }
        self.folders.retain(|id, _| active.contains(id));
        let (mut there, mut after) = (HashSet::new(), None);
        loop {
            let page = self.app.read(repository_list::page(None, None, after, 1_000)).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.repository.added_position);
            for row in page.into_iter().map(|listed| listed.repository) {
                let over = matches!(row.state, RepositoryState::Refused | RepositoryState::Forgotten);
                if !active.contains(&row.integration) || over {
                    continue;
                }
                there.insert(row.id);
                match self.repositories.get_mut(&row.id) {
                    Some(watched) => watched.state = row.state,
                    None => {
                        let timer = Timer::new(shortest, row.id.0.as_bytes()[14]);
                        let (state, remembered) = (row.state, Remembered::default());
                        self.repositories.insert(row.id, Watched { state, timer, remembered, wanted: false });
                    }
                }
            }
        }
        self.repositories.retain(|id, _| there.contains(id));
        metrics::gauge!("keytrail_repositories_polled").set(self.repositories.len() as f64);
        Ok(())
    }

    /// Begins the looks that are due.
    fn begin(&mut self) {
        let now = Instant::now();
        for (id, (connection, timer)) in &mut self.folders {
            let mine = self.shards.has(&self.app.db, RepositoryId(id.0));
            if self.looks.len() >= AT_ONCE || timer.busy || timer.due > now || !mine {
                continue;
            }
            timer.busy = true;
            let (app, id, connection) = (self.app.clone(), *id, connection.clone());
            self.looks.spawn(async move { Looked::Folder(id, rescan(&app, id, connection).await) });
        }
        let due = self.repositories.iter_mut().filter(|(_, watched)| !watched.timer.busy && watched.timer.due <= now);
        let db = &self.app.db;
        // By itself only what was indexed before, or failed, is looked at; the first index is its own phase.
        let by_itself = |id: &RepositoryId, watched: &Watched| {
            matches!(watched.state, RepositoryState::Indexed | RepositoryState::Failed) && self.shards.has(db, *id)
        };
        let mut due: Vec<_> = due.filter(|(id, watched)| watched.wanted || by_itself(id, watched)).collect();
        due.sort_by_key(|(_, watched)| (!watched.wanted, watched.timer.due));
        for (id, watched) in due {
            if self.looks.len() >= AT_ONCE {
                break;
            }
            (watched.timer.busy, watched.wanted) = (true, false);
            let (app, cancel) = (self.app.clone(), self.cancel.clone());
            let (id, mut remembered) = (*id, watched.remembered.clone());
            self.looks.spawn(async move {
                let polled = poll(&app, id, &mut remembered, &cancel).await;
                Looked::Repository(id, remembered, polled)
            });
        }
    }

    fn end(&mut self, looked: Result<Looked, tokio::task::JoinError>) {
        let settings = &self.app.jobs.git;
        let (shortest, longest) = (settings.shortest_poll, settings.longest_poll);
        let count =
            |outcome: &'static str| metrics::counter!("keytrail_polls_total", "outcome" => outcome).increment(1);
        match looked {
            Ok(Looked::Repository(id, remembered, polled)) => {
                let tell = |outcome| self.app.jobs.looks.end(id, outcome, self.app.clock.now());
                let Some(watched) = self.repositories.get_mut(&id) else { return tell(LookOutcome::NotWatched) };
                watched.remembered = remembered;
                // Who asked meanwhile waits for the next one.
                if !watched.wanted {
                    tell(match &polled {
                        Ok(Polled::Nothing) => LookOutcome::Nothing,
                        Ok(Polled::Moved | Polled::Again | Polled::Busy) => LookOutcome::Run,
                        Ok(Polled::Failed(_)) | Err(_) => LookOutcome::Failed,
                        Ok(Polled::Gone) => LookOutcome::NotWatched,
                    });
                }
                let (outcome, happened, at_least) = match polled {
                    Ok(Polled::Nothing) => ("nothing", false, Duration::ZERO),
                    Ok(Polled::Moved) => ("moved", true, Duration::ZERO),
                    Ok(Polled::Gone) => ("gone", false, Duration::ZERO),
                    Ok(Polled::Busy) => {
                        count("busy");
                        // Soon after the run, and not sooner the next time because of it.
                        (watched.timer.busy, watched.timer.due) = (false, Instant::now() + shortest);
                        return;
                    }
                    // A run that fails again and again is not something happening.
                    Ok(Polled::Again) => ("again", false, Duration::ZERO),
                    Ok(Polled::Failed(wait)) => ("failed", false, wait.unwrap_or_default()),
                    Err(JobError::Left) => ("left", false, Duration::ZERO),
                    Err(error) => {
                        tracing::warn!(repository = %id, ?error, "a repository could not be looked at; trying again");
                        ("error", false, Duration::ZERO)
                    }
                };
                count(outcome);
                watched.timer.rest(happened, at_least, shortest, longest);
                if watched.wanted {
                    watched.timer.due = Instant::now();
                }
            }
            Ok(Looked::Folder(id, found)) => {
                let Some((_, timer)) = self.folders.get_mut(&id) else { return };
                if let Err(error) = &found {
                    tracing::warn!(integration = %id, ?error, "a tracked folder could not be looked at; trying again");
                }
                timer.rest(matches!(found, Ok(1..)), Duration::ZERO, shortest, longest);
            }
            Err(error) => {
                // Its timer stays busy until the lists are read again from nothing.
                tracing::error!(%error, "a look at a repository ended with a fault of its own");
                self.app.jobs.looks.give_up(self.app.clock.now());
                self.repositories.clear();
                self.folders.clear();
            }
        }
    }
}

/// Looks which repositories are in a tracked folder now.
async fn rescan(app: &App, id: IntegrationId, connection: Connection) -> Result<usize, JobError> {
    let (integration, _) = app.load::<Integration>(StreamId::new("integration", id.0)).await?;
    match integration {
        Integration::Active { connection: now, .. } if now == connection => {
            discover(app, id, connection, app.log.feed().head().position).await
        }
        // It changed a moment ago; the list says how, soon.
        _ => Ok(0),
    }
}
