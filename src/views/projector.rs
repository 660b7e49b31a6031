//! Keeps one view up with the log: its live build, and a new one beside it when there is none or one was asked for.

use std::{convert::Infallible, sync::Arc, time::Duration};

use futures::FutureExt;
use keytrail_domain::{fact::Unreadable, recorded::Position};
use keytrail_projections::view::View;
use tokio::sync::{Mutex, Notify, watch};
use tokio_util::sync::CancellationToken;

use super::{
    Status, ViewState,
    build::{self, Build, BuildStatus, Held},
    fold::{FoldError, apply},
};
use crate::{
    clock::Clock,
    log::{Feed, FeedError},
    store::{Db, StoreError},
};

/// How often a node that does not move a build looks how far it is.
const FOLLOW: Duration = Duration::from_millis(100);
/// How often a node that moves a build says that it lives when there is nothing to do.
pub(super) const RENEW: Duration = Duration::from_secs(5);
/// How often a node on which a view is faulted looks whether another one has gone on.
const MENDED: Duration = Duration::from_secs(1);

pub(super) struct Projector {
    pub(super) db: Arc<Db>,
    pub(super) feed: Arc<Feed>,
    /// Where the log stood when this node came.
    pub(super) opened: Position,
    pub(super) clock: Clock,
    pub(super) node: String,
    pub(super) view: &'static dyn View,
    /// Whether it begins a build where there is none, and takes away what is left of old ones.
    pub(super) begins: bool,
    pub(super) state: watch::Sender<ViewState>,
    /// Somebody asked for a new build, on this node.
    pub(super) wake: Notify,
    /// Held while a page is folded: who holds it sees a build that stands still.
    pub(super) gate: Mutex<()>,
    pub(super) stop: CancellationToken,
}

/// Why a build is not moved any more.
enum Ended {
    Stopped,
    /// There is something else to do: look again.
    LookAgain,
    CaughtUp(Position),
    Outdated(String),
    /// A newer version keeps this view.
    Overtaken,
    Faulted(String),
}

