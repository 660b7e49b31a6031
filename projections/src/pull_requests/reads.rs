//! What can be asked of pull requests. `as_of` asks what was known at a position; `None` is now.

use keytrail_domain::{
    id::{IntegrationId, RepositoryId},
    issue_key::IssueKey,
    person::PersonId,
    pull_request::{Places, Verdict},
    recorded::Position,
    timestamp::Timestamp,
};

use super::PullRequests;
use crate::{
    row,
    ruled::counts,
    value::{BadRow, Cells, Row},
    view::Read,
    word::words,
};

words! {
    /// Where a pull request is in its life.
    PullState {
        /// It waits.
        Open = "open",
        /// It was closed, and nothing came of it.
        Closed = "closed",
        /// It is in its target branch.
        Merged = "merged",
        /// Its service has it no more.
        Deleted = "deleted",
    }
}

/// A pull request that names the issue.
#[derive(Clone, Debug, PartialEq)]
pub struct IssuePullRequest {
    /// Its repository.
    pub repository: RepositoryId,
    /// What a person calls the repository.
    pub repository_name: String,
    /// The integration that sees the repository.
    pub integration: IntegrationId,
    /// Where a browser finds the repository.
    pub page: String,
    /// Its number there.
    pub number: u64,
    /// Its title.
    pub title: String,
    /// Where it is in its life.
    pub state: PullState,
    /// Whether it is not meant to be merged yet.
    pub draft: bool,
    /// The branch that it would merge.
    pub source: String,
    /// The branch that it would merge into.
    pub target: String,
    /// Who opened it.
    pub author: Option<PersonId>,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// When it was merged.
    pub merged_at: Option<Timestamp>,
    /// When it was closed, merged or not.
    pub closed_at: Option<Timestamp>,
    /// When it was learned that it was deleted.
    pub deleted_at: Option<Timestamp>,
    /// Where it names the issue.
    pub places: Places,
    /// The position since which it is so.
    pub position: Position,
}

/// Where a page of an issue's pull requests ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PullCursor {
    /// `created_at` of the last row, as its link has it.
    pub created_at: Timestamp,
    /// `repository` of the last row.
    pub repository: RepositoryId,
    /// `number` of the last row.
    pub number: u64,
}

impl IssuePullRequest {
    /// The cursor of a page that ends with this row.
    pub const fn cursor(&self) -> PullCursor {
        PullCursor { created_at: self.created_at, repository: self.repository, number: self.number }
    }

    fn read(cells: &mut Cells<'_>) -> Result<Self, BadRow> {
        Ok(Self {
            repository: RepositoryId(cells.id()?),
            repository_name: cells.text()?.to_owned(),
            integration: IntegrationId(cells.id()?),
            page: cells.text()?.to_owned(),
            number: cells.count()?,
            title: cells.text()?.to_owned(),
            state: cells.word()?,
            draft: cells.bool()?,
            source: cells.text()?.to_owned(),
            target: cells.text()?.to_owned(),
            author: cells.maybe_id()?.map(PersonId),
            created_at: cells.time()?,
            updated_at: cells.time()?,
            merged_at: cells.maybe_time()?,
            closed_at: cells.maybe_time()?,
            deleted_at: cells.maybe_time()?,
            places: Places(u8::try_from(cells.int()?).map_err(|_| BadRow)?),
            position: cells.int()?,
        })
    }
}

/// A review of a pull request.
#[derive(Clone, Debug, PartialEq)]
pub struct PullReview {
    /// Of which repository.
    pub repository: RepositoryId,
    /// Of which number there.
    pub number: u64,
    /// Whose it is.
    pub reviewer: Option<PersonId>,
    /// What it says.
    pub verdict: Verdict,
    /// When it was said.
    pub at: Timestamp,
}

impl PullReview {
    fn read(cells: &mut Cells<'_>) -> Result<Self, BadRow> {
        Ok(Self {
            repository: RepositoryId(cells.id()?),
            number: cells.count()?,
            reviewer: cells.maybe_id()?.map(PersonId),
            verdict: cells.word()?,
            at: cells.time()?,
        })
    }
}

