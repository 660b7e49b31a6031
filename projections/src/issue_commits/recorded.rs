//! Reads of the index by the name of a commit: for questions about one commit, not for pages that people wait for.

use keytrail_domain::{
    index_run::batch::{CommitName, CommitSha, Places},
    issue_key::IssueKey,
    person::PersonId,
    recorded::Position,
};

use super::IssueCommits;
use crate::{
    row,
    value::{BadRow, Cells},
    view::Read,
};

/// An issue that a commit names, and what is shown of the commit.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedKey {
    /// The issue.
    pub issue: IssueKey,
    /// Where the commit names it.
    pub places: Places,
    /// Which version of the grammar found it.
    pub extractor: u32,
    /// Who wrote the commit.
    pub author: PersonId,
    /// When it was written; seconds since 1970.
    pub authored_at: i64,
    /// When it was committed; seconds since 1970.
    pub committed_at: i64,
    /// The first paragraph of its message.
    pub subject: String,
    /// The best ref that it was reachable from when it was recorded.
    pub introduced_by: String,
    /// Whether that was the default branch.
    pub on_default: bool,
}

impl RecordedKey {
    fn read(cells: &mut Cells<'_>) -> Result<Self, BadRow> {
        Ok(Self {
            issue: IssueKey { project: cells.text()?.into(), number: cells.count()? },
            places: Places(u8::try_from(cells.int()?).map_err(|_| BadRow)?),
            extractor: cells.small()?,
            author: PersonId(cells.id()?),
            authored_at: cells.int()?,
            committed_at: cells.int()?,
            subject: cells.text()?.to_owned(),
            introduced_by: cells.text()?.to_owned(),
            on_default: cells.bool()?,
        })
    }
}

/// The issues that a commit of the repository with this number names, whatever the rules say, in their order. None of a
/// commit that names none. Looks at all of the repository in one index.
pub fn keys_of_commit(number: Position, sha: CommitSha, limit: u32) -> Read<RecordedKey> {
    const SQL: &str = "\
        SELECT c.project, c.issue, c.places, c.extractor, c.author, c.authored_at, c.committed_at, c.subject, \
        c.introduced_by, c.on_default FROM issue_commits@ c WHERE c.repository_number = $1 AND c.sha = $2 \
        ORDER BY c.project, c.issue LIMIT $3";
    Read { view: &IssueCommits, sql: SQL, args: row![number, sha, limit], row: RecordedKey::read }
}

/// The commits of the repository with this number that name an issue and may be the one that is meant. Looks at all of
/// the repository in one index.
pub fn commits_called(number: Position, name: CommitName, limit: u32) -> Read<CommitSha> {
    const SQL: &str = "\
        SELECT DISTINCT c.sha FROM issue_commits@ c WHERE c.repository_number = $1 AND c.sha >= $2 AND c.sha <= $3 \
        ORDER BY c.sha LIMIT $4";
    Read { view: &IssueCommits, sql: SQL, args: row![number, name.low, name.high, limit], row: |cells| cells.commit() }
}
