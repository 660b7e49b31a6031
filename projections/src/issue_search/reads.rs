//! What can be asked of the search, and what is found; the search itself is in `finding.rs`. Called by routes and by whoever
//! looks for a commit. It never tells the past.

use keytrail_domain::{
    id::RepositoryId,
    index_run::batch::{CommitName, CommitSha},
    issue_key::IssueKey,
    person::PersonId,
    recorded::Position,
    timestamp::Timestamp,
};

use super::{IssueSearch, schema::NO_COMMIT};
use crate::{
    row,
    value::{BadRow, Cells, Row, Value},
    view::Read,
};

/// Words that one search may have.
pub const MOST_WORDS: usize = 6;
/// Persons that one search may be about.
pub const MOST_AUTHORS: usize = 16;

/// What is looked for: all of it must hold of an issue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Its project, and whether that is only how the project's key begins.
    pub project: Option<(String, bool)>,
    /// How its number begins; digits.
    pub number: Option<String>,
    /// A commit whose name is from the first to before the second names it, or was linked to it.
    pub sha: Option<(Vec<u8>, Vec<u8>)>,
    /// Each of them is in the subject of a commit that names it or was linked to it; as [`super::words_of`] makes them, at most
    /// [`MOST_WORDS`].
    pub words: Vec<String>,
    /// One of them wrote a commit that names it or was linked to it; at most [`MOST_AUTHORS`].
    pub authors: Option<Vec<PersonId>>,
}

/// In which order issues come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The one with the latest commit first.
    Activity,
    /// By key: projects bytewise, numbers as numbers.
    Key,
}

/// What leads to the issues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Through {
    /// All of them, in their order, until a page is full.
    All,
    /// The names of commits.
    Sha,
    /// The word at this place of [`Wanted::words`].
    Word(usize),
    /// The authors.
    Authors,
}

/// An issue that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Which.
    pub key: IssueKey,
    /// When the last commit that names it or is linked to it was committed, without those that were unlinked; nothing when
    /// only branches carry its key.
    pub last_at: Option<Timestamp>,
}

impl Found {
    pub(super) fn read(cells: &mut Cells<'_>) -> Result<Self, BadRow> {
        let key = IssueKey { project: cells.text()?.into(), number: cells.count()? };
        let last_at = Some(cells.int()?).filter(|last| *last != NO_COMMIT).map(Timestamp::from_seconds);
        Ok(Self { key, last_at })
    }

    /// The cursor of a page that ends with this row.
    pub fn cursor(&self) -> FoundCursor {
        FoundCursor { last_at: self.last_at, key: self.key.clone() }
    }
}

/// Where a page of issues ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundCursor {
    /// `last_at` of the last row.
    pub last_at: Option<Timestamp>,
    /// `key` of the last row.
    pub key: IssueKey,
}

/// An issue that a commit names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedIn {
    /// Which issue.
    pub key: IssueKey,
    /// When it was committed: the issue's row of the commit is found by it.
    pub committed_at: Timestamp,
}

/// A commit that names an issue, and a repository that has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The repository.
    pub repository: RepositoryId,
    /// The commit.
    pub sha: CommitSha,
}

pub(super) fn read<T>(sql: &'static str, args: Row, row: fn(&mut Cells<'_>) -> Result<T, BadRow>) -> Read<T> {
    Read { view: &IssueSearch, sql, args, row }
}

/// As many as there are markers; asking for one twice does not find two.
pub(super) fn authors(authors: &[PersonId]) -> Row {
    let mut args: Row = authors.iter().take(MOST_AUTHORS).map(|author| Value::from(*author)).collect();
    args.resize(MOST_AUTHORS, args.last().cloned().unwrap_or_else(|| Value::from([].as_slice())));
    args
}

/// How many rows a word has, `most` at most. One row.
pub fn word_weighs(word: &str, most: u32) -> Read<u64> {
    const SQL: &str = "SELECT COUNT(*) FROM (SELECT 1 FROM search_words@ WHERE word = $1 LIMIT $2) AS w";
    read(SQL, row![word, most], |cells| cells.count())
}

/// How many rows these persons have, `most` at most. One row.
pub fn authors_weigh(persons: &[PersonId], most: u32) -> Read<u64> {
    const SQL: &str = "\
        SELECT COUNT(*) FROM (SELECT 1 FROM search_authors@ WHERE author IN \
        ($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) LIMIT $1) AS a";
    let mut args = row![most];
    args.extend(authors(persons));
    read(SQL, args, |cells| cells.count())
}

/// The issues that a commit of the repository with this number names, without those that it was only linked to; in their
/// order.
pub fn issues_of_commit(sha: CommitSha, number: Position) -> Read<NamedIn> {
    const SQL: &str = "\
        SELECT n.project, n.issue, n.committed_at FROM search_commits@ n CROSS JOIN search_repositories@ r \
        WHERE n.sha = $1 AND n.repository_number = $2 AND r.number = n.repository_number AND r.to_position IS NULL \
        ORDER BY n.project, n.issue";
    read(SQL, row![sha, number], |cells| {
        let key = IssueKey { project: cells.text()?.into(), number: cells.count()? };
        Ok(NamedIn { key, committed_at: Timestamp::from_seconds(cells.int()?) })
    })
}

/// The commits that a name may stand for and that name an issue, with the repositories that are there and have them, or only
/// in the one with this number; in the order (repository's number, commit). Those that were only linked to one are not
/// among them. Along the names of commits, whatever repositories there are.
pub fn holders_of_commit(name: CommitName, number: Option<Position>, limit: u32) -> Read<Holder> {
    const SQL: &str = "\
        SELECT DISTINCT r.repository, n.sha, n.repository_number \
        FROM search_commits@ n CROSS JOIN search_repositories@ r \
        WHERE n.sha >= $1 AND n.sha <= $2 AND n.repository_number > 0 \
        AND (CAST($3 AS BIGINT) IS NULL OR n.repository_number = CAST($3 AS BIGINT)) \
        AND r.number = n.repository_number AND r.to_position IS NULL \
        ORDER BY n.repository_number, n.sha LIMIT $4";
    read(SQL, row![name.low, name.high, number, limit], |cells| {
        Ok(Holder { repository: RepositoryId(cells.id()?), sha: cells.commit()? })
    })
}
