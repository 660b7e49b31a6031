//! The set of all commits ever indexed of one repository, with parents and generations: the only place where a walk
//! stops. Loaded before a walk and appended to after a run's end is durable, by the index job.
//!
//! It is a cache beside the log: losing it costs a longer walk, and the same facts found again.

mod descendants;
mod file;
mod parents;
mod superseded;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use keytrail_domain::{
    index_run::batch::{CommitName, CommitSha},
    recorded::Position,
};

pub use self::{descendants::Descendants, superseded::Changes};
use super::{GitError, NewCommits};

/// The known commits of a repository: 28 bytes each in memory, 28 and 4 for each parent beyond the first on disk.
///
/// A row is a commit's place in the file: parents stand before children.
#[derive(Debug)]
pub struct Graph {
    path: Option<PathBuf>,
    number: Position,
    /// How much of the file is good; 0 when it is to be written anew.
    good_bytes: u64,
    /// Sorted.
    shas: Vec<CommitSha>,
    /// The row of each of these.
    rows: Vec<u32>,
    /// By row.
    generations: Vec<u32>,
    /// For each first byte where its names begin, and the end.
    fan: Vec<u32>,
}

impl Graph {
    /// No commit; nothing is ever written.
    pub fn empty() -> Self {
        Self::from_rows(None, 0, 0, Vec::new(), Vec::new())
    }

    /// Loads the graph of the repository that has this number now. A file that is absent, belongs to another number
    /// (the index was reset), or cannot be understood counts as empty; one with a torn end counts until there.
    pub fn load(path: &Path, number: Position) -> Self {
        let loaded = file::load(path, number);
        Self::from_rows(Some(path.to_owned()), number, loaded.good_bytes, loaded.shas, loaded.generations)
    }

    /// Whether a commit is in the graph in this file, without loading it: its names are read once, and none is kept.
    pub fn knows(path: &Path, number: Position, sha: CommitSha) -> bool {
        file::knows(path, number, sha)
    }

    /// Deletes the file; none is none.
    pub fn forget(path: &Path) -> Result<(), GitError> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(GitError::of_path(path, "deleting the graph of commits", error))
            }
            _ => Ok(()),
        }
    }

    /// The commits in the graph in this file that may be the one that is meant, at most `most` of them, in the order of
    /// the file.
    pub fn called(path: &Path, number: Position, name: &CommitName, most: usize) -> Vec<CommitSha> {
        file::called(path, number, name, most)
    }

    fn from_rows(
        path: Option<PathBuf>,
        number: Position,
        good_bytes: u64,
        by_row: Vec<CommitSha>,
        generations: Vec<u32>,
    ) -> Self {
        // Names are told apart by their first bytes nearly always; looking all of them up would be slow.
        let head = |sha: &CommitSha| sha.0.first_chunk().map_or(0, |head| u64::from_be_bytes(*head));
        let mut sorted: Vec<(u64, u32)> = by_row.iter().map(head).zip(0..).collect();
        sorted.sort_unstable_by(|(a, one), (b, other)| {
            a.cmp(b).then_with(|| by_row[*one as usize].cmp(&by_row[*other as usize]))
        });
        let rows: Vec<u32> = sorted.into_iter().map(|(_, row)| row).collect();
        let shas: Vec<CommitSha> = rows.iter().map(|row| by_row[*row as usize]).collect();
        let fan = (0..=256).map(|byte| shas.partition_point(|sha| usize::from(sha.0[0]) < byte) as u32).collect();
        Self { path, number, good_bytes, shas, rows, generations, fan }
    }

    /// How many commits it knows.
    pub fn len(&self) -> usize {
        self.shas.len()
    }

    /// Whether it knows none.
    pub fn is_empty(&self) -> bool {
        self.shas.is_empty()
    }

    /// Whether the commit was indexed.
    pub fn contains(&self, sha: CommitSha) -> bool {
        self.row(sha).is_some()
    }

    /// The commit's generation: one more than the greatest among its parents, 1 for a root.
    pub fn generation(&self, sha: CommitSha) -> Option<u32> {
        self.row(sha).map(|row| self.generation_of_row(row))
    }

    pub(super) fn row(&self, sha: CommitSha) -> Option<u32> {
        let first = usize::from(sha.0[0]);
        let (start, end) = (self.fan[first] as usize, self.fan[first + 1] as usize);
        let at = self.shas[start..end].binary_search(&sha).ok()?;
        Some(self.rows[start + at])
    }

    pub(super) fn generation_of_row(&self, row: u32) -> u32 {
        self.generations[row as usize]
    }

    /// Writes what a walk from this graph met. The graph is given away: load it again for the next walk. When this
    /// returns the commits are on disk; a crash before leaves the file as good as it was.
    pub fn append(self, new: &NewCommits) -> Result<(), GitError> {
        let Some(path) = &self.path else { return Ok(()) };
        if new.known != self.len() {
            return Err(GitError::transient(
                "writing the graph of commits",
                "the walk began at another state of the graph",
            ));
        }
        if new.is_empty() {
            return Ok(());
        }
        file::append(path, self.number, self.good_bytes, new)
            .map_err(|error| GitError::transient("writing the graph of commits", error))
    }
}
