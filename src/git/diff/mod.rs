//! What a commit changed: the files against one of its parents, and the lines of a file. Called by jobs on blocking
//! threads, for an opened repository alone or with the cache of objects beside it.
//!
//! It reads objects and nothing else: no configuration, attributes, filters or programs. It never fetches; what is not
//! there is named, so that the caller may. What is left out by a bound is said.

mod files;
mod lines;
mod objects;
mod renames;
mod shown_line;
mod similarity;
#[cfg(test)]
mod tests;
mod tree_changes;
mod words;

use keytrail_domain::index_run::batch::CommitSha;

pub use self::{
    files::{ChangedFile, ChangedFiles, Content, FileHunks, Side, Status},
    lines::{Hunk, Line, LineKind},
    objects::DiffObjects,
    shown_line::shown_path,
    tree_changes::{Comparison, Looked, compare},
};
use super::GitError;

/// What is too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiffBounds {
    /// Files that are shown; the others are counted.
    pub files: usize,
    /// Bytes of a file that is read; of a larger one no line is counted or shown.
    pub file_bytes: u64,
    /// Bytes of files that are read for one commit, to count its lines.
    pub all_bytes: u64,
    /// Pairs of a deleted and an added file that are compared to find renames.
    pub rename_pairs: usize,
    /// Bytes of lines that one answer shows.
    pub hunk_bytes: usize,
    /// Lines that one answer shows.
    pub lines: usize,
}

impl Default for DiffBounds {
    fn default() -> Self {
        Self {
            files: 3_000,
            file_bytes: 1024 * 1024,
            all_bytes: 64 * 1024 * 1024,
            rename_pairs: 100_000,
            hunk_bytes: 256 * 1024,
            lines: 20_000,
        }
    }
}

/// Why a commit cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum DiffError {
    /// The repository cannot be read.
    #[error(transparent)]
    Git(#[from] GitError),
    /// It has fewer parents.
    #[error("the commit {sha} has {parents} parents; ask for one of them")]
    NoSuchParent {
        /// The commit.
        sha: CommitSha,
        /// How many it has.
        parents: usize,
    },
}
