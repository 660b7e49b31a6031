//! What an index run finds, in batches. In memory a batch is rows; in the log it is columns with dictionaries, so that
//! a commit takes less than 200 bytes.
//!
//! The stream is written and read along the log, and never loaded for a decision.

use std::{collections::HashMap, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

mod commit_name;
mod commit_set;
mod ref_batch;
#[cfg(test)]
mod tests;

pub use self::{
    commit_name::{CommitName, NotACommitName},
    commit_set::CommitSet,
    ref_batch::{RefBatch, RefMove},
};
use super::columns::{Shas, differences, sums};
use crate::{
    display_text::DisplayText, id::RepositoryId, issue_key::IssueKey, person::PersonId, recorded::Position,
    stored_events,
};

/// The stored word of the sibling stream; its id is the run's.
pub const STREAM_TYPE: &str = "index_batch";

/// The name of a commit in git's SHA-1 format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CommitSha(pub [u8; 20]);

impl fmt::Display for CommitSha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Lists show many: one write each, not forty.
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 40];
        for (pair, byte) in text.as_chunks_mut::<2>().0.iter_mut().zip(self.0) {
            *pair = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
        }
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

/// The text is not 40 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a commit is named by 40 hexadecimal digits")]
pub struct NotASha;

impl FromStr for CommitSha {
    type Err = NotASha;

    fn from_str(text: &str) -> Result<Self, NotASha> {
        let mut sha = [0; 20];
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != sha.len() || !rest.is_empty() {
            return Err(NotASha);
        }
        let digit = |byte: u8| char::from(byte).to_digit(16).ok_or(NotASha);
        for (byte, [high, low]) in sha.iter_mut().zip(pairs) {
            *byte = (digit(*high)? << 4 | digit(*low)?) as u8;
        }
        Ok(Self(sha))
    }
}

/// In events and answers a commit is its digits; batches have columns of their own.
impl Serialize for CommitSha {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CommitSha {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// Where in a commit a key was found; a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Places(pub u8);

impl Places {
    /// In the first paragraph of the message.
    pub const SUBJECT: Self = Self(1);
    /// In the rest of the message.
    pub const BODY: Self = Self(2);

    /// Whether all of `other` are in it.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// These and those.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// A commit with at least one candidate for an issue key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Its name.
    pub sha: CommitSha,
    /// Who wrote it.
    pub author: PersonId,
    /// When it was written, by the author's clock; seconds since 1970.
    pub authored_at: i64,
    /// When it was committed, by the committer's clock; seconds since 1970.
    pub committed_at: i64,
    /// The first paragraph of its message.
    pub subject: DisplayText,
    /// The best ref that it is reachable from; rank: default branch, branches, tags, pull requests; then bytewise.
    pub introduced_by: Arc<str>,
    /// Its candidates, each once, in the order of their first place.
    pub keys: Vec<(IssueKey, Places)>,
}

/// Where a run stands: everything up to this commit, in the order (generation, name), was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// One more than the greatest generation among the parents; 1 for a root.
    pub generation: u32,
    /// The commit.
    pub sha: CommitSha,
}

/// Commits of one run, parents before children.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "CommitColumns", try_from = "CommitColumns")]
pub struct CommitBatch {
    /// Of which repository.
    pub repository: RepositoryId,
    /// The repository's number.
    pub number: Position,
    /// Which version of the grammar found the candidates.
    pub extractor: u32,
    /// The last commit that was looked at, whether it is in the batch or not.
    pub cursor: Cursor,
    /// How many commits the run looked at until here.
    pub walked: u64,
    /// The default branch, when there is one.
    pub default_branch: Option<Arc<str>>,
    /// The commits with candidates.
    pub commits: Vec<Commit>,
}

/// Stored events of the stream `index_batch`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// Refs were seen that differ from what was recorded before.
    RefsMoved(RefBatch),
    /// Commits were looked at for the first time.
    CommitsRecorded(CommitBatch),
    /// No ref leads to these commits any more: a branch was rewritten or deleted.
    CommitsSuperseded(CommitSet),
    /// A ref leads to these commits again.
    CommitsRestored(CommitSet),
}

stored_events!(Event {
    RefsMoved => "index_batch.refs_moved" v "1",
    CommitsRecorded => "index_batch.commits_recorded" v "1",
    CommitsSuperseded => "index_batch.commits_superseded" v "1",
    CommitsRestored => "index_batch.commits_restored" v "1",
});

