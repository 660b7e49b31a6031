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

use super::{
    CommitCursor, IssueCommit, IssueCommits, OfIssue,
    decided::{first_of_decided_issue, shares_of_decided_issue},
    page_of_issue,
    reads::{plain, position},
};
use crate::{
    row,
    ruled::counts,
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
    pub(super) fn read(cells: &mut Cells<'_>) -> Result<Self, BadRow> {
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
/// are `most` together, there may be more. None when the rules leave the issue out.
pub fn shares_of_issue(issue: &IssueKey, as_of: Option<Position>, most: u32) -> OfIssue<IssueShare> {
    const SQL: &str = concat!(
        "SELECT t.repository, t.name, t.integration, t.author, COUNT(*), COUNT(t.superseded), MIN(t.committed_at), ",
        "MAX(t.committed_at) FROM (SELECT c.repository_number AS number, r.repository AS repository, r.name AS name, ",
        "r.integration AS integration, c.author AS author, s.sha AS superseded, c.committed_at AS committed_at ",
        plain!(),
        "ORDER BY c.committed_at DESC, c.repository_number DESC, c.sha DESC LIMIT $4) t ",
        "GROUP BY t.number, t.repository, t.name, t.integration, t.author ORDER BY t.number, t.author"
    );
    let args = row![issue.project.clone(), issue.number, position(as_of), most];
    let plain = Read { view: &IssueCommits, sql: SQL, args, row: IssueShare::read };
    OfIssue { plain, decided: shares_of_decided_issue(issue, as_of, most) }
}

/// When the first commit of an issue was committed. At most one row; none when the rules leave the issue out.
pub fn first_of_issue(issue: &IssueKey, as_of: Option<Position>) -> OfIssue<Timestamp> {
    const SQL: &str =
        concat!("SELECT c.committed_at ", plain!(), "ORDER BY c.committed_at, c.repository_number, c.sha LIMIT 1");
    let args = row![issue.project.clone(), issue.number, position(as_of)];
    let plain = Read { view: &IssueCommits, sql: SQL, args, row: |cells| cells.int().map(Timestamp::from_seconds) };
    OfIssue { plain, decided: first_of_decided_issue(issue, as_of) }
}

/// The commit of an issue at this place. At most one row; another commit when there is none at the place.
pub fn commit_of_issue(issue: &IssueKey, at: CommitCursor) -> OfIssue<IssueCommit> {
    page_of_issue(issue, None, Some(next(at)), false, 1)
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
        let (shares, first, one) =
            (shares_of_issue(&key, Some(9), 10), first_of_issue(&key, None), commit_of_issue(&key, at));
        [shares.plain, shares.decided].iter().for_each(check_read);
        [first.plain, first.decided].iter().for_each(check_read);
        [one.plain, one.decided].iter().for_each(check_read);
        check_read(&superseded_position(1, CommitSha([1; 20])));
    }
}
