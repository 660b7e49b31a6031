//! Copies of repositories that turned out not to hold what they should. A run that meets one is tried again with a new
//! copy, once: what is missing from that one, too, is missing at its origin. In memory of this node only.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use keytrail_domain::id::RepositoryId;

use crate::git::{GitError, transport::FetchError};

/// What became of a copy that is doubted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doubt {
    /// It is to be made anew.
    Doubted,
    /// It was made anew, and no run completed since.
    Renewed,
}

/// The copies of this node that are doubted.
#[derive(Debug, Default)]
pub(in crate::jobs) struct DoubtedMirrors(Mutex<HashMap<RepositoryId, Doubt>>);

impl DoubtedMirrors {
    /// A run failed like this; whether another try with a new copy may help.
    pub(in crate::jobs) fn raised_by(&self, repository: RepositoryId, error: &GitError) -> bool {
        let blamed = matches!(
            error,
            GitError::MissingObject { .. }
                | GitError::CorruptObject { .. }
                | GitError::Fetch(FetchError::MirrorUnusable)
        );
        blamed && *self.all().entry(repository).or_insert(Doubt::Doubted) == Doubt::Doubted
    }

    /// The copy is to be made anew, whatever it holds.
    pub(in crate::jobs) fn doubt(&self, repository: RepositoryId) {
        self.all().insert(repository, Doubt::Doubted);
    }

    /// Whether the copy is to be made anew.
    pub(in crate::jobs) fn is_doubted(&self, repository: RepositoryId) -> bool {
        self.all().get(&repository) == Some(&Doubt::Doubted)
    }

    /// The copy was deleted, and the next one is new.
    pub(in crate::jobs) fn renewed(&self, repository: RepositoryId) {
        self.all().insert(repository, Doubt::Renewed);
    }

    /// A run completed.
    pub(in crate::jobs) fn dispelled(&self, repository: RepositoryId) {
        self.all().remove(&repository);
    }

    fn all(&self) -> std::sync::MutexGuard<'_, HashMap<RepositoryId, Doubt>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use keytrail_domain::index_run::batch::CommitSha;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_copy_is_made_anew_once_until_a_run_completes() {
        let (doubted, id) = (DoubtedMirrors::default(), RepositoryId(Uuid::from_u128(1)));
        let missing = GitError::MissingObject { sha: CommitSha([7; 20]) };
        assert!(!doubted.raised_by(id, &GitError::Cancelled) && !doubted.is_doubted(id));
        for _ in 0..2 {
            // Not deleted yet, perhaps because somebody had it locked.
            assert!(doubted.raised_by(id, &missing) && doubted.is_doubted(id));
            assert!(doubted.raised_by(id, &missing));
            doubted.renewed(id);
            assert!(!doubted.raised_by(id, &missing) && !doubted.is_doubted(id));
            doubted.dispelled(id);
        }
    }
}
