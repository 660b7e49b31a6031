//! The way into the inbox: deliveries that arrive while a commit is under way make the next one, and a commit is one sync
//! for all of them.

use std::{collections::HashSet, sync::Arc};

use keytrail_projections::view::Kind;
use tokio::sync::{mpsc, oneshot};

use super::{Inbox, Receipt};
use crate::store::{Area, Db, Statement, StoreError};

/// At most so many are written at once.
const BATCH: usize = 256;
/// At most about so many bytes.
const BATCH_BYTES: usize = 8 << 20;

/// A delivery that came again after it ended in an error is taken again. All others are known already.
const HEAD: &str = "INSERT INTO webhook_inbox (receipt, integration, delivery, event, action, origin, headers, body, \
                    body_bytes, received_at, state, tries, due_at, epoch)";
const TAIL: &str = "ON CONFLICT (integration, delivery) DO UPDATE SET state = 'waiting', tries = 0, due_at = 0, \
                    outcome = NULL, ended_at = NULL, epoch = webhook_inbox.epoch + 1 \
                    WHERE webhook_inbox.state = 'failed'";

pub(super) struct Waiting {
    receipt: Receipt,
    written: oneshot::Sender<Result<(), StoreError>>,
}

impl Inbox {
    /// Puts a delivery in; when this is done it is on disk. One that is there already is left as it is, unless it ended in
    /// an error.
    pub async fn put(&self, receipt: Receipt) -> Result<(), StoreError> {
        let (written, answer) = oneshot::channel();
        self.intake.try_send(Waiting { receipt, written }).map_err(|_| StoreError::Unavailable(FULL.into()))?;
        answer.await.map_err(|_| StoreError::Unavailable("the server is stopping".into()))??;
        self.came.notify_one();
        Ok(())
    }
}

const FULL: &str = "more deliveries wait for the disk than this node takes";

pub(super) async fn write(db: Arc<Db>, mut waiting: mpsc::Receiver<Waiting>) {
    let mut held_back = None;
    loop {
        let first = match held_back.take() {
            Some(first) => first,
            None => match waiting.recv().await {
                Some(first) => first,
                None => return,
            },
        };
        let mut bytes = first.receipt.bytes();
        let mut known = HashSet::from([(first.receipt.integration, first.receipt.delivery)]);
        let mut batch = vec![first];
        while batch.len() < BATCH && bytes < BATCH_BYTES {
            let Ok(next) = waiting.try_recv() else { break };
            // One statement of PostgreSQL does not touch a row twice.
            if !known.insert((next.receipt.integration, next.receipt.delivery)) {
                held_back = Some(next);
                break;
            }
            bytes += next.receipt.bytes();
            batch.push(next);
        }
        let (receipts, senders): (Vec<_>, Vec<_>) = batch.into_iter().map(|one| (one.receipt, one.written)).unzip();
        let rows = receipts.into_iter().map(Receipt::into_row).collect();
        let insert = Statement::insert(HEAD.to_owned(), kinds(), rows, TAIL.to_owned());
        let done = db.write(Area::Log, vec![insert]).await;
        if let Err(error) = &done {
            tracing::warn!(%error, deliveries = senders.len(), "deliveries could not be stored; their senders are told so");
        }
        for sender in senders {
            let told = match &done {
                Ok(_) => Ok(()),
                Err(StoreError::Full) => Err(StoreError::Full),
                Err(error) => Err(StoreError::Unavailable(error.to_string())),
            };
            // It may have gone; what it delivered is here all the same.
            let _ = sender.send(told);
        }
    }
}

fn kinds() -> Vec<Kind> {
    use Kind::{Bytes, Int, MaybeText, Text};
    vec![Bytes, Bytes, Bytes, Text, MaybeText, Text, Text, Bytes, Int, Int, Text, Int, Int, Int]
}