fn read<T>(sql: &'static str, args: Row, row: fn(&mut Cells<'_>) -> Result<T, BadRow>) -> Read<T> {
    Read { view: &PullRequests, sql, args, row }
}

/// The pull requests that name an issue, the latest first, from after `after` on; those that were deleted, too. None when
/// the rules leave the issue out.
pub fn pull_requests_of_issue(
    issue: &IssueKey,
    as_of: Option<Position>,
    after: Option<PullCursor>,
    limit: u32,
) -> Read<IssuePullRequest> {
    const SQL: &str = concat!(
        "SELECT l.repository, r.name, r.integration, r.page, l.number, p.title, p.state, p.draft, p.source, p.target, ",
        "p.author, l.created_at, p.updated_at, p.merged_at, p.closed_at, p.deleted_at, l.places, p.from_position ",
        "FROM pull_request_links@ l CROSS JOIN pull_request_repositories@ r CROSS JOIN pull_requests@ p ",
        "WHERE l.project = $1 AND l.issue = $2 AND (l.created_at, l.repository, l.number) < ($4, $5, $6) ",
        "AND l.from_position <= $3 AND (l.to_position IS NULL OR l.to_position > $3) ",
        "AND r.repository = l.repository ",
        "AND r.from_position <= $3 AND (r.to_position IS NULL OR r.to_position > $3) ",
        "AND p.repository = l.repository AND p.number = l.number ",
        "AND p.from_position <= $3 AND (p.to_position IS NULL OR p.to_position > $3) ",
        counts!("pull_request_rules"),
        "ORDER BY l.created_at DESC, l.repository DESC, l.number DESC LIMIT $7"
    );
    let (project, number, as_of) = (issue.project.clone(), issue.number, as_of.unwrap_or(Position::MAX));
    let args = match after {
        None => row![project, number, as_of, i64::MAX, [].as_slice(), i64::MAX, limit],
        Some(after) => row![project, number, as_of, after.created_at, after.repository, after.number, limit],
    };
    read(SQL, args, IssuePullRequest::read)
}

/// The reviews of an issue's pull requests from one place of the list to another, both with them; of each the first first.
/// It may be asked only of what was listed: the rules are not asked again.
pub fn reviews_of_issue(
    issue: &IssueKey,
    as_of: Option<Position>,
    from: PullCursor,
    to: PullCursor,
) -> Read<PullReview> {
    const SQL: &str = "\
        SELECT l.repository, l.number, v.reviewer, v.verdict, v.reviewed_at \
        FROM pull_request_links@ l CROSS JOIN pull_request_reviews@ v \
        WHERE l.project = $1 AND l.issue = $2 AND (l.created_at, l.repository, l.number) <= ($4, $5, $6) \
        AND (l.created_at, l.repository, l.number) >= ($7, $8, $9) \
        AND l.from_position <= $3 AND (l.to_position IS NULL OR l.to_position > $3) \
        AND v.repository = l.repository AND v.number = l.number \
        AND v.from_position <= $3 AND (v.to_position IS NULL OR v.to_position > $3) \
        ORDER BY l.created_at DESC, l.repository DESC, l.number DESC, v.reviewed_at, v.review";
    let args = row![
        issue.project.clone(),
        issue.number,
        as_of.unwrap_or(Position::MAX),
        from.created_at,
        from.repository,
        from.number,
        to.created_at,
        to.repository,
        to.number
    ];
    read(SQL, args, PullReview::read)
}

/// The numbers of a repository's pull requests that are not deleted, from after `after` on.
pub fn numbers_of_repository(repository: RepositoryId, after: u64, limit: u32) -> Read<u64> {
    const SQL: &str = "\
        SELECT p.number FROM pull_requests@ p WHERE p.repository = $1 AND p.number > $2 AND p.to_position IS NULL \
        AND p.state <> 'deleted' ORDER BY p.number LIMIT $3";
    read(SQL, row![repository, after, limit], |cells| cells.count())
}
