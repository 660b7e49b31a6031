//! Keeps a mirror in order: few packs, a commit-graph, nothing torn, few tips. Called by jobs now and then. It drops no
//! object, asks no server, and needs the git program.

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    fs, io,
    sync::atomic::{AtomicBool, Ordering},
};

use keytrail_domain::index_run::batch::CommitSha;

use super::{
    GitError, Mirror,
    mirror::MirrorLock,
    transport::{
        FetchError, FetchLimits, GitProgram, WantedRef, check_free,
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
        Ok(Self { leftovers, many_packs: packs(mirror)? > PACKS_LEFT_ALONE })
    }
}

/// Tends a mirror. `current` are the refs as they were listed last: their tips are kept in any case.
///
/// `room` bytes stay free on its disk, beside what putting packs together takes for a while.
pub async fn tend(
    mirror: &Mirror,
    current: &[WantedRef],
    program: Option<&GitProgram>,
    room: u64,
    cancel: &AtomicBool,
) -> Result<Tended, GitError> {
    let lock = mirror.lock()?;
    let mut tended = Tended { leftovers: mirror.remove_leftovers(&lock)?, ..Tended::default() };
    let program = match program {
        None => return Err(FetchError::GitMissing.into()),
        Some(program) if !program.is_good() => {
            return Err(FetchError::GitTooOld { sentence: program.sentence() }.into());
        }
        Some(program) => program,
    };
    let tending = Tending { mirror, program, cancel, _lock: lock };
    tended.tips = tending.drop_contained_tips(current).await?;
    tended.packs_before = packs(mirror)?;
    if tended.packs_before > PACKS_LEFT_ALONE {
        check_free(mirror.path(), &FetchLimits { free_bytes: room + mirror.bytes()?, ..FetchLimits::default() })?;
        tending.repack().await?;
    }
    tended.packs_after = packs(mirror)?;
    tending.git("writing the commit-graph", Invocation::new(["commit-graph", "write", "--reachable"])).await?;
    Ok(tended)
}

struct Tending<'a> {
    mirror: &'a Mirror,
    program: &'a GitProgram,
    cancel: &'a AtomicBool,
    _lock: MirrorLock,
}

impl Tending<'_> {
    /// Everything into one pack, what no tip leads to as well. Packs of a partial clone stay marked as such: git puts
    /// them together apart from others. (`--geometric` did not keep the mark before git 2.53.)
    async fn repack(&self) -> Result<(), GitError> {
        let invocation = Invocation::new(["repack", "-a", "-d", "--keep-unreachable", "-q"])
            .config("repack.writeBitmaps", "false")
            .config("pack.threads", "1")
            .config("pack.windowMemory", "64m");
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
        let invocation = invocation.on(self.mirror.path());
        match running::run(&self.program.path, &invocation, &mut UntilCancelled(self.cancel)).await {
            Ok(ending) if ending.success => Ok(ending.stdout),
            Ok(_) => Err(GitError::transient(doing, io::Error::other("the git program failed"))),
            Err(Unended::System(error)) => Err(GitError::transient(doing, error)),
            Err(Unended::Stopped(Cancelled)) => Err(GitError::Cancelled),
        }
    }
}

fn packs(mirror: &Mirror) -> Result<usize, GitError> {
    let folder = mirror.packs();
    let entries =
        fs::read_dir(&folder).map_err(|error| GitError::of_path(&folder, "listing the mirror's packs", error))?;
    let is_pack = |entry: &fs::DirEntry| entry.path().extension().is_some_and(|extension| extension == "pack");
    Ok(entries.flatten().filter(is_pack).count())
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
