//! Keeps one view up with the log: its live build, and a new one beside it when there is none or one was asked for.

use std::{sync::Arc, time::Duration};

use futures::FutureExt;
use keytrail_domain::{
    fact::{Fact, Unreadable},
    recorded::{Position, Recorded},
};
use keytrail_projections::view::View;
use tokio::sync::{Mutex, Notify, watch};
use tokio_util::sync::CancellationToken;

use super::{
    Status, ViewState,
    build::{self, Build, BuildStatus, Held},
    fold::{FoldError, fold},
};
use crate::{
    clock::Clock,
    log::{Feed, FeedError},
    store::{Area, Db, StoreError},
};

/// How often a node that does not move a build looks how far it is.
const FOLLOW: Duration = Duration::from_millis(100);
/// How often a node that moves a build says that it lives when there is nothing to do.
const RENEW: Duration = Duration::from_secs(5);

pub(super) struct Projector {
    pub(super) db: Arc<Db>,
    pub(super) feed: Arc<Feed>,
    pub(super) clock: Clock,
    pub(super) node: String,
    pub(super) view: &'static dyn View,
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
    CaughtUp(Held, Position),
    Outdated(String),
    Faulted(String),
}

impl Projector {
    pub(super) async fn run(self: Arc<Self>) {
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
                    tokio::select! {
                        () = self.stop.cancelled() => return,
                        () = self.wake.notified() => {}
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

    /// Looks which builds there are, and does what is to be done next.
    async fn step(&self) -> Result<Ended, StoreError> {
        let builds = build::builds(&self.db, self.view.name()).await?;
        let ours = |build: &&Build| build.version == self.view.version();
        let live = builds.iter().filter(ours).find(|build| build.status != BuildStatus::Building);
        let building = builds.iter().filter(ours).find(|build| build.status == BuildStatus::Building);
        self.show(live, building);
        match (live, building) {
            (_, Some(building)) => self.build(live, building, &builds).await,
            (Some(live), None) => self.keep(live).await,
            (None, None) => {
                let number = builds.first().map_or(1, |build| build.number + 1);
                build::begin(&self.db, self.view, number).await?;
                Ok(Ended::LookAgain)
            }
        }
    }

    fn show(&self, live: Option<&Build>, building: Option<&Build>) {
        self.state.send_modify(|state| {
            state.build = live.filter(|live| live.status == BuildStatus::Live).map(|live| live.number);
            state.position = live.map_or(0, |live| live.position.max(state.position));
            state.building = building.map(|building| building.position);
            state.error = live.and_then(|live| live.error.clone());
            state.status = match live {
                Some(live) if live.status == BuildStatus::Faulted => Status::Faulted,
                Some(_) => Status::Live,
                None => Status::Building,
            };
        });
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
        let beside = async {
            match live {
                Some(live) if live.status == BuildStatus::Live => {
                    let lease = build::lease(&self.db, self.view.name(), live.number, &self.node, now).await;
                    if let Ok(Some((epoch, position))) = lease {
                        let held = Held { view: self.view.name(), number: live.number, epoch };
                        // Whatever ends it, the new build is what counts now.
                        let _ = self.project(held, position, false, false).await;
                    }
                }
                _ => {}
            }
            std::future::pending::<()>().await;
        };
        let ended = tokio::select! {
            ended = self.project(held, position, true, false) => ended?,
            () = beside => return Ok(Ended::LookAgain),
        };
        let Ended::CaughtUp(held, mut position) = ended else { return Ok(ended) };
        // Nobody moves the old build from here on, so the new one comes to stand at or beyond it.
        if let Some(live) = live {
            build::lease(&self.db, self.view.name(), live.number, &self.node, self.clock.now()).await?;
            let target = build::builds(&self.db, self.view.name())
                .await?
                .iter()
                .find(|build| build.number == live.number)
                .map_or(0, |build| build.position);
            while position < target {
                match self.next_page(held, position, true).await? {
                    Ok(moved) => position = moved,
                    Err(ended) => return Ok(ended),
                }
            }
        }
        held.swap_in(&self.db, self.view, all).await?;
        held.release(&self.db).await?;
        tracing::info!(view = self.view.name(), build = held.number, position, "a view was built");
        Ok(Ended::LookAgain)
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
                    return Ok(Ended::CaughtUp(held, position));
                }
                tokio::select! {
                    () = self.feed.wait_beyond(position) => {}
                    () = tokio::time::sleep(RENEW) => {
                        held.renew(&self.db, self.clock.now()).await?;
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
            Err(error @ FeedError::Unreadable { .. }) => return self.faulted(held, error.to_string()).await.map(Err),
        };
        let Some(last) = page.last().map(|fact| fact.position) else { return Ok(Ok(position)) };
        let _gate = self.gate.lock().await;
        let started = std::time::Instant::now();
        match apply(&self.db, self.view, held, position, page, &self.clock).await {
            Ok(()) => {}
            Err(FoldError::Store(StoreError::Fenced)) => return Ok(Err(Ended::LookAgain)),
            Err(FoldError::Store(error)) => return Err(error),
            Err(error @ FoldError::Panicked { .. }) => return self.faulted(held, error.to_string()).await.map(Err),
        }
        let view = self.view.name();
        metrics::histogram!("keytrail_view_page_seconds", "view" => view).record(started.elapsed().as_secs_f64());
        metrics::gauge!("keytrail_view_position", "view" => view).set(last as f64);
        Ok(Ok(last))
    }

    async fn faulted(&self, held: Held, error: String) -> Result<Ended, StoreError> {
        held.note(&self.db, BuildStatus::Faulted, Some(&error)).await?;
        Ok(Ended::Faulted(error))
    }
}

/// Folds a page that begins after `from` into a build, and moves its checkpoint with it.
pub(super) async fn apply(
    db: &Arc<Db>,
    view: &'static dyn View,
    held: Held,
    from: Position,
    page: Arc<[Recorded<Fact>]>,
    clock: &Clock,
) -> Result<(), FoldError> {
    let Some(last) = page.last().map(|fact| fact.position) else { return Ok(()) };
    let mut statements = vec![held.advance(from, last, clock.now())];
    statements.extend(fold(db, view, &build::suffix(held.number), page).await?);
    db.write(Area::Views, statements).await?;
    Ok(())
}
