//! What the index has of one commit that names an issue, whatever the rules say and whoever decided otherwise.

use keytrail_domain::{issue_key::IssueKey, person::PersonId};

use super::{CommitCursor, IssueCommits};
use crate::{
    row,
    value::{BadRow, Cells},
    view::Read,
};

/// What is shown of a commit.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedCommit {
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

impl RecordedCommit {
    fn read(cells: &mut Cells<'_>) -> Result<Self, BadRow> {
        Ok(Self {
            author: PersonId(cells.id()?),
            authored_at: cells.int()?,
            committed_at: cells.int()?,
            subject: cells.text()?.to_owned(),
            introduced_by: cells.text()?.to_owned(),
            on_default: cells.bool()?,
        })
    }
}

/// The commit at this place among those that name the issue. At most one row.
pub fn recorded_commit(issue: &IssueKey, at: CommitCursor) -> Read<RecordedCommit> {
    const SQL: &str = "\
        SELECT c.author, c.authored_at, c.committed_at, c.subject, c.introduced_by, c.on_default FROM issue_commits@ c \
        WHERE c.project = $1 AND c.issue = $2 AND c.committed_at = $3 AND c.repository_number = $4 AND c.sha = $5";
    let args = row![issue.project.clone(), issue.number, at.committed_at.seconds(), at.number, at.sha];
    Read { view: &IssueCommits, sql: SQL, args, row: RecordedCommit::read }
}
