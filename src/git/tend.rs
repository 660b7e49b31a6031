//! Keeps a mirror in order: few packs, a commit-graph, nothing torn, few tips. Called by jobs now and then. It drops no
//! object, asks no server, and does most of it by the git program.

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    io,
    sync::atomic::{AtomicBool, Ordering},
};

use keytrail_domain::index_run::batch::CommitSha;

use super::{
    GitError, Mirror,
    mirror::MirrorLock,
    transport::{
        FetchLimits, GitProgram, WantedRef, check_free,
        git_program::{
            invocation::Invocation,
            running::{self, Unended, Watch},
        },
    },
};

/// So many packs are left alone: each fetch adds one, and putting them together reads and writes everything.
const PACKS_LEFT_ALONE: usize = 16;

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tended {
    /// Files that interrupted fetches left, and that are gone now.
    pub leftovers: u64,
    /// Tips that are no refs of the remote any more and that other tips contain. Their commits stay.
    pub tips: u64,
    /// Packs before.
    pub packs_before: usize,
    /// Packs now.
    pub packs_after: usize,
}

/// How much tending a mirror needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neglect {
    /// Files that interrupted fetches left; some are of a fetch that goes on, while one does.
    pub leftovers: usize,
    /// Whether it has more packs than are left alone.
    pub many_packs: bool,
}

impl Neglect {
    /// How things stand in this mirror. It only looks.
    pub fn of(mirror: &Mirror) -> Result<Self, GitError> {
        let leftovers = mirror.leftovers()?.len();
        Ok(Self { leftovers, many_packs: mirror.whole_packs()?.len() > PACKS_LEFT_ALONE })
    }
}

/// Tends a mirror; without a good program it removes leftovers and does nothing else. `current` are the refs as they were listed last: their tips are kept in any case.
///
/// Free bytes stay on its disk as the limits say, beside what putting packs together takes for a while.
pub async fn tend(
    mirror: &Mirror,
    current: &[WantedRef],
    program: Option<&GitProgram>,
    limits: &FetchLimits,
    cancel: &AtomicBool,
) -> Result<Tended, GitError> {
    let lock = mirror.lock()?;
    let mut tended = Tended { leftovers: mirror.remove_leftovers(&lock)?, ..Tended::default() };
    let Some(program) = program.filter(|program| program.is_good()) else {
        tended.packs_before = mirror.whole_packs()?.len();
        return Ok(Tended { packs_after: tended.packs_before, ..tended });
    };
    let tending = Tending { mirror, program, memory: limits.memory_bytes, cancel, _lock: lock };
    tended.tips = tending.drop_contained_tips(current).await?;
    tended.packs_before = mirror.whole_packs()?.len();
    if tended.packs_before > PACKS_LEFT_ALONE {
        check_free(mirror.path(), limits.free_bytes.saturating_add(mirror.bytes()?))?;
        tending.repack().await?;
    }
    tended.packs_after = mirror.whole_packs()?.len();
    tending.git("writing the commit-graph", Invocation::new(["commit-graph", "write", "--reachable"])).await?;
    Ok(tended)
}

struct Tending<'a> {
    mirror: &'a Mirror,
    program: &'a GitProgram,
    memory: u64,
    cancel: &'a AtomicBool,
    _lock: MirrorLock,
}

impl Tending<'_> {
    /// Everything into one pack, what no tip leads to as well. Packs of a partial clone stay marked as such: git puts
    /// them together apart from others. (`--geometric` did not keep the mark before git 2.53.)
    async fn repack(&self) -> Result<(), GitError> {
        let invocation =
            Invocation::new(["repack", "-a", "-d", "--keep-unreachable", "-q"]).config("repack.writeBitmaps", "false");
        self.git("putting the packs of the mirror together", invocation).await.map(drop)
    }

    async fn drop_contained_tips(&self, current: &[WantedRef]) -> Result<u64, GitError> {
        let mut kept = self.mirror.kept()?;
        let before = kept.len();
        let current: BTreeSet<CommitSha> = current.iter().map(|wanted| wanted.target).collect();
        if kept.is_subset(&current) {
            return Ok(0);
        }
        let history = self.git("reading the history", Invocation::new(["rev-list", "--parents", "--all"])).await?;
        // A parent is reachable from its child, and that from a tip which is no parent itself. Should the history be
        // longer than what is read of it, fewer tips are dropped.
        for line in history.split(|byte| *byte == b'\n') {
            for parent in line.split(|byte| *byte == b' ').skip(1) {
                let Some(parent) = std::str::from_utf8(parent).ok().and_then(|name| name.parse().ok()) else {
                    continue;
                };
                if !current.contains(&parent) {
                    kept.remove(&parent);
                }
            }
        }
        if kept.len() < before {
            self.mirror.keep(&kept)?;
        }
        Ok((before - kept.len()) as u64)
    }

    async fn git(&self, doing: &str, invocation: Invocation) -> Result<Vec<u8>, GitError> {
        let invocation = invocation.on(self.mirror.path()).within(self.memory);
        match running::run(&self.program.path, &invocation, &mut UntilCancelled(self.cancel)).await {
            Ok(ending) if ending.success => Ok(ending.stdout),
            Ok(_) => Err(GitError::transient(doing, io::Error::other("the git program failed"))),
            Err(Unended::System(error)) => Err(GitError::transient(doing, error)),
            Err(Unended::Stopped(Cancelled)) => Err(GitError::Cancelled),
        }
    }
}

struct UntilCancelled<'a>(&'a AtomicBool);

struct Cancelled;

impl Watch for UntilCancelled<'_> {
    type Stop = Cancelled;

    fn said(&mut self, _: &[u8]) -> Result<(), Cancelled> {
        Ok(())
    }

    fn tick(&mut self) -> Result<(), Cancelled> {
        if self.0.load(Ordering::Relaxed) { Err(Cancelled) } else { Ok(()) }
    }
}
