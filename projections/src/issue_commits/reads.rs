//! What can be asked of the index of commits. `as_of` asks what was known at a position; `None` is now.
//!
//! In SQLite `CROSS JOIN` keeps the order of the tables, so that an issue's commits are always looked at first;
//! PostgreSQL has statistics and orders them itself.

use keytrail_domain::{
    id::{IntegrationId, RepositoryId},
    index_run::batch::{CommitSha, Places},
    issue_key::IssueKey,
    person::PersonId,
    recorded::Position,
    timestamp::Timestamp,
};

use super::{IssueCommits, LinkDecision, OfIssue, decided::commits_of_decided_issue};
use crate::{
    row,
    ruled::{Rule, counts, project_rule},
    value::{BadRow, Cells, Row},
    view::Read,
};

/// A commit that names the issue.
#[derive(Clone, Debug, PartialEq)]
pub struct IssueCommit {
    /// Its name.
    pub sha: CommitSha,
    /// The number of its repository.
    pub number: Position,
    /// Its repository.
    pub repository: RepositoryId,
    /// What a person calls the repository.
    pub repository_name: String,
    /// The integration that sees the repository.
    pub integration: IntegrationId,
    /// Who wrote it.
    pub author: PersonId,
    /// When it was written, by the author's clock, to the second.
    pub authored_at: Timestamp,
    /// When it was committed, by the committer's clock, to the second.
    pub committed_at: Timestamp,
    /// The first paragraph of its message.
    pub subject: String,
    /// The best ref that it was reachable from when it was recorded; nothing of one that a person linked and that names
    /// no issue.
    pub introduced_by: Option<String>,
    /// Whether that was the default branch.
    pub on_default: bool,
    /// Where it names the issue.
    pub places: Places,
    /// The position since which this is known.
    pub from_position: Position,
    /// The position since which no ref leads to it any more, while that is so.
    pub superseded_position: Option<Position>,
    /// What a person decided about it and the issue, if that still holds.
    pub decision: Option<LinkDecision>,
}

/// Where a page of an issue's commits ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommitCursor {
    /// `committed_at` of the last row.
    pub committed_at: Timestamp,
    /// `number` of the last row.
    pub number: Position,
    /// `sha` of the last row.
    pub sha: CommitSha,
}

impl IssueCommit {
    /// The cursor of a page that ends with this row.
    pub const fn cursor(&self) -> CommitCursor {
        CommitCursor { committed_at: self.committed_at, number: self.number, sha: self.sha }
    }

    pub(super) fn read(cells: &mut Cells<'_>) -> Result<Self, BadRow> {
        Ok(Self {
            sha: cells.commit()?,
            number: cells.int()?,
            repository: RepositoryId(cells.id()?),
            repository_name: cells.text()?.to_owned(),
            integration: IntegrationId(cells.id()?),
            author: PersonId(cells.id()?),
            authored_at: Timestamp::from_seconds(cells.int()?),
            committed_at: Timestamp::from_seconds(cells.int()?),
            subject: cells.text()?.to_owned(),
            introduced_by: cells.maybe_text()?.map(str::to_owned),
            on_default: cells.bool()?,
            places: Places(u8::try_from(cells.int()?).map_err(|_| BadRow)?),
            from_position: cells.int()?,
            superseded_position: cells.maybe_int()?,
            decision: None,
        })
    }
}

/// How often a project is named.
#[derive(Clone, Debug, PartialEq)]
pub struct ProjectCount {
    /// The project key.
    pub project: String,
    /// How many of its issues are named.
    pub issues: u64,
    /// How many times a commit of a repository names one of them.
    pub links: u64,
    /// What the rules say of it. Single issues that are denied count in the sums.
    pub rule: Rule,
}

/// Where a page of projects ended.
#[derive(Clone, Debug, PartialEq)]
pub struct ProjectCursor {
    /// How many times the last one is named.
    pub links: u64,
    /// Its key.
    pub project: String,
}

