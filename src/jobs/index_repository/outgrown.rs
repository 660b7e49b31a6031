//! Repositories whose last run was given up because it would have taken more room or memory than it may. Told by runs, asked
//! by polls: what was too much is not fetched again until something changed. In memory of this node only, so that after a
//! restart, perhaps with other limits, it is tried once.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use keytrail_domain::id::RepositoryId;

use crate::{
    git::{GitError, Mirror, RefList, transport::FetchError},
    jobs::Caches,
};

/// What was too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct TooMuch {
    /// Of what the refs led to.
    refs: [u8; 32],
    /// Bytes that were kept of the repository beside it.
    held: u64,
}

/// Whether a run may come further than the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::jobs) enum Outgrowth {
    /// The last one was not given up like this.
    None,
    /// It was, and nothing is different now.
    Same,
    /// It was, and the refs lead elsewhere, or less is kept.
    Changed,
}

/// The repositories of this node that have outgrown what they may take.
#[derive(Debug, Default)]
pub(in crate::jobs) struct Outgrown(Mutex<HashMap<RepositoryId, TooMuch>>);

impl Outgrown {
    /// The last fetch, of what these refs lead to, failed like this while so many bytes were kept.
    pub(in crate::jobs) fn failed(&self, repository: RepositoryId, error: &GitError, refs: &RefList, held: u64) {
        if is_too_much(error) {
            self.all().insert(repository, TooMuch { refs: refs.digest(), held });
        } else {
            self.all().remove(&repository);
        }
    }

    /// A run completed.
    pub(in crate::jobs) fn fits(&self, repository: RepositoryId) {
        self.all().remove(&repository);
    }

    /// Whether a fetch of what these refs lead to has been too much.
    pub(in crate::jobs) async fn of(
        &self,
        repository: RepositoryId,
        refs: [u8; 32],
        caches: &Caches,
    ) -> Result<Outgrowth, GitError> {
        let Some(too_much) = self.all().get(&repository).copied() else { return Ok(Outgrowth::None) };
        let is_same = too_much.refs == refs && held(caches, repository).await? >= too_much.held;
        Ok(if is_same { Outgrowth::Same } else { Outgrowth::Changed })
    }

    fn all(&self) -> std::sync::MutexGuard<'_, HashMap<RepositoryId, TooMuch>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a fetch that ended like this ends like this again while nothing changes.
const fn is_too_much(error: &GitError) -> bool {
    matches!(
        error,
        GitError::Fetch(
            FetchError::QuotaExceeded { .. }
                | FetchError::PackNeedsMemory { .. }
                // The program is looked for once, at the start.
                | FetchError::MirrorNeedsGit
                | FetchError::GitTooOld { .. }
                | FetchError::GitMissing
        )
    )
}

/// Bytes that this node keeps of a repository: its copy, and what was fetched for diffs.
pub(in crate::jobs) async fn held(caches: &Caches, repository: RepositoryId) -> Result<u64, GitError> {
    let folders = [caches.mirror(repository), caches.objects_of(repository)];
    let measured = tokio::task::spawn_blocking(move || {
        let kept = folders.iter().filter_map(|folder| Mirror::recognised(folder));
        kept.map(|mirror| mirror.bytes()).sum::<Result<u64, GitError>>()
    });
    measured.await.unwrap_or(Ok(0))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use keytrail_domain::index_run::batch::CommitSha;
    use uuid::Uuid;

    use super::*;
    use crate::git::Ref;

    fn leading_to(commit: u8) -> RefList {
        let main = Ref { name: Arc::from("refs/heads/main"), commit: CommitSha([commit; 20]) };
        RefList { refs: vec![main], ..RefList::default() }
    }

    #[tokio::test]
    async fn what_was_too_much_stays_so_until_refs_move_or_room_is_made_or_a_run_completes() {
        let folder = tempfile::tempdir().expect("a folder");
        let caches = Caches::new(folder.path().to_owned());
        let (outgrown, id) = (Outgrown::default(), RepositoryId(Uuid::from_u128(1)));
        let of = async |commit| outgrown.of(id, leading_to(commit).digest(), &caches).await.expect("it is measured");
        outgrown.failed(id, &GitError::Cancelled, &leading_to(1), 0);
        assert_eq!(of(1).await, Outgrowth::None, "that was none");
        for error in [FetchError::QuotaExceeded { quota: 1 }, FetchError::PackNeedsMemory { memory: 1 }] {
            outgrown.failed(id, &error.into(), &leading_to(1), 0);
            assert_eq!((of(1).await, of(2).await), (Outgrowth::Same, Outgrowth::Changed));
            outgrown.failed(id, &FetchError::QuotaExceeded { quota: 1 }.into(), &leading_to(1), 1);
            assert_eq!(of(1).await, Outgrowth::Changed, "nothing is kept any more");
            outgrown.fits(id);
            assert_eq!(of(1).await, Outgrowth::None);
            outgrown.failed(id, &FetchError::QuotaExceeded { quota: 1 }.into(), &leading_to(1), 0);
            outgrown.failed(id, &FetchError::BrokeOff.into(), &leading_to(1), 0);
            assert_eq!(of(1).await, Outgrowth::None, "that may be better the next time");
        }
    }
}
