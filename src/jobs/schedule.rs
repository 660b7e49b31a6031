//! When each repository is looked at, and each tracked folder: timers in memory, shorter where something happens. Started
//! with the server; a look that finds nothing writes nothing.

mod installation;
mod poll;
mod slots;
#[cfg(test)]
mod tests;
mod timer;
mod watch_list;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, OnceLock, atomic::AtomicBool},
    time::Duration,
};

use keytrail_domain::{
    id::{IntegrationId, RepositoryId},
    integration::Integration,
    recorded::StreamId,
    service::Connection,
};
use keytrail_projections::repository_list::RepositoryState;
use tokio::{
    task::{Id, JoinSet},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

pub use self::installation::look as ask_after;
use self::{
    poll::{Polled, Remembered, poll},
    slots::{AT_ONCE, Slots},
    watch_list::{WatchList, Watched},
};
use super::{JobError, Kind, NewJob, discover_repositories::discover, looks::LookOutcome, shards::PollShards};
use crate::{app::App, git::ssh::SshAccess, store::Area};

/// How often timers are looked at, and whether anything changed.
const TICK: Duration = Duration::from_millis(500);
/// How long after a look that found no connection free to its host the next one is, at most.
const GIVES_WAY: Duration = Duration::from_secs(10);
/// How often other nodes are told that this one lives.
const RENEW: Duration = Duration::from_secs(10);

/// Starts to look.
pub(super) fn start(app: &Arc<App>, stop: &CancellationToken) {
    let schedule = Schedule::of(app);
    let stop = stop.clone();
    app.jobs.keep(tokio::spawn(schedule.run(stop)));
}

enum Looked {
    Repository(RepositoryId, Remembered, Result<Polled, JobError>),
    Folder(IntegrationId, Result<usize, JobError>),
    Installation(IntegrationId, Result<(), JobError>),
}

/// What a look is at.
#[derive(Clone, Copy, Debug)]
enum At {
    Repository(RepositoryId),
    Folder(IntegrationId),
    Installation(IntegrationId),
}

struct Schedule {
    app: Arc<App>,
    cancel: Arc<AtomicBool>,
    shards: PollShards,
    list: WatchList,
    looks: JoinSet<Looked>,
    /// What each of the looks is at, should it end with a fault.
    at: HashMap<Id, At>,
    /// The places that looks are at.
    slots: Slots,
    /// When it was last said that the lists cannot be read.
    complained: Option<Instant>,
}

impl Schedule {
    fn of(app: &Arc<App>) -> Self {
        Self {
            app: app.clone(),
            cancel: Arc::new(AtomicBool::new(false)),
            shards: PollShards::default(),
            list: WatchList::beginning_at(app.log.feed().head().position),
            looks: JoinSet::new(),
            at: HashMap::new(),
            slots: Slots::default(),
            complained: None,
        }
    }

    async fn run(mut self, stop: CancellationToken) {
        let mut renewed: Option<Instant> = None;
        while !stop.is_cancelled() {
            self.app.jobs.webhook_secrets.let_go(self.app.log.feed().head().position);
            if self.app.jobs.is_outdated() {
                // What it would say may be wrong by now. The parts go to other nodes when their leases end.
                self.list.clear();
                for id in self.app.jobs.take_wanted() {
                    self.tell(id, LookOutcome::NotWatched);
                }
            } else {
                if renewed.is_none_or(|at| at.elapsed() >= RENEW) {
                    let (db, node) = (&self.app.db, &self.app.jobs.node);
                    if let Err(error) = self.shards.renew(db, node, &self.app.caches, self.app.clock.now()).await {
                        tracing::warn!(%error, "this node could not say which repositories it looks after; trying again");
                    }
                    renewed = Some(Instant::now());
                }
                self.keep_up().await;
            }
            self.begin();
            tokio::select! {
                Some(looked) = self.looks.join_next_with_id(), if !self.looks.is_empty() => self.end(looked),
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

    /// Learns what there is to look at, and what somebody wants to be looked at now.
    async fn keep_up(&mut self) {
        match self.list.keep_up(&self.app).await {
            // Each node sees that, and looks at its own.
            Ok(reconnected) => reconnected.into_iter().for_each(|id| {
                if self.shards.has(&self.app.db, id) {
                    self.want(id);
                }
            }),
            Err(error) => {
                // It is tried at each tick, and told now and then.
                if self.complained.is_none_or(|at| at.elapsed() >= RENEW) {
                    tracing::warn!(?error, "repositories to look at cannot be listed; trying again");
                    self.complained = Some(Instant::now());
                }
            }
        }
        for id in self.app.jobs.take_wanted() {
            if self.shards.has(&self.app.db, id) {
                self.want(id);
            } else {
                match self.pass_on(id).await {
                    Ok(()) => self.tell(id, LookOutcome::PassedOn),
                    Err(error) => {
                        tracing::warn!(repository = %id, ?error, "another node could not be told to look at a repository");
                        self.app.jobs.look_later(id);
                    }
                }
            }
        }
    }

    /// Looks soon. One that is not there is being indexed at the moment, or is not looked at.
    fn want(&mut self, id: RepositoryId) {
        let held = self.list.repositories.get(&id).is_some_and(|watched| self.list.is_held(watched.integration));
        match self.list.repositories.get_mut(&id).filter(|_| !held) {
            Some(watched) => {
                watched.wanted = true;
                watched.timer.ask();
            }
            None => self.tell(id, LookOutcome::NotWatched),
        }
    }

    /// Tells who asked this node for a look what came of it.
    fn tell(&self, id: RepositoryId, outcome: LookOutcome) {
        self.app.jobs.looks.end(id, outcome, self.app.clock.now());
    }

    /// Tells the node that looks after this repository, by a job that only that one takes.
    async fn pass_on(&self, id: RepositoryId) -> Result<(), JobError> {
        let job = NewJob {
            kind: Kind::LookNow,
            key: id.to_string(),
            repository: Some(id),
            integration: self.list.repositories.get(&id).map(|watched| watched.integration),
            caused_by: self.app.log.feed().head().position,
            is_urgent: true,
        };
        self.app.db.write(Area::Log, vec![job.enqueue(&self.app.db, self.app.clock.now())]).await?;
        Ok(())
    }

    /// Begins the looks that are due.
    fn begin(&mut self) {
        let now = Instant::now();
        for (id, (connection, timer)) in &mut self.list.folders {
            if timer.busy || timer.due > now || !self.shards.has(&self.app.db, RepositoryId(id.0)) {
                continue;
            }
            let place = self.list.places.get(id).filter(|place| self.slots.admits(place, now));
            let Some(place) = place else { continue };
            timer.busy = true;
            let (app, id, connection) = (self.app.clone(), *id, connection.clone());
            let look = self.looks.spawn(async move { Looked::Folder(id, rescan(&app, id, connection).await) });
            self.at.insert(look.id(), At::Folder(id));
            self.slots.begin(look.id(), place.clone(), now, Box::new(|| Duration::ZERO));
        }
        self.begin_installations(now);
        let list = &self.list;
        let held: HashSet<IntegrationId> = list.installations.keys().copied().filter(|id| list.is_held(*id)).collect();
        let due =
            self.list.repositories.iter_mut().filter(|(_, watched)| !watched.timer.busy && watched.timer.due <= now);
        let db = &self.app.db;
        // By itself only what was indexed before, or failed, is looked at; the first index is its own phase.
        let by_itself = |id: &RepositoryId, watched: &Watched| {
            matches!(watched.state, RepositoryState::Indexed | RepositoryState::Failed) && self.shards.has(db, *id)
        };
        let mut due: Vec<_> = due
            .filter(|(_, watched)| !held.contains(&watched.integration))
            .filter(|(id, watched)| watched.wanted || by_itself(id, watched))
            .collect();
        due.sort_by_key(|(_, watched)| (!watched.wanted, watched.timer.due));
        let mut full: HashSet<&str> = HashSet::new();
        for (id, watched) in due {
            let Some(place) = self.list.places.get(&watched.integration) else { continue };
            if full.contains(&**place) {
                continue;
            }
            if !self.slots.admits(place, now) {
                // They stay due, and have their turn when a look ends.
                full.insert(place);
                continue;
            }
            let is_wanted = std::mem::take(&mut watched.wanted);
            watched.owed |= is_wanted;
            watched.timer.busy = true;
            let (app, cancel) = (self.app.clone(), self.cancel.clone());
            let (id, mut remembered) = (*id, watched.remembered.clone());
            let access: Arc<OnceLock<Arc<SshAccess>>> = Arc::default();
            let theirs = access.clone();
            let look = self.looks.spawn(async move {
                let polled = poll(&app, id, &mut remembered, is_wanted, &cancel, &theirs).await;
                Looked::Repository(id, remembered, polled)
            });
            self.at.insert(look.id(), At::Repository(id));
            let waited = move || access.get().map_or(Duration::ZERO, |access| access.waited());
            self.slots.begin(look.id(), place.clone(), now, Box::new(waited));
        }
    }

    /// Asks after the apps whose turn it is. They are at places of their own, whatever is looked at beside them there.
    fn begin_installations(&mut self, now: Instant) {
        for (id, one) in &mut self.list.installations {
            if !one.timer.busy {
                let micros = i64::try_from(one.until_due().as_micros()).unwrap_or(i64::MAX / 4);
                if self.shards.has(&self.app.db, RepositoryId(id.0)) {
                    self.app.jobs.installation_turns.set(*id, self.app.clock.now().plus_micros(micros));
                } else {
                    self.app.jobs.installation_turns.forget(*id);
                }
            }
            if one.timer.busy || one.timer.due > now || !self.shards.has(&self.app.db, RepositoryId(id.0)) {
                continue;
            }
            let place = one.left_at.as_ref().or_else(|| self.list.places.get(id));
            let place = place.map(|place| slots::of_apps(place)).filter(|place| self.slots.admits(place, now));
            let Some(place) = place else { continue };
            one.timer.busy = true;
            let (app, id) = (self.app.clone(), *id);
            let look = self.looks.spawn(async move { Looked::Installation(id, installation::look(&app, id).await) });
            self.at.insert(look.id(), At::Installation(id));
            self.slots.begin(look.id(), place, now, Box::new(|| Duration::ZERO));
        }
    }

    fn end(&mut self, looked: Result<(Id, Looked), tokio::task::JoinError>) {
        let look = match &looked {
            Ok((id, _)) => *id,
            Err(error) => error.id(),
        };
        let at = self.at.remove(&look);
        let found_no_place = matches!(&looked, Ok((_, Looked::Repository(_, _, Err(JobError::NoPlace(_))))));
        self.slots.end(look, Instant::now(), !found_no_place);
        let settings = &self.app.jobs.git;
        let (shortest, longest) = (settings.shortest_poll, settings.longest_poll);
        let count =
            |outcome: &'static str| metrics::counter!("keytrail_polls_total", "outcome" => outcome).increment(1);
        match looked.map(|(_, looked)| looked) {
            Ok(Looked::Repository(id, remembered, polled)) => {
                let Some(watched) = self.list.repositories.get_mut(&id) else {
                    return self.tell(id, LookOutcome::NotWatched);
                };
                watched.remembered = remembered;
                if matches!(polled, Err(JobError::NoPlace(_))) {
                    count("full");
                    // Who wanted this look waits for the next one.
                    watched.wanted |= watched.owed;
                    (watched.timer.busy, watched.timer.due) = (false, Instant::now() + GIVES_WAY.min(shortest));
                    return;
                }
                // Who asked meanwhile waits for the next one.
                if !watched.wanted {
                    let outcome = match &polled {
                        Ok(Polled::Nothing | Polled::Held) => LookOutcome::Nothing,
                        Ok(Polled::Moved | Polled::Again | Polled::Busy) => LookOutcome::Run,
                        Ok(Polled::Failed(_)) | Err(_) => LookOutcome::Failed,
                        Ok(Polled::Gone) => LookOutcome::NotWatched,
                    };
                    self.app.jobs.looks.end(id, outcome, self.app.clock.now());
                }
                let (outcome, happened, at_least) = match polled {
                    Ok(Polled::Nothing) => ("nothing", false, Duration::ZERO),
                    Ok(Polled::Moved) => ("moved", true, Duration::ZERO),
                    Ok(Polled::Gone) => ("gone", false, Duration::ZERO),
                    Ok(Polled::Busy) => {
                        count("busy");
                        // Soon after the run, and not sooner the next time because of it.
                        let soon = if watched.wanted || watched.owes_a_look() { TICK } else { shortest };
                        (watched.timer.busy, watched.timer.due) = (false, Instant::now() + soon);
                        return;
                    }
                    // A run that fails again and again is not something happening.
                    Ok(Polled::Again) => ("again", false, Duration::ZERO),
                    Ok(Polled::Held) => ("held", false, Duration::ZERO),
                    Ok(Polled::Failed(wait)) => ("failed", false, wait.unwrap_or_default()),
                    Err(JobError::Left) => ("left", false, Duration::ZERO),
                    Err(error) => {
                        tracing::warn!(repository = %id, ?error, "a repository could not be looked at; trying again");
                        ("error", false, Duration::ZERO)
                    }
                };
                count(outcome);
                watched.owed = false;
                watched.timer.rest(happened, at_least, shortest, longest);
                if watched.wanted {
                    watched.timer.ask();
                }
            }
            Ok(Looked::Folder(id, found)) => {
                let Some((_, timer)) = self.list.folders.get_mut(&id) else { return };
                if let Err(error) = &found {
                    tracing::warn!(integration = %id, ?error, "a tracked folder could not be looked at; trying again");
                }
                timer.rest(matches!(found, Ok(1..)), Duration::ZERO, shortest, longest);
            }
            Ok(Looked::Installation(id, looked)) => {
                if let Err(error) = &looked {
                    tracing::debug!(integration = %id, ?error, "an app could not be asked after; trying again");
                }
                count(if looked.is_ok() { "installation" } else { "installation_failed" });
                if let Some(one) = self.list.installations.get_mut(&id) {
                    one.rest(&looked);
                }
            }
            Err(error) => {
                tracing::error!(?at, %error, "a look ended with a fault of its own; it is tried again later");
                count("fault");
                if let Some(At::Repository(id)) = at {
                    self.tell(id, LookOutcome::Failed);
                }
                let timer = match at {
                    Some(At::Repository(id)) => self.list.repositories.get_mut(&id).map(|watched| &mut watched.timer),
                    Some(At::Folder(id)) => self.list.folders.get_mut(&id).map(|(_, timer)| timer),
                    Some(At::Installation(id)) => self.list.installations.get_mut(&id).map(|one| &mut one.timer),
                    None => None,
                };
                if let Some(timer) = timer {
                    timer.rest(false, Duration::ZERO, shortest, longest);
                }
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
