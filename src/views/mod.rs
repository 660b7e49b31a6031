//! The views on this server: kept up with the log, read, rebuilt, verified.
//!
//! Called by `app` and the routes. It runs the folds of `projections`; it knows no view by name.

mod build;
mod fold;
mod projector;
mod verify;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use keytrail_domain::recorded::Position;
use keytrail_projections::view::{Read, View};
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

pub use self::verify::{TableVerdict, Verdict, VerifyError};
use self::{
    build::{Build, BuildStatus},
    projector::Projector,
};
use crate::{
    clock::Clock,
    log::Feed,
    store::{Area, Db, StoreError},
};

/// How long a read waits for its view to reach the position that the reader has seen.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// How a view stands. A closed list; the words are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It is being built; nothing can be read yet.
    Building,
    /// It follows the log.
    Live,
    /// Its fold failed; it cannot be read until it is rebuilt by a version that can.
    Faulted,
    /// The log holds an event that this build of the program does not know, or a newer version keeps this view.
    Outdated,
}

/// How a view stands, with its figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewState {
    /// In a word.
    pub status: Status,
    /// The build that readers see.
    build: Option<i64>,
    /// How far that build is.
    pub position: Position,
    /// How far a new build is, when there is one.
    pub building: Option<Position>,
    /// Whether there is no build of it and none is begun here, since somebody only looks.
    pub is_unbuilt: bool,
    /// What went wrong, for an administrator.
    pub error: Option<String>,
}

/// How one build of a view stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuildState {
    /// It is being folded, and has come to this position.
    Building(Position),
    /// It is what readers see.
    Live,
    /// It was; a later one has taken its place.
    Replaced,
    /// Its fold failed; what went wrong, for an administrator.
    Faulted(String),
}

/// Why a view could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// It is being built.
    #[error("the view {view} is being built: {position} of {head} events are in it")]
    Building {
        /// Which.
        view: &'static str,
        /// How far.
        position: Position,
        /// How far it has to go.
        head: Position,
    },
    /// It stands still.
    #[error("the view {view} stands still after an error; an administrator can rebuild it")]
    Faulted {
        /// Which.
        view: &'static str,
    },
    /// It stands still before an event of a newer version.
    #[error("the view {view} stands still before an event that a newer version of keytrail wrote")]
    Outdated {
        /// Which.
        view: &'static str,
    },
    /// It has not reached the position in time.
    #[error("the view {view} is at {position} and has not reached {wanted} yet")]
    Behind {
        /// Which.
        view: &'static str,
        /// How far it is.
        position: Position,
        /// What was asked for.
        wanted: Position,
    },
    /// As many reads of this kind go on as this node does at once.
    #[error("as much is looked for at once as this node does; try again in a moment")]
    Busy,
    /// The store did not answer.
    #[error("the view could not be read")]
    Store(#[from] StoreError),
}

