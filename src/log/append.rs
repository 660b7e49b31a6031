//! What is appended, and what comes of it.

use keytrail_domain::{
    claim::{Claim, ClaimChange},
    id::EventId,
    recorded::{Position, Sequence, StreamId},
    timestamp::Timestamp,
};
use tokio::sync::oneshot;

use crate::store::{Statement, StoreError};

/// An event on its way into the log. Texts are stored and hashed as they are.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// Its id.
    pub id: EventId,
    /// Its stored name.
    pub event_type: &'static str,
    /// The version of its shape.
    pub version: &'static str,
    /// JSON.
    pub payload: String,
    /// JSON.
    pub metadata: String,
}

/// Remembers a request, so that sending it again is not doing it again.
#[derive(Clone, Debug)]
pub struct Idempotency {
    /// Who and what: keys of different callers and operations never meet.
    pub scope: String,
    /// The key that the caller chose.
    pub key: String,
    /// A keyed hash of the request's body.
    pub request_hash: [u8; 32],
}

/// One command's worth of events: all or none become durable.
#[derive(Clone, Debug)]
pub struct Append {
    /// Where to.
    pub stream: StreamId,
    /// The stream's last sequence when it was decided. From what was loaded or committed, never made up.
    pub after: Sequence,
    /// May be empty, when only the request is to be remembered.
    pub events: Vec<NewEvent>,
    /// What the events take and release.
    pub claims: Vec<ClaimChange>,
    /// The request.
    pub idempotency: Option<Idempotency>,
    /// Rows of tables of truth that become durable with the events: sealed secrets, access tokens.
    pub companions: Vec<Statement>,
}

/// Which queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Somebody waits: taken first.
    Interactive,
    /// Batches of an index run: as many as there is room for; the sender waits.
    Bulk,
}

/// It is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The stream.
    pub stream: StreamId,
    /// The stream's last sequence now.
    pub sequence: Sequence,
    /// The position of the first event; the log's head when there was none.
    pub first: Position,
    /// The position of the last event; the log's head when there was none.
    pub last: Position,
    /// Whether there is anything that was not there before; taken to be so of an earlier request.
    pub appended: bool,
    /// Whether this is the outcome of an earlier request with the same idempotency key.
    pub replayed: bool,
}

/// Why nothing was appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The stream went on meanwhile: load, decide and try again.
    #[error("{0} changed meanwhile")]
    Conflict(StreamId),
    /// Something may exist only once, and does already.
    #[error("another one holds {} {:?}", .0.scope.as_str(), .0.key)]
    Claimed(Claim),
    /// The idempotency key was used for another request.
    #[error("this idempotency key was used for another request")]
    KeyReused,
    /// An event with this id is in the log already.
    #[error("an event with this id was appended before")]
    Duplicate,
    /// More waits than can be served soon.
    #[error("the server is busy: more commands wait than it can take")]
    Busy,
    /// The store did not do it.
    #[error("the log could not be written")]
    Store(#[from] StoreError),
}

/// An append that waits, with who waits for it.
pub(super) struct Pending {
    pub(super) append: Append,
    pub(super) leaves: Vec<[u8; 32]>,
    pub(super) bytes: usize,
    pub(super) reply: oneshot::Sender<Result<Committed, AppendError>>,
}

/// Where the log stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The last position.
    pub position: Position,
    /// When it was recorded.
    pub recorded_at: Timestamp,
}

/// What an engine says of a batch.
pub(super) struct Written {
    pub(super) head: Head,
    /// One per append of the batch, in its order.
    pub(super) outcomes: Vec<Result<Committed, AppendError>>,
}
