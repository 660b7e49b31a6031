//! Brings into a mirror what it lacks of a remote repository, by the git program or in this process. Called by jobs,
//! once refs were listed. It never removes an object, and never moves a ref but all at once at its end.

#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, sync::atomic::AtomicBool, time::Duration};

use keytrail_domain::index_run::batch::CommitSha;

use super::{
    FetchError, FetchPhase, FetchProgress, LocalRepository,
    git_program::{self, GitProgram, fetch::Behind},
    in_process, room,
};
use crate::git::{
    GitError,
    mirror::{Filter, Memory, Mirror, TransportKind},
    remote::Remote,
};

/// From where.
#[derive(Clone, Copy, Debug)]
pub enum FetchSource<'a> {
    /// A server, over `https`, `http` or `git`.
    Remote(&'a Remote),
    /// A repository in a folder of this machine; whose it is and where its parts lie is checked as for reading it.
    Local(&'a LocalRepository),
}

/// A ref as it was listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedRef {
    /// Its full name.
    pub name: Vec<u8>,
    /// The object that it names: of an annotated tag the tag, not the commit.
    pub target: CommitSha,
}

/// What is too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchLimits {
    /// Without progress: before objects come without any word, then without [`SLOWEST_BYTES`] of them.
    pub silence: Duration,
    /// While objects come from a server, [`LEAST_OF_A_WINDOW`] come within each of these.
    pub window: Duration,
    /// Bytes that the copy may have afterwards: the mirror, and what is kept [beside](FetchRequest::beside) it. Of
    /// [`fetch_objects`](super::fetch_objects): bytes of objects that the one request may bring.
    pub quota_bytes: u64,
    /// Bytes that stay free on the mirror's disk.
    pub free_bytes: u64,
    /// Bytes of memory that it takes to put together what comes: of each process of the git program, or in this one.
    pub memory_bytes: u64,
}

/// Fewer bytes than these within [`FetchLimits::silence`] are none.
pub const SLOWEST_BYTES: u64 = 1024;

/// Fewer bytes than these within [`WINDOW`] are too few: a fetch has an end, however steadily its server trickles.
pub const LEAST_OF_A_WINDOW: u64 = 256 * 1024;

/// See [`LEAST_OF_A_WINDOW`].
pub const WINDOW: Duration = Duration::from_secs(600);

impl Default for FetchLimits {
    fn default() -> Self {
        Self {
            silence: Duration::from_secs(120),
            window: WINDOW,
            quota_bytes: 20_000_000_000,
            free_bytes: 1_000_000_000,
            memory_bytes: 2 << 30,
        }
    }
}

/// What to fetch, and how.
pub struct FetchRequest<'a> {
    /// Where to.
    pub mirror: &'a Mirror,
    /// Where from.
    pub source: FetchSource<'a>,
    /// The refs that moved, or all.
    pub wanted: &'a [WantedRef],
    /// The git program; one that is not good is treated as none.
    pub program: Option<&'a GitProgram>,
    /// Usually [`FetchLimits::default`].
    pub limits: FetchLimits,
    /// Bytes that are kept of the same repository elsewhere, and count as the mirror's own.
    pub beside: u64,
    /// Where to tell how far it is.
    pub progress: &'a FetchProgress,
    /// Stops the fetch within a moment when it becomes true. Dropping the future does so, too.
    pub cancel: &'a AtomicBool,
}

/// What came; nothing when the mirror has had all of this before, and the server was not asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fetched {
    /// Bytes of packs that are new.
    pub bytes: u64,
    /// Objects in them.
    pub objects: u64,
}

/// How one attempt of a transport ended.
pub(super) enum Attempt {
    Done(Fetched),
    /// The server does not filter like this.
    FilterRefused,
}

/// Makes every wanted object, with the history behind it, readable in the mirror.
///
/// The first fetch asks for commits and tags only, then without files, then for everything, until the server agrees;
/// which it was is remembered. Objects are asked for by their names, so what comes is what was listed; refs of the
/// remote are not listed again. After a failure or a stop the mirror's refs are what they were, and what came is
/// removed; only of a fetch that was dropped something may stay until the next one.
pub async fn fetch(request: &FetchRequest<'_>) -> Result<Fetched, GitError> {
    let mirror = request.mirror;
    request.progress.enter(FetchPhase::Asking);
    let lock = mirror.lock()?;
    mirror.remove_leftovers(&lock)?;
    mirror.forget_cuts(&lock)?;
    let mut kept = mirror.kept()?;
    let missing: BTreeSet<CommitSha> =
        request.wanted.iter().map(|wanted| wanted.target).filter(|target| !kept.contains(target)).collect();
    let filled = mirror.filled_by()?;
    let program = request.program.filter(|program| program.is_good());
    let transport = transport_for(filled, program, request.program)?;
    if missing.is_empty() {
        request.progress.enter(FetchPhase::Done);
        return Ok(Fetched::default());
    }
    let (quota, held) = (request.limits.quota_bytes, mirror.bytes()?.saturating_add(request.beside));
    room::check_free(mirror.path(), request.limits.free_bytes)?;
    room::check_quota(held, quota)?;
    let limits = FetchLimits { quota_bytes: quota - held, ..request.limits };
    let bounded = FetchRequest { limits, ..*request };
    let packs = mirror.whole_packs()?;
    let brought = match by(&transport, &bounded, &missing, &kept, filled).await {
        // With its index it is larger than what came.
        Ok(_) if mirror.bytes()?.saturating_add(request.beside) > quota => Err(room::over_quota(quota).into()),
        // Over what was left of it.
        Err(GitError::Fetch(FetchError::QuotaExceeded { .. })) => Err(room::over_quota(quota).into()),
        other => other,
    };
    let fetched = match brought {
        Ok(fetched) => fetched,
        Err(error) => {
            // No ref leads to any of it.
            mirror.remove_packs_but(&packs, &lock)?;
            mirror.remove_leftovers(&lock)?;
            mirror.forget_cuts(&lock)?;
            return Err(error);
        }
    };
    kept.extend(missing);
    mirror.keep(&kept)?;
    drop(lock);
    request.progress.enter(FetchPhase::Done);
    Ok(fetched)
}

