//! Views on both engines: kept up, rebuilt, verified, faulted, taken over.

mod faults;
mod first_indexes;
mod histories;
mod live_is_rebuilt;
mod nodes;
mod rebuild;
mod views_of_tests;
mod waiting;

use std::sync::Arc;

use keytrail::{
    clock::Clock,
    log::Log,
    store::Db,
    views::{Status, ViewState, Views},
};
use keytrail_domain::recorded::Position;
use keytrail_projections::view::View;
use tokio_util::sync::CancellationToken;

use crate::{engines::soon, samples};

/// A server without doors: the log and its views.
struct Node {
    log: Arc<Log>,
    views: Arc<Views>,
    stop: CancellationToken,
}

impl Node {
    async fn start(db: &Arc<Db>, name: &str, views: &[&'static dyn View]) -> Self {
        let log = Arc::new(samples::open(db).await);
        let stop = CancellationToken::new();
        let views = Views::start(db.clone(), log.feed().clone(), Clock::System, name, views, true, &stop);
        Self { log, views: Arc::new(views), stop }
    }

    /// Ends it in order.
    async fn stop(self) {
        self.stop.cancel();
        self.views.stopped().await;
    }

    fn state(&self, view: &dyn View) -> ViewState {
        let states = self.views.states();
        states.into_iter().find(|(name, ..)| *name == view.name()).map(|(_, _, state)| state).expect("it is registered")
    }

    /// Waits until a view follows the log and has reached its head.
    async fn caught_up(&self, view: &'static dyn View) -> Position {
        let head = self.log.stored_head().await.expect("a head").position;
        soon("a view is live and has caught up", || async {
            let state = self.state(view);
            state.status == Status::Live && state.position >= head && state.building.is_none()
        })
        .await;
        head
    }

    async fn becomes(&self, view: &dyn View, status: Status) {
        soon(&format!("{} becomes {status:?}", view.name()), || async { self.state(view).status == status }).await;
    }

    /// Whether live and rebuilt are the same, row by row, in all views.
    async fn verified(&self) {
        let verdicts = self.views.verify().await.expect("the views can be compared");
        for verdict in verdicts {
            assert!(verdict.same(), "{verdict:?}");
            assert!(verdict.position > 0);
        }
    }
}