/// Those of `views` that a start would build anew in the place of what another version shows. Changes nothing.
pub async fn replaced(db: &Db, views: &[&'static dyn View]) -> Result<Vec<&'static str>, StoreError> {
    let mut found = Vec::new();
    for view in views {
        if build::replaces(db, &build::builds(db, view.name()).await?, view.version()) {
            found.push(view.name());
        }
    }
    Ok(found)
}

/// All views of a server.
pub struct Views {
    db: Arc<Db>,
    feed: Arc<Feed>,
    clock: Clock,
    each: HashMap<&'static str, Arc<Projector>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    texts: RwLock<HashMap<(usize, i64), Arc<str>>>,
    /// The builds of this process' verifications.
    scratches: Mutex<HashSet<i64>>,
}

impl Views {
    /// Starts to keep these views up with the log. Where somebody only looks, none `begins`: a view without a build stays
    /// without, and nothing of old builds is taken away.
    pub fn start(
        db: Arc<Db>,
        feed: Arc<Feed>,
        clock: Clock,
        node: &str,
        views: &[&'static dyn View],
        begins: bool,
        stop: &CancellationToken,
    ) -> Self {
        let mut each = HashMap::new();
        let mut tasks = Vec::new();
        for view in views {
            let (state, _) = watch::channel(ViewState {
                status: Status::Building,
                build: None,
                position: 0,
                building: None,
                is_unbuilt: false,
                error: None,
            });
            let projector = Arc::new(Projector {
                db: db.clone(),
                feed: feed.clone(),
                opened: feed.head().position,
                clock: clock.clone(),
                node: node.to_owned(),
                view: *view,
                begins,
                state,
                wake: Default::default(),
                gate: Default::default(),
                stop: stop.clone(),
            });
            tasks.push(tokio::spawn(projector.clone().run()));
            each.insert(view.name(), projector);
        }
        Self { db, feed, clock, each, tasks: Mutex::new(tasks), texts: RwLock::default(), scratches: Mutex::default() }
    }

    /// How each view stands, by name.
    pub fn states(&self) -> Vec<(&'static str, u32, ViewState)> {
        let mut states: Vec<_> = self
            .each
            .values()
            .map(|projector| (projector.view.name(), projector.view.version(), projector.state.borrow().clone()))
            .collect();
        states.sort_by_key(|(name, ..)| *name);
        states
    }

    /// Waits until a view stands at `position` or beyond, but not for ever.
    pub async fn wait_for(&self, view: &'static str, position: Position) -> Result<(), ViewError> {
        let Some(projector) = self.each.get(view) else { return Ok(()) };
        let mut state = projector.state.subscribe();
        let reached = |state: &ViewState| state.build.is_some() && state.position >= position;
        let ended = |state: &ViewState| matches!(state.status, Status::Faulted | Status::Outdated);
        let waited = tokio::time::timeout(PATIENCE, state.wait_for(|state| reached(state) || ended(state))).await;
        match waited {
            Ok(Ok(state)) if reached(&state) => Ok(()),
            _ => {
                let state = projector.state.borrow().clone();
                self.serving(view, &state)?;
                Err(ViewError::Behind { view, position: state.position, wanted: position })
            }
        }
    }

    /// The build to read, and why there is none.
    fn serving(&self, view: &'static str, state: &ViewState) -> Result<i64, ViewError> {
        match (state.status, state.build) {
            (Status::Faulted, _) => Err(ViewError::Faulted { view }),
            (Status::Outdated, _) => Err(ViewError::Outdated { view }),
            (_, Some(build)) => Ok(build),
            (_, None) => Err(ViewError::Building {
                view,
                position: state.building.unwrap_or(0),
                head: self.feed.head().position,
            }),
        }
    }

    /// Reads a view as it is now.
    pub async fn read<T>(&self, read: Read<T>) -> Result<Vec<T>, ViewError> {
        let name = read.view.name();
        let unknown = || StoreError::Wrong(format!("the view {name} is not registered"));
        let projector = self.each.get(name).ok_or_else(unknown)?;
        loop {
            let build = self.serving(name, &projector.state.borrow())?;
            match self.db.read_as(Area::Views, &self.text(read.sql, build), &read.args, read.row).await {
                Ok(rows) => return Ok(rows),
                // A new build took its place in between, perhaps on another node, and the old tables are gone.
                Err(error @ StoreError::Wrong(_)) => {
                    projector.look().await?;
                    if projector.state.borrow().build == Some(build) {
                        return Err(error.into());
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The text of a read for one build. A constant's address names it: hashing the whole text takes longer.
    fn text(&self, sql: &'static str, build: i64) -> Arc<str> {
        let key = (sql.as_ptr() as usize, build);
        if let Some(text) = self.texts.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return text.clone();
        }
        let text: Arc<str> = sql.replace('@', &build::suffix(build)).into();
        let mut texts = self.texts.write().unwrap_or_else(PoisonError::into_inner);
        // Builds come and go; their texts do not pile up.
        texts.retain(|(known, _), _| *known != key.0);
        texts.insert(key, text.clone());
        text
    }

    /// Asks for a new build of a view; it is made beside the live one and takes its place. Its number; `None` when there
    /// is no such view.
    pub async fn rebuild(&self, view: &str) -> Result<Option<i64>, StoreError> {
        let Some(projector) = self.each.get(view) else { return Ok(None) };
        let builds = build::builds(&self.db, view).await?;
        let version = projector.view.version();
        let waiting = |build: &Build| {
            build.version == version && build.status == build::BuildStatus::Building && build.error.is_none()
        };
        let number = match builds.iter().find(|build| waiting(build)) {
            Some(build) => build.number,
            None => {
                let number = builds.first().map_or(1, |build| build.number + 1);
                build::begin(&self.db, projector.view, number, None).await?;
                number
            }
        };
        projector.wake.notify_one();
        Ok(Some(number))
    }

    /// How a build of a view stands; `None` when there never was one with this number.
    pub async fn build_of(&self, view: &str, number: i64) -> Result<Option<BuildState>, StoreError> {
        let Some(projector) = self.each.get(view).filter(|_| number > 0) else { return Ok(None) };
        let builds = build::builds(&self.db, projector.view.name()).await?;
        let newest = builds.iter().map(|build| build.number).max().unwrap_or(0);
        let Some(build) = builds.into_iter().find(|build| build.number == number) else {
            // Its tables were taken away, since a later one took its place.
            return Ok((number < newest).then_some(BuildState::Replaced));
        };
        Ok(Some(match build.status {
            BuildStatus::Building | BuildStatus::Faulted if build.error.is_some() => {
                BuildState::Faulted(build.error.unwrap_or_default())
            }
            BuildStatus::Building => BuildState::Building(build.position),
            BuildStatus::Live => BuildState::Live,
            BuildStatus::Faulted => BuildState::Faulted(String::new()),
            BuildStatus::Retired => BuildState::Replaced,
        }))
    }

    /// The builds that are being made: view and number.
    pub async fn under_construction(&self) -> Result<Vec<(&'static str, i64)>, StoreError> {
        let mut found = Vec::new();
        for name in self.names() {
            let builds = build::builds(&self.db, name).await?;
            let builds = builds.iter().filter(|build| build.status == BuildStatus::Building);
            found.extend(builds.map(|build| (name, build.number)));
        }
        Ok(found)
    }

    /// The names of the views, in their order.
    pub fn names(&self) -> Vec<&'static str> {
        let mut names: Vec<_> = self.each.keys().copied().collect();
        names.sort_unstable();
        names
    }

    /// Waits until the projectors have ended; the stop token tells them to.
    pub async fn stopped(&self) {
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            // One that panicked has said so already.
            let _ = task.await;
        }
    }
}