/// Fetches with one filter after the other, until the server agrees.
async fn by(
    transport: &Transport<'_>,
    request: &FetchRequest<'_>,
    missing: &BTreeSet<CommitSha>,
    kept: &BTreeSet<CommitSha>,
    filled: Option<(Filter, TransportKind)>,
) -> Result<Fetched, GitError> {
    let mirror = request.mirror;
    // Only a mirror that holds nothing may begin with another filter.
    let remembered = mirror.memory()?.filter(|memory| filled.is_some() || memory.transport == transport.kind());
    let mut filter = match transport {
        Transport::InProcess => Filter::Everything,
        Transport::Program(_) => remembered.map_or(Filter::Trees, |memory| memory.filter),
    };
    loop {
        mirror.remember(Memory { transport: transport.kind(), filter })?;
        let attempt = match transport {
            Transport::Program(program) => by_program(program, request, missing, filter).await?,
            Transport::InProcess => in_process::fetch(request, missing, kept).await?,
        };
        match (attempt, filter.next()) {
            (Attempt::Done(fetched), _) => return Ok(fetched),
            (Attempt::FilterRefused, Some(next)) if filled.is_none() => filter = next,
            (Attempt::FilterRefused, _) => return Err(FetchError::MirrorUnusable.into()),
        }
    }
}

/// `tree:0` leaves out what a wanted commit has even when a ref names that folder, and the program takes such an answer
/// for incomplete. What is lacking is asked for again, without files: if it is no folder, it is lacking again, and that
/// is an error.
async fn by_program(
    program: &GitProgram,
    request: &FetchRequest<'_>,
    missing: &BTreeSet<CommitSha>,
    filter: Filter,
) -> Result<Attempt, GitError> {
    let attempt = git_program::fetch::fetch(program, request, missing, filter, Behind::Everything).await;
    let Err(GitError::Fetch(FetchError::Incomplete)) = attempt else { return attempt };
    let lacking = request.mirror.lacking(missing.iter().copied())?;
    if filter != Filter::Trees || lacking.is_empty() {
        return attempt;
    }
    let folders = go_on(program, request, &lacking, Filter::Blobs).await?;
    let rest: BTreeSet<CommitSha> = missing.difference(&lacking).copied().collect();
    if rest.is_empty() {
        return Ok(folders);
    }
    // It has come already, and is asked for once more to be checked.
    go_on(program, request, &rest, filter).await
}

/// A fetch by the program after something came, which would be thrown away: whoever needs another connection to a busy
/// host waits for it, however long.
async fn go_on(
    program: &GitProgram,
    request: &FetchRequest<'_>,
    missing: &BTreeSet<CommitSha>,
    filter: Filter,
) -> Result<Attempt, GitError> {
    loop {
        match git_program::fetch::fetch(program, request, missing, filter, Behind::Everything).await {
            Err(GitError::HostBusy { .. }) => {}
            attempt => return attempt,
        }
    }
}

enum Transport<'a> {
    Program(&'a GitProgram),
    InProcess,
}

impl Transport<'_> {
    fn kind(&self) -> TransportKind {
        match self {
            Self::Program(_) => TransportKind::GitProgram,
            Self::InProcess => TransportKind::InProcess,
        }
    }
}

/// A mirror that lacks folders or files is continued only by the program that left them out.
fn transport_for<'a>(
    filled: Option<(Filter, TransportKind)>,
    good: Option<&'a GitProgram>,
    given: Option<&GitProgram>,
) -> Result<Transport<'a>, GitError> {
    match (good, filled, given) {
        (Some(program), ..) => Ok(Transport::Program(program)),
        (None, None | Some((Filter::Everything, _)), _) => Ok(Transport::InProcess),
        (None, Some(_), Some(given)) => Err(FetchError::GitTooOld { sentence: given.sentence() }.into()),
        (None, Some(_), None) => Err(FetchError::MirrorNeedsGit.into()),
    }
}