impl ProjectCount {
    fn read(cells: &mut Cells<'_>) -> Result<Self, BadRow> {
        Ok(Self {
            project: cells.text()?.to_owned(),
            issues: cells.count()?,
            links: cells.count()?,
            rule: cells.word()?,
        })
    }
}

fn read<T>(sql: &'static str, args: Row, row: fn(&mut Cells<'_>) -> Result<T, BadRow>) -> Read<T> {
    Read { view: &IssueCommits, sql, args, row }
}

/// What the index found of the issue `$1`-`$2` as of `$3`, where the rules let it count and nobody decided anything.
macro_rules! plain {
    () => {
        concat!(
            "FROM issue_commits@ c CROSS JOIN issue_repositories@ r ",
            "LEFT JOIN superseded_commits@ s ON s.repository_number = c.repository_number AND s.sha = c.sha ",
            "AND s.from_position <= $3 AND (s.to_position IS NULL OR s.to_position > $3) ",
            "WHERE c.project = $1 AND c.issue = $2 AND c.from_position <= $3 ",
            "AND r.number = c.repository_number AND r.from_position <= $3 ",
            "AND (r.to_position IS NULL OR r.to_position > $3) ",
            "AND NOT EXISTS (SELECT 1 FROM commit_decisions@ d WHERE d.project = $1 AND d.issue = $2) ",
            counts!("issue_rules")
        )
    };
}

pub(super) use plain;

pub(super) fn position(as_of: Option<Position>) -> Position {
    // Nothing ended at a position that was not reached: the last one is now.
    as_of.unwrap_or(Position::MAX)
}

/// The commits of an issue, newest first, from after `after` on; of one second the latest repository's first. Those that
/// were unlinked too, when `with_unlinked`.
pub fn page_of_issue(
    issue: &IssueKey,
    as_of: Option<Position>,
    after: Option<CommitCursor>,
    with_unlinked: bool,
    limit: u32,
) -> OfIssue<IssueCommit> {
    OfIssue {
        plain: commits_of_issue(issue, as_of, after, limit),
        decided: commits_of_decided_issue(issue, as_of, after, with_unlinked, limit),
    }
}

/// The plain way of [`page_of_issue`]: none when the rules leave the issue out, and none when persons decided anything about
/// its commits.
pub fn commits_of_issue(
    issue: &IssueKey,
    as_of: Option<Position>,
    after: Option<CommitCursor>,
    limit: u32,
) -> Read<IssueCommit> {
    const SQL: &str = concat!(
        "SELECT c.sha, c.repository_number, r.repository, r.name, r.integration, c.author, c.authored_at, ",
        "c.committed_at, c.subject, c.introduced_by, c.on_default, c.places, c.from_position, s.from_position ",
        plain!(),
        "AND (c.committed_at, c.repository_number, c.sha) < ($4, $5, $6) ",
        "ORDER BY c.committed_at DESC, c.repository_number DESC, c.sha DESC LIMIT $7"
    );
    read(SQL, page_args(issue, as_of, after, limit), IssueCommit::read)
}

/// The arguments of a page: issue, position, cursor, limit.
pub(super) fn page_args(issue: &IssueKey, as_of: Option<Position>, after: Option<CommitCursor>, limit: u32) -> Row {
    let (project, number) = (issue.project.clone(), issue.number);
    let as_of = position(as_of);
    match after {
        None => row![project, number, as_of, i64::MAX, i64::MAX, [].as_slice(), limit],
        Some(CommitCursor { committed_at, number: repository, sha }) => {
            row![project, number, as_of, committed_at.seconds(), repository, sha, limit]
        }
    }
}

/// The commits of the repository with this number that no ref leads to any more, in the order of their names, from after
/// `after` on.
pub fn superseded_of_repository(number: Position, after: Option<CommitSha>, limit: u32) -> Read<CommitSha> {
    const SQL: &str = "\
        SELECT s.sha FROM superseded_commits@ s \
        WHERE s.repository_number = $1 AND s.sha > $2 AND s.to_position IS NULL ORDER BY s.sha LIMIT $3";
    let after: &[u8] = after.as_ref().map_or(&[], |sha| &sha.0);
    read(SQL, row![number, after, limit], |cells| cells.commit())
}

