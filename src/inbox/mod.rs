//! The inbox of what git services deliver: every delivery is on disk before its sender is answered, is worked off once,
//! and can be looked at for a week. Used by the routes that take deliveries in and show them, and by the jobs that work
//! them off. It reads no delivery: whether a sender is who it says was found out before.

mod intake;
mod packed;
mod queue;
mod reads;
mod receipt;

use std::sync::Arc;

use keytrail_projections::value::BadRow;
use tokio::sync::{Notify, mpsc};

use self::intake::Waiting;
pub use self::{
    queue::{End, Taken},
    reads::{Filter, Stored, StoredBody},
    receipt::{Origin, Receipt, State},
};
use crate::store::{Db, StoreError};

/// Deliveries that wait for the disk; more are refused, and their sender's list has them still.
const QUEUE: usize = 512;

/// The inbox of one node.
pub struct Inbox {
    db: Arc<Db>,
    node: String,
    intake: mpsc::Sender<Waiting>,
    came: Notify,
}

impl Inbox {
    /// Opens it over a migrated store.
    pub fn open(db: Arc<Db>, node: &str) -> Self {
        let (intake, waiting) = mpsc::channel(QUEUE);
        tokio::spawn(intake::write(db.clone(), waiting));
        Self { db, node: node.to_owned(), intake, came: Notify::new() }
    }

    /// Until something comes in on this node.
    pub async fn wait(&self) {
        self.came.notified().await;
    }
}

fn corrupt(error: BadRow) -> StoreError {
    StoreError::Corrupt(error.to_string())
}