#[derive(Serialize, Deserialize)]
struct CommitColumns {
    repository: RepositoryId,
    number: Position,
    extractor: u32,
    generation: u32,
    cursor: Shas,
    walked: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    default_branch: Option<Arc<str>>,
    commits: Shas,
    people: Vec<PersonId>,
    author: Vec<usize>,
    /// Differences from commit to commit.
    committed: Vec<i64>,
    /// Differences to the same commit's committer time: mostly 0.
    authored: Vec<i64>,
    subject: Vec<DisplayText>,
    refs: Vec<Arc<str>>,
    introduced_by: Vec<usize>,
    projects: Vec<Arc<str>>,
    /// Candidates of each commit.
    key_count: Vec<usize>,
    /// Project, number and places of each candidate.
    keys: Vec<(usize, u64, Places)>,
}

/// Gives each distinct value a small number, in the order of first appearance.
struct Dictionary<T> {
    values: Vec<T>,
    numbers: HashMap<T, usize>,
}

impl<T: Clone + Eq + std::hash::Hash> Dictionary<T> {
    fn new() -> Self {
        Self { values: Vec::new(), numbers: HashMap::new() }
    }

    fn number(&mut self, value: &T) -> usize {
        if let Some(number) = self.numbers.get(value) {
            return *number;
        }
        self.values.push(value.clone());
        self.numbers.insert(value.clone(), self.values.len() - 1);
        self.values.len() - 1
    }
}

impl From<CommitBatch> for CommitColumns {
    fn from(batch: CommitBatch) -> Self {
        let (mut people, mut refs, mut projects) = (Dictionary::new(), Dictionary::new(), Dictionary::new());
        let commits = &batch.commits;
        Self {
            repository: batch.repository,
            number: batch.number,
            extractor: batch.extractor,
            generation: batch.cursor.generation,
            cursor: Shas(vec![batch.cursor.sha]),
            walked: batch.walked,
            default_branch: batch.default_branch.clone(),
            commits: Shas(commits.iter().map(|commit| commit.sha).collect()),
            author: commits.iter().map(|commit| people.number(&commit.author)).collect(),
            committed: differences(commits.iter().map(|commit| commit.committed_at)),
            authored: commits.iter().map(|commit| commit.authored_at.wrapping_sub(commit.committed_at)).collect(),
            introduced_by: commits.iter().map(|commit| refs.number(&commit.introduced_by)).collect(),
            key_count: commits.iter().map(|commit| commit.keys.len()).collect(),
            keys: commits
                .iter()
                .flat_map(|commit| &commit.keys)
                .map(|(key, places)| (projects.number(&key.project), key.number, *places))
                .collect(),
            people: people.values,
            refs: refs.values,
            projects: projects.values,
            subject: batch.commits.into_iter().map(|commit| commit.subject).collect(),
        }
    }
}

/// Columns that do not fit together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the columns of a batch do not fit together: {0}")]
pub struct Misfit(&'static str);

impl TryFrom<CommitColumns> for CommitBatch {
    type Error = Misfit;

    fn try_from(columns: CommitColumns) -> Result<Self, Misfit> {
        let count = columns.commits.0.len();
        let lengths = [
            columns.author.len(),
            columns.committed.len(),
            columns.authored.len(),
            columns.subject.len(),
            columns.introduced_by.len(),
            columns.key_count.len(),
        ];
        if lengths != [count; 6] {
            return Err(Misfit("lengths differ"));
        }
        let [cursor] = columns.cursor.0[..] else { return Err(Misfit("one cursor is wanted")) };
        let mut keys = columns.keys.into_iter();
        let rows = columns.commits.0.into_iter().zip(columns.subject).zip(sums(&columns.committed)).enumerate();
        let commits = rows.map(|(row, ((sha, subject), committed_at))| {
            let keys = keys
                .by_ref()
                .take(columns.key_count[row])
                .map(|(project, number, places)| {
                    let project = columns.projects.get(project).ok_or(Misfit("no such project"))?.clone();
                    Ok((IssueKey { project, number }, places))
                })
                .collect::<Result<Vec<_>, _>>()?;
            if keys.len() != columns.key_count[row] {
                return Err(Misfit("candidates are missing"));
            }
            Ok(Commit {
                sha,
                author: *columns.people.get(columns.author[row]).ok_or(Misfit("no such person"))?,
                authored_at: columns.authored[row].wrapping_add(committed_at),
                committed_at,
                subject,
                introduced_by: columns.refs.get(columns.introduced_by[row]).ok_or(Misfit("no such ref"))?.clone(),
                keys,
            })
        });
        let commits = commits.collect::<Result<_, _>>()?;
        if keys.next().is_some() {
            return Err(Misfit("candidates are left over"));
        }
        Ok(Self {
            repository: columns.repository,
            number: columns.number,
            extractor: columns.extractor,
            cursor: Cursor { generation: columns.generation, sha: cursor },
            walked: columns.walked,
            default_branch: columns.default_branch,
            commits,
        })
    }
}