/// A place among the commits of a repository that name an issue, and the commit there. One that names several issues has
/// several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamingCommit {
    /// The issue's project.
    pub project: String,
    /// The issue's number.
    pub issue: i64,
    /// When it was committed; seconds since 1970.
    pub committed_at: i64,
    /// The commit.
    pub sha: CommitSha,
}

/// The commits of the repository with this number that name an issue, from after `after` on.
pub fn commits_of_repository(number: Position, after: Option<NamingCommit>, limit: u32) -> Read<NamingCommit> {
    const SQL: &str = "\
        SELECT c.project, c.issue, c.committed_at, c.sha FROM issue_commits@ c WHERE c.repository_number = $1 \
        AND (c.project, c.issue, c.committed_at, c.sha) > ($2, $3, $4, $5) \
        ORDER BY c.project, c.issue, c.committed_at, c.sha LIMIT $6";
    let args = match after {
        None => row![number, "", i64::MIN, i64::MIN, [].as_slice(), limit],
        Some(at) => row![number, at.project, at.issue, at.committed_at, at.sha, limit],
    };
    read(SQL, args, |cells| {
        let (project, issue, committed_at) = (cells.text()?.to_owned(), cells.int()?, cells.int()?);
        Ok(NamingCommit { project, issue, committed_at, sha: cells.commit()? })
    })
}

/// Around the sums of projects: what the rules say of each, and only those that count unless `$1` is 1; from behind the place
/// `$3`, `$4` on.
macro_rules! ruled_projects {
    ($sums:literal) => {
        concat!(
            "SELECT t.project, t.issues, t.links, t.said FROM (SELECT p.project AS project, p.issues AS issues, ",
            "p.links AS links, ",
            project_rule!("issue_rules", "p.project"),
            " AS said FROM (SELECT c.project AS project, COUNT(DISTINCT c.issue) AS issues, COUNT(*) AS links ",
            $sums,
            " GROUP BY c.project) p) t WHERE (CAST($1 AS BIGINT) = 1 OR t.said = 'counts') ",
            "AND (t.links < $3 OR (t.links = $3 AND t.project > $4)) ORDER BY t.links DESC, t.project LIMIT $2"
        )
    };
}

/// The arguments of a page of projects: all, limit, place.
fn project_args(all: bool, after: Option<ProjectCursor>, limit: u32) -> Row {
    match after {
        None => row![all, limit, i64::MAX, ""],
        Some(ProjectCursor { links, project }) => row![all, limit, links, project],
    }
}

/// The projects that the commits of a repository name, the most named first, from behind `after` on; those that the rules
/// leave out too, when `all`.
pub fn projects_of_repository(
    repository: RepositoryId,
    all: bool,
    after: Option<ProjectCursor>,
    limit: u32,
) -> Read<ProjectCount> {
    const SQL: &str = ruled_projects!(
        "FROM issue_commits@ c WHERE c.repository_number = \
         (SELECT r.number FROM issue_repositories@ r WHERE r.repository = $5 AND r.to_position IS NULL)"
    );
    let mut args = project_args(all, after, limit);
    args.extend(row![repository]);
    read(SQL, args, ProjectCount::read)
}

/// The projects that all repositories' commits name, the most named first, from behind `after` on; those that the rules
/// leave out too, when `all`. Looks at every commit: for summaries, not for pages that people wait for.
pub fn top_projects(all: bool, after: Option<ProjectCursor>, limit: u32) -> Read<ProjectCount> {
    const SQL: &str = ruled_projects!(
        "FROM issue_commits@ c CROSS JOIN issue_repositories@ r WHERE r.number = c.repository_number \
         AND r.to_position IS NULL"
    );
    read(SQL, project_args(all, after, limit), ProjectCount::read)
}
