//! Brings single objects into a cache: the folders and files that a mirror left out, when somebody looks at them.
//! Called by whoever shows what a commit changed; it never touches a mirror, and asks once for all that is wanted.

use std::{collections::BTreeSet, sync::atomic::AtomicBool};

use keytrail_domain::index_run::batch::CommitSha;

use super::{
    FetchError, FetchLimits, FetchProgress, FetchRequest, FetchSource, Fetched,
    fetch::Attempt,
    git_program::{self, GitProgram, fetch::Behind},
    room,
};
use crate::git::{
    GitError, Mirror,
    mirror::{Filter, Memory, TransportKind},
};

/// Which objects, and from where.
pub struct ObjectsRequest<'a> {
    /// Where to: a repository without refs, so that the server is never told that anything is here already.
    pub cache: &'a Mirror,
    /// Where from.
    pub source: FetchSource<'a>,
    /// Trees, which come with all trees below them but without files, and files. Or commits, see `generations`.
    pub wanted: &'a BTreeSet<CommitSha>,
    /// Commits are wanted, with so many generations in all and their trees. `None` when no commit is wanted: it would
    /// bring everything behind it.
    pub generations: Option<u8>,
    /// The git program: this process cannot fetch a part of a repository.
    pub program: Option<&'a GitProgram>,
    /// What is too much.
    pub limits: FetchLimits,
    /// Where to tell how far it is.
    pub progress: &'a FetchProgress,
    /// Stops the fetch within a moment when it becomes true. Dropping the future does so, too.
    pub cancel: &'a AtomicBool,
}

/// Makes the wanted objects readable in the cache, by one request for objects. An object that the remote does not have
/// (any more) is [`FetchError::RefsMoved`]; then none may have come.
pub async fn fetch_objects(request: &ObjectsRequest<'_>) -> Result<Fetched, GitError> {
    let ObjectsRequest { cache, source, wanted, generations, program, limits, progress, cancel } = *request;
    let program = match program {
        Some(program) if program.is_good() => program,
        Some(program) => return Err(FetchError::GitTooOld { sentence: program.sentence() }.into()),
        None => return Err(FetchError::GitMissing.into()),
    };
    let lock = cache.lock()?;
    cache.remove_leftovers(&lock)?;
    room::check_free(cache.path(), limits.free_bytes)?;
    let packs = cache.whole_packs()?;
    // Trees are cut off from their files; a file that is asked for by its name comes in any case.
    let (filter, transport) = (Filter::Blobs, TransportKind::GitProgram);
    cache.remember(Memory { transport, filter })?;
    let request = FetchRequest {
        mirror: cache,
        source,
        wanted: &[],
        program: Some(program),
        limits,
        beside: 0,
        progress,
        cancel,
    };
    let behind = generations.map_or(Behind::Nothing, Behind::Generations);
    let attempt = git_program::fetch::fetch(program, &request, wanted, filter, behind).await;
    if attempt.is_err() {
        // What came of too much is not kept.
        cache.remove_packs_but(&packs, &lock)?;
        cache.remove_leftovers(&lock)?;
    }
    drop(lock);
    match attempt? {
        Attempt::Done(fetched) => Ok(fetched),
        // What was left out of the mirror was left out by a server that filters.
        Attempt::FilterRefused => Err(FetchError::MirrorUnusable.into()),
    }
}
