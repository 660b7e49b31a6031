//! How much of an issue is where and by whom, and one of its commits alone. Bounded: an issue that a hundred thousand
//! commits name costs what its latest ones cost.

use keytrail_domain::{
    id::{IntegrationId, RepositoryId},
    index_run::batch::CommitSha,
    issue_key::IssueKey,
    person::PersonId,
    recorded::Position,
    timestamp::Timestamp,
};

use super::{CommitCursor, IssueCommit, IssueCommits, commits_of_issue};
use crate::{
    row,
    value::{BadRow, Cells},
    view::Read,
};

/// What one person committed to one repository for an issue.
#[derive(Clone, Debug, PartialEq)]
pub struct IssueShare {
    /// The repository.
    pub repository: RepositoryId,
    /// What a person calls it.
    pub name: String,
    /// The integration that sees it.
    pub integration: IntegrationId,
    /// Who wrote the commits.
    pub author: PersonId,
    /// How many commits name the issue.
    pub commits: u64,
    /// To how many of them no ref leads any more.
    pub superseded: u64,
    /// When the first of them was committed.
    pub first_at: Timestamp,
    /// When the last of them was committed.
    pub last_at: Timestamp,
}

impl IssueShare {
    fn read(cells: &mut Cells<'_>) -> Result<Self, BadRow> {
        Ok(Self {
            repository: RepositoryId(cells.id()?),
            name: cells.text()?.to_owned(),
            integration: IntegrationId(cells.id()?),
            author: PersonId(cells.id()?),
            commits: cells.count()?,
            superseded: cells.count()?,
            first_at: Timestamp::from_seconds(cells.int()?),
            last_at: Timestamp::from_seconds(cells.int()?),
        })
    }
}

/// The shares of the `most` latest commits of an issue, in the order (repository's number, author). When their commits
/// are `most` together, there may be more.
pub fn shares_of_issue(issue: &IssueKey, as_of: Option<Position>, most: u32) -> Read<IssueShare> {
    const SQL: &str = "\
        SELECT c.repository, c.name, c.integration, c.author, COUNT(*), COUNT(s.sha), MIN(c.committed_at), \
        MAX(c.committed_at) \
        FROM (SELECT r.repository, r.name, r.integration, l.author, l.committed_at, l.repository_number, l.sha \
        FROM issue_commits@ l CROSS JOIN issue_repositories@ r \
        WHERE l.project = $1 AND l.issue = $2 AND l.from_position <= $3 \
        AND r.number = l.repository_number AND r.from_position <= $3 \
        AND (r.to_position IS NULL OR r.to_position > $3) \
        ORDER BY l.committed_at DESC, l.repository_number DESC, l.sha DESC LIMIT $4) c \
        LEFT JOIN superseded_commits@ s ON s.repository_number = c.repository_number AND s.sha = c.sha \
        AND s.from_position <= $3 AND (s.to_position IS NULL OR s.to_position > $3) \
        GROUP BY c.repository_number, c.repository, c.name, c.integration, c.author \
        ORDER BY c.repository_number, c.author";
    let args = row![issue.project.clone(), issue.number, as_of.unwrap_or(Position::MAX), most];
    Read { view: &IssueCommits, sql: SQL, args, row: IssueShare::read }
}

/// When the first commit of an issue was committed. At most one row.
pub fn first_of_issue(issue: &IssueKey, as_of: Option<Position>) -> Read<Timestamp> {
    const SQL: &str = "\
        SELECT c.committed_at FROM issue_commits@ c CROSS JOIN issue_repositories@ r \
        WHERE c.project = $1 AND c.issue = $2 AND c.from_position <= $3 \
        AND r.number = c.repository_number AND r.from_position <= $3 \
        AND (r.to_position IS NULL OR r.to_position > $3) \
        ORDER BY c.committed_at, c.repository_number, c.sha LIMIT 1";
    let args = row![issue.project.clone(), issue.number, as_of.unwrap_or(Position::MAX)];
    Read { view: &IssueCommits, sql: SQL, args, row: |cells| cells.int().map(Timestamp::from_seconds) }
}

/// The commit of an issue at this place. At most one row; another commit when there is none at the place.
pub fn commit_of_issue(issue: &IssueKey, at: CommitCursor) -> Read<IssueCommit> {
    commits_of_issue(issue, None, Some(next(at)), 1)
}

/// The position since which no ref leads to this commit of the repository with this number. No row while one does.
pub fn superseded_position(number: Position, sha: CommitSha) -> Read<Position> {
    const SQL: &str = "\
        SELECT s.from_position FROM superseded_commits@ s \
        WHERE s.repository_number = $1 AND s.sha = $2 AND s.to_position IS NULL";
    Read { view: &IssueCommits, sql: SQL, args: row![number, sha], row: |cells| cells.int() }
}

/// The place after this one, in the order of places.
fn next(mut at: CommitCursor) -> CommitCursor {
    for byte in at.sha.0.iter_mut().rev() {
        let is_over = *byte == u8::MAX;
        *byte = byte.wrapping_add(1);
        if !is_over {
            return at;
        }
    }
    CommitCursor { number: at.number.saturating_add(1), sha: CommitSha::default(), ..at }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake_store::check_read;

    #[test]
    fn the_next_place_is_one_further() {
        let at = |number, sha| CommitCursor { committed_at: Timestamp::from_seconds(7), number, sha: CommitSha(sha) };
        let mut carried = [0; 20];
        carried[18] = 1;
        let mut full = [0; 20];
        full[19] = u8::MAX;
        assert_eq!(next(at(1, full)), at(1, carried));
        assert_eq!(next(at(1, [u8::MAX; 20])), at(2, [0; 20]));
    }

    #[test]
    fn reads_fit_their_tables() {
        let key = IssueKey { project: "KEY".into(), number: 7 };
        let at = CommitCursor { committed_at: Timestamp::from_seconds(7), number: 1, sha: CommitSha([1; 20]) };
        check_read(&shares_of_issue(&key, Some(9), 10));
        check_read(&first_of_issue(&key, None));
        check_read(&commit_of_issue(&key, at));
        check_read(&superseded_position(1, CommitSha([1; 20])));
    }
}