impl Projector {
    pub(super) async fn run(self: Arc<Self>) {
        while !self.within_the_log().await {
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(MENDED) => {}
            }
        }
        while !self.stop.is_cancelled() {
            match self.step().await {
                Ok(Ended::Stopped) => return,
                Ok(Ended::Outdated(reason)) => {
                    tracing::error!(view = self.view.name(), reason, "this build is outdated: its views stand still");
                    self.state.send_modify(|state| {
                        state.status = Status::Outdated;
                        state.error = Some(reason);
                    });
                    return self.stop.cancelled().await;
                }
                Ok(Ended::Faulted(error)) => {
                    tracing::error!(view = self.view.name(), error, "a view is faulted");
                    self.state.send_modify(|state| {
                        state.status = Status::Faulted;
                        state.error = Some(error);
                    });
                    if !self.mended().await {
                        return;
                    }
                }
                Ok(Ended::Overtaken) => {
                    self.state.send_modify(|state| {
                        state.status = Status::Outdated;
                        state.error = Some("a newer version of keytrail keeps this view".into());
                    });
                    tokio::select! {
                        () = self.stop.cancelled() => return,
                        () = self.wake.notified() => {}
                        () = tokio::time::sleep(MENDED) => {}
                    }
                }
                Ok(Ended::LookAgain | Ended::CaughtUp(..)) => {}
                Err(error) => {
                    tracing::warn!(view = self.view.name(), %error, "a view cannot be brought up to date; trying again");
                    tokio::select! {
                        () = self.stop.cancelled() => return,
                        () = tokio::time::sleep(Duration::from_millis(500)) => {}
                    }
                }
            }
        }
    }

    /// Takes away the builds that stand beyond the log, before anything is appended. `false` when one could not be.
    async fn within_the_log(&self) -> bool {
        let gone = build::discard_beyond(&self.db, &self.feed, self.view, self.opened, &self.node, &self.clock).await;
        gone.unwrap_or_else(|error| {
            tracing::warn!(view = self.view.name(), %error, "it cannot be told how far a view is; trying again");
            false
        })
    }

    /// Looks which builds there are, and does what is to be done next.
    async fn step(&self) -> Result<Ended, StoreError> {
        let builds = build::builds(&self.db, self.view.name()).await?;
        if build::overtaken(&self.db, &builds, self.view.version()) {
            return Ok(Ended::Overtaken);
        }
        let (live, building) = (self.live(&builds), self.building(&builds));
        self.show(live, building);
        self.clean(&builds).await?;
        match (live, building) {
            (_, Some(building)) => {
                let replaceable = build::replaceable(&self.db, &builds, self.view.version());
                self.build(live, building, &replaceable).await
            }
            (Some(live), None) => self.keep(live).await,
            (None, None) if !self.begins => self.follow().await,
            (None, None) => {
                let number = builds.first().map_or(1, |build| build.number + 1);
                build::begin(&self.db, self.view, number, None).await?;
                Ok(Ended::LookAgain)
            }
        }
    }

    /// Waits until somebody asks for a new build, or another node has gone on. `false` when the server stops.
    async fn mended(&self) -> bool {
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return false,
                () = self.wake.notified() => return true,
                () = tokio::time::sleep(MENDED) => {}
            }
            let builds = build::builds(&self.db, self.view.name()).await.unwrap_or_default();
            let mut ours = builds.iter().filter(|build| build.version == self.view.version()).peekable();
            if ours.peek().is_some() && ours.all(|build| build.error.is_none()) {
                return true;
            }
        }
    }

    /// Looks which builds there are, for a reader whose build is gone: another one has taken its place.
    pub(super) async fn look(&self) -> Result<(), StoreError> {
        let builds = build::builds(&self.db, self.view.name()).await?;
        self.show(self.live(&builds), self.building(&builds));
        Ok(())
    }

    fn live<'a>(&self, builds: &'a [Build]) -> Option<&'a Build> {
        let version = self.view.version();
        let serves = |status| matches!(status, BuildStatus::Live | BuildStatus::Faulted);
        builds.iter().find(|build| build.version == version && serves(build.status))
    }

    fn building<'a>(&self, builds: &'a [Build]) -> Option<&'a Build> {
        let version = self.view.version();
        builds.iter().find(|build| build.version == version && build.status == BuildStatus::Building)
    }

    fn show(&self, live: Option<&Build>, building: Option<&Build>) {
        self.state.send_modify(|state| {
            state.build = live.filter(|live| live.status == BuildStatus::Live).map(|live| live.number);
            state.position = live.map_or(0, |live| live.position.max(state.position));
            state.building = building.map(|building| building.position);
            state.is_unbuilt = !self.begins && live.is_none() && building.is_none();
            state.error = live.or(building).and_then(|build| build.error.clone());
            state.status = match (live, building) {
                (Some(live), _) if live.status == BuildStatus::Faulted => Status::Faulted,
                (Some(_), _) => Status::Live,
                (None, Some(building)) if building.error.is_some() => Status::Faulted,
                (None, _) => Status::Building,
            };
        });
    }

    /// Takes away what a node that died had still to take away.
    async fn clean(&self, builds: &[Build]) -> Result<(), StoreError> {
        for old in builds.iter().filter(|build| self.begins && build.status == BuildStatus::Retired) {
            let now = self.clock.now();
            if build::lease(&self.db, self.view.name(), old.number, &self.node, now).await?.is_some() {
                build::discard(&self.db, self.view, old.number).await?;
            }
        }
        Ok(())
    }

    /// Moves the live build along the log for as long as this node may.
    async fn keep(&self, live: &Build) -> Result<Ended, StoreError> {
        let now = self.clock.now();
        let Some((epoch, position)) = build::lease(&self.db, self.view.name(), live.number, &self.node, now).await?
        else {
            return self.follow().await;
        };
        let held = Held { view: self.view.name(), number: live.number, epoch };
        let ended = self.project(held, position, false, live.status == BuildStatus::Faulted).await;
        if matches!(ended, Ok(Ended::Stopped | Ended::LookAgain | Ended::Outdated(_))) {
            // Another node need not wait for the lease to run out.
            held.release(&self.db).await?;
        }
        ended
    }

    /// Folds a new build from where it is; when it has caught up, it takes the place of the others.
    async fn build(&self, live: Option<&Build>, building: &Build, all: &[Build]) -> Result<Ended, StoreError> {
        let now = self.clock.now();
        let Some((epoch, position)) =
            build::lease(&self.db, self.view.name(), building.number, &self.node, now).await?
        else {
            return self.follow().await;
        };
        let held = Held { view: self.view.name(), number: building.number, epoch };
        // The live build goes on meanwhile, on this node if nobody else moves it.
        let ended = tokio::select! {
            ended = self.project(held, position, true, building.error.is_some()) => ended,
            never = self.keep_beside(live) => match never {},
        };
        let mut position = match ended {
            Ok(Ended::CaughtUp(position)) => position,
            // It is tried again when somebody asks for it; what is live goes on as it was.
            Ok(Ended::Faulted(error)) if live.is_some_and(|live| live.status == BuildStatus::Live) => {
                tracing::error!(view = self.view.name(), error, "a new build of a view failed and is given up");
                build::discard(&self.db, self.view, held.number).await?;
                return Ok(Ended::LookAgain);
            }
            ended => {
                if matches!(ended, Ok(Ended::Stopped | Ended::LookAgain | Ended::Outdated(_))) {
                    held.release(&self.db).await?;
                    if let Some(live) = live {
                        build::leave(&self.db, self.view.name(), live.number, &self.node).await?;
                    }
                }
                return ended;
            }
        };
        // Nobody moves the old build from here on, so the new one comes to stand at or beyond it.
        if let Some(live) = live {
            build::seize(&self.db, self.view.name(), live.number, &self.node, self.clock.now()).await?;
            let builds = build::builds(&self.db, self.view.name()).await?;
            let target = builds.iter().find(|build| build.number == live.number).map_or(0, |build| build.position);
            while position < target {
                match self.next_page(held, position, true).await? {
                    Ok(moved) => position = moved,
                    Err(ended) => return Ok(ended),
                }
            }
        }
        held.swap_in(&self.db, self.view, all).await?;
        self.look().await?;
        for old in all.iter().filter(|build| build.number != held.number) {
            build::discard(&self.db, self.view, old.number).await?;
        }
        held.release(&self.db).await?;
        build::tell(self.view, held.number, position);
        Ok(Ended::LookAgain)
    }

    /// Moves the live build while a new one is built, or looks how far another node has moved it.
    async fn keep_beside(&self, live: Option<&Build>) -> Infallible {
        let Some(live) = live.filter(|live| live.status == BuildStatus::Live) else {
            return std::future::pending().await;
        };
        let view = self.view.name();
        loop {
            match build::lease(&self.db, view, live.number, &self.node, self.clock.now()).await {
                Ok(Some((epoch, position))) => {
                    let held = Held { view, number: live.number, epoch };
                    if let Ok(Ended::Faulted(_)) = self.project(held, position, false, false).await {
                        return std::future::pending().await;
                    }
                }
                Ok(None) => {
                    // When it cannot be read now, it can the next time.
                    let _ = self.look().await;
                }
                Err(error) => tracing::warn!(view, %error, "the live build cannot be moved while a new one is built"),
            }
            tokio::time::sleep(FOLLOW).await;
        }
    }

    /// Another node moves it: look how far it is, and whether it still does.
    async fn follow(&self) -> Result<Ended, StoreError> {
        tokio::select! {
            () = self.stop.cancelled() => Ok(Ended::Stopped),
            () = tokio::time::sleep(FOLLOW) => Ok(Ended::LookAgain),
        }
    }

    /// Folds page after page.
    async fn project(
        &self,
        held: Held,
        mut position: Position,
        until_caught_up: bool,
        was_faulted: bool,
    ) -> Result<Ended, StoreError> {
        loop {
            if self.stop.is_cancelled() {
                return Ok(Ended::Stopped);
            }
            if position >= self.feed.head().position {
                if until_caught_up {
                    return Ok(Ended::CaughtUp(position));
                }
                tokio::select! {
                    () = self.feed.wait_beyond(position) => {}
                    () = tokio::time::sleep(RENEW) => {
                        match held.renew(&self.db, self.clock.now()).await {
                            Err(StoreError::Fenced) => return Ok(Ended::LookAgain),
                            renewed => renewed?,
                        }
                        continue;
                    }
                    () = self.wake.notified() => return Ok(Ended::LookAgain),
                    () = self.stop.cancelled() => return Ok(Ended::Stopped),
                }
            }
            match self.next_page(held, position, until_caught_up).await? {
                Ok(moved) => position = moved,
                Err(ended) => return Ok(ended),
            }
            if until_caught_up {
                self.state.send_modify(|state| state.building = Some(position));
                if was_faulted {
                    held.note(&self.db, BuildStatus::Building, None).await?;
                    return Ok(Ended::LookAgain);
                }
            } else {
                if was_faulted {
                    held.note(&self.db, BuildStatus::Live, None).await?;
                    return Ok(Ended::LookAgain);
                }
                self.state.send_modify(|state| state.position = state.position.max(position));
                if self.wake.notified().now_or_never().is_some() {
                    return Ok(Ended::LookAgain);
                }
            }
        }
    }

    /// Folds one page and writes it. Where the build stands then.
    async fn next_page(
        &self,
        held: Held,
        position: Position,
        apart: bool,
    ) -> Result<Result<Position, Ended>, StoreError> {
        let page = if apart { self.feed.page_apart(position).await } else { self.feed.page(position).await };
        let page = match page {
            Ok(page) => page,
            Err(FeedError::Store(error)) => return Err(error),
            Err(FeedError::Unreadable { source: future @ Unreadable::Future { .. }, .. }) => {
                return Ok(Err(Ended::Outdated(future.to_string())));
            }
            Err(error @ FeedError::Unreadable { .. }) => {
                return self.faulted(held, apart, error.to_string()).await.map(Err);
            }
        };
        let Some(last) = page.last().map(|fact| fact.position) else { return Ok(Ok(position)) };
        let _gate = self.gate.lock().await;
        let started = std::time::Instant::now();
        match apply(&self.db, self.view, held, position, page, &self.clock).await {
            Ok(()) => {}
            Err(FoldError::Store(StoreError::Fenced)) => return Ok(Err(Ended::LookAgain)),
            Err(FoldError::Store(error)) => return Err(error),
            Err(error @ FoldError::Panicked { .. }) => {
                return self.faulted(held, apart, error.to_string()).await.map(Err);
            }
        }
        let view = self.view.name();
        metrics::histogram!("keytrail_view_page_seconds", "view" => view).record(started.elapsed().as_secs_f64());
        metrics::gauge!("keytrail_view_position", "view" => view).set(last as f64);
        Ok(Ok(last))
    }

    async fn faulted(&self, held: Held, building: bool, error: String) -> Result<Ended, StoreError> {
        // What was never complete must not become what readers see when it goes on.
        let status = if building { BuildStatus::Building } else { BuildStatus::Faulted };
        held.note(&self.db, status, Some(&error)).await?;
        Ok(Ended::Faulted(error))
    }
}
