//! Walks the commits that are new, each read once, and emits those with issue keys in a fixed order. Called by the
//! index job on a blocking thread. It writes nothing, and knows neither log nor database.
//!
//! Three phases: discover (two threads read and scan), order (generations, the fixed order, what introduced what),
//! emit (bounded batches). Grafts and replacement refs are ignored: what is recorded is what was committed.

mod arena;
mod discover;
mod emit;
mod order;
mod progress;
mod record;
#[cfg(test)]
mod tests;

use std::{
    num::NonZeroUsize,
    sync::atomic::{AtomicBool, Ordering},
};

use keytrail_domain::{
    display_text::DisplayText,
    index_run::batch::{Commit, Cursor},
    person::PersonId,
};

pub(super) use self::order::Parent;
pub use self::{
    order::NewCommits,
    progress::{Phase, Progress},
};
use super::{GitError, Graph, OpenedRepository, RefList};

/// What to walk, and how.
pub struct WalkRequest<'a> {
    /// The refs, in rank. When a walk is resumed they must be those that it began with: a commit that only a later
    /// ref leads to may stand before `after`, and would be skipped.
    pub refs: &'a RefList,
    /// The commits ever indexed; the walk stops at them.
    pub known: &'a Graph,
    /// Commits up to this one were emitted before; `None` at the beginning.
    pub after: Option<Cursor>,
    /// Gives the id of a person by the lower-cased (ASCII) bytes of the e-mail address. Called on several threads.
    pub identify: &'a (dyn Fn(&[u8]) -> PersonId + Sync),
    /// Stops the walk within milliseconds when it becomes true.
    pub cancel: &'a AtomicBool,
    /// Where to tell how far it is.
    pub progress: &'a Progress,
    /// Usually [`Bounds::default`].
    pub bounds: Bounds,
}

/// How much is done and held at once.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Threads that read; at most 4 are used.
    pub workers: NonZeroUsize,
    /// Bytes that hold what is to be emitted; a commit that finds no room is read again when its turn comes.
    pub record_bytes: usize,
    /// Commits with keys in a batch.
    pub batch_commits: usize,
    /// Estimated bytes of a batch in the log.
    pub batch_bytes: usize,
    /// Commits that a batch stands for, with or without keys: the cursor must move.
    pub batch_walked: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            workers: NonZeroUsize::MIN.saturating_add(1),
            record_bytes: 24 * 1024 * 1024,
            batch_commits: 1_000,
            batch_bytes: 512 * 1024,
            batch_walked: 50_000,
        }
    }
}

/// Somebody who wrote a commit with a key. Kept outside the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The id that commits carry.
    pub id: PersonId,
    /// The name, as the first of the commits has it.
    pub name: DisplayText,
    /// The address, in lower case.
    pub email: DisplayText,
}

/// A part of what was found, parents before children.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalkedBatch {
    /// The commits with keys, in the order (generation, name).
    pub commits: Vec<Commit>,
    /// The last commit that was looked at, with or without keys.
    pub cursor: Cursor,
    /// New commits until here, those before `after` included.
    pub walked: u64,
    /// Authors that no batch of this walk named before.
    pub people: Vec<Person>,
    /// How many of the commits met a bound of the grammar.
    pub bounded: u64,
}

/// The receiver of batches wants no more; the walk ends as [`GitError::Cancelled`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop;

/// What a whole walk saw, whatever `after` was.
#[derive(Debug)]
pub struct Walked {
    /// New commits.
    pub commits: u64,
    /// Of these, those with keys.
    pub keyed: u64,
    /// Keys, each counted once per commit.
    pub keys: u64,
    /// Commits that met a bound of the grammar, with or without keys.
    pub bounded: u64,
    /// Objects read from the repository.
    pub objects_read: u64,
    /// Refs that name no commit after all.
    pub not_commits: u64,
    /// For the graph, once the run's end is durable.
    pub new: NewCommits,
}

/// Walks from the refs to the known commits, and emits what is new.
///
/// Batches come in one order for one set of refs and known commits, however many threads read. They are emitted on
/// the calling thread, which waits while the receiver works.
pub fn walk(
    repository: &OpenedRepository,
    request: &WalkRequest<'_>,
    emit: &mut dyn FnMut(WalkedBatch) -> Result<(), Stop>,
) -> Result<Walked, GitError> {
    request.progress.enter(Phase::Discovering);
    let discovered = discover::discover(repository, request)?;
    request.progress.enter(Phase::Ordering);
    let (ordered, mut found) = order::order(discovered, request)?;
    request.progress.enter(Phase::Emitting);
    let read_again = emit::emit(repository, request, &ordered, &mut found, emit)?;
    request.progress.enter(Phase::Done);
    Ok(Walked {
        commits: ordered.new.len() as u64,
        keyed: found.counts.keyed,
        keys: found.counts.keys,
        bounded: found.counts.bounded,
        objects_read: found.counts.objects_read + read_again,
        not_commits: found.counts.not_commits,
        new: ordered.new,
    })
}

pub(super) fn check(cancel: &AtomicBool) -> Result<(), GitError> {
    if cancel.load(Ordering::Relaxed) { Err(GitError::Cancelled) } else { Ok(()) }
}
