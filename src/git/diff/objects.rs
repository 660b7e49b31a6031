//! Objects from a repository and the cache beside it, as one. Called by the comparison for every tree and file; what is
//! in neither is `None`, and never fetched.

use std::collections::BTreeSet;

use gix::objs::Kind;
use keytrail_domain::index_run::batch::CommitSha;

use crate::git::{GitError, OpenedRepository, commit_object, opened::ObjectReader};

/// Readers of one thread.
pub struct DiffObjects {
    readers: Vec<ObjectReader>,
}

/// What is compared of a commit.
pub(super) struct CommitParts {
    pub(super) tree: CommitSha,
    pub(super) parents: Vec<CommitSha>,
}

impl DiffObjects {
    /// Objects of all of these; the first that has one gives it.
    pub fn of(repositories: &[&OpenedRepository]) -> Self {
        Self { readers: repositories.iter().map(|repository| repository.reader()).collect() }
    }

    fn read(&mut self, sha: CommitSha) -> Result<Option<(Kind, Vec<u8>)>, GitError> {
        for reader in &mut self.readers {
            // Somebody waits, perhaps for a slow share.
            reader.step();
            if let Some((kind, data)) = reader.read(sha)? {
                return Ok(Some((kind, data.to_vec())));
            }
        }
        Ok(None)
    }

    pub(super) fn commit(&mut self, sha: CommitSha) -> Result<CommitParts, GitError> {
        let (kind, data) = self.read(sha)?.ok_or(GitError::MissingObject { sha })?;
        let corrupt = |reason: &str| GitError::CorruptObject { sha, reason: reason.to_owned() };
        if kind != Kind::Commit {
            return Err(corrupt("it is no commit"));
        }
        let mut parents = Vec::new();
        commit_object::parse(&data, &mut parents).map_err(corrupt)?;
        let tree = data.get(5..45).and_then(|hex| std::str::from_utf8(hex).ok()?.parse().ok());
        Ok(CommitParts { tree: tree.ok_or_else(|| corrupt("it names no tree"))?, parents })
    }

    /// The parents of a commit that is here.
    pub fn parents(&mut self, sha: CommitSha) -> Result<Vec<CommitSha>, GitError> {
        Ok(self.commit(sha)?.parents)
    }

    /// How many bytes a tree has; `None` when it is not here.
    pub(super) fn tree_size(&mut self, sha: CommitSha) -> Result<Option<u64>, GitError> {
        if gix::ObjectId::from(sha.0).is_empty_tree() { Ok(Some(0)) } else { self.size(sha) }
    }

    /// The bytes of a tree; `None` when it is not here.
    pub(super) fn tree(&mut self, sha: CommitSha) -> Result<Option<Vec<u8>>, GitError> {
        if gix::ObjectId::from(sha.0).is_empty_tree() {
            return Ok(Some(Vec::new()));
        }
        match self.read(sha)? {
            Some((Kind::Tree, data)) => Ok(Some(data)),
            Some(_) => Err(GitError::CorruptObject { sha, reason: "it is no folder".to_owned() }),
            None => Ok(None),
        }
    }

    /// The size of an object; `None` when it is not here.
    pub(super) fn size(&mut self, sha: CommitSha) -> Result<Option<u64>, GitError> {
        for reader in &mut self.readers {
            reader.step();
            if let Some(size) = reader.size(sha)? {
                return Ok(Some(size));
            }
        }
        Ok(None)
    }

    /// The bytes of a file; `None` when it is not here.
    pub(super) fn file(&mut self, sha: CommitSha) -> Result<Option<Vec<u8>>, GitError> {
        match self.read(sha)? {
            Some((Kind::Blob, data)) => Ok(Some(data)),
            Some(_) => Err(GitError::CorruptObject { sha, reason: "it is no file".to_owned() }),
            None => Ok(None),
        }
    }

    /// Those of them that are not here.
    pub fn lacking(&mut self, wanted: impl IntoIterator<Item = CommitSha>) -> BTreeSet<CommitSha> {
        wanted.into_iter().filter(|sha| !self.readers.iter_mut().any(|reader| reader.exists(*sha))).collect()
    }
}
