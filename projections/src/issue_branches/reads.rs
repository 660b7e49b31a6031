//! What can be asked of the index of branches. `as_of` asks what was known at a position; `None` is now.

use keytrail_domain::{
    id::{IntegrationId, RepositoryId},
    index_run::batch::CommitSha,
    issue_key::IssueKey,
    recorded::Position,
};

use super::IssueBranches;
use crate::{
    row,
    ruled::counts,
    value::{BadRow, Cells, Row},
    view::Read,
};

/// A branch whose name carries the issue's key.
#[derive(Clone, Debug, PartialEq)]
pub struct IssueBranch {
    /// Its full name, such as `refs/heads/feature/KEY-1`.
    pub name: String,
    /// The commit it names.
    pub sha: CommitSha,
    /// The number of its repository.
    pub number: Position,
    /// Its repository.
    pub repository: RepositoryId,
    /// What a person calls the repository.
    pub repository_name: String,
    /// The integration that sees the repository.
    pub integration: IntegrationId,
    /// The position since which the branch is there.
    pub from_position: Position,
    /// The position since which it names this commit.
    pub moved_position: Position,
}

/// Where a page of an issue's branches ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BranchCursor {
    /// `number` of the last row.
    pub number: Position,
    /// `name` of the last row.
    pub name: String,
}

impl IssueBranch {
    /// The cursor of a page that ends with this row.
    pub fn cursor(&self) -> BranchCursor {
        BranchCursor { number: self.number, name: self.name.clone() }
    }

    fn read(cells: &mut Cells<'_>) -> Result<Self, BadRow> {
        Ok(Self {
            name: cells.text()?.to_owned(),
            sha: cells.commit()?,
            number: cells.int()?,
            repository: RepositoryId(cells.id()?),
            repository_name: cells.text()?.to_owned(),
            integration: IntegrationId(cells.id()?),
            from_position: cells.int()?,
            moved_position: cells.int()?,
        })
    }
}

/// A ref as the log knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct CurrentRef {
    /// Its full name.
    pub name: String,
    /// The commit it names, annotated tags peeled.
    pub sha: CommitSha,
}

impl CurrentRef {
    fn read(cells: &mut Cells<'_>) -> Result<Self, BadRow> {
        Ok(Self { name: cells.text()?.to_owned(), sha: cells.commit()? })
    }
}

fn read<T>(sql: &'static str, args: Row, row: fn(&mut Cells<'_>) -> Result<T, BadRow>) -> Read<T> {
    Read { view: &IssueBranches, sql, args, row }
}

/// The branches of an issue in the order (repository's number, name), from after `after` on. None when the rules leave the
/// issue out.
pub fn branches_of_issue(
    issue: &IssueKey,
    as_of: Option<Position>,
    after: Option<&BranchCursor>,
    limit: u32,
) -> Read<IssueBranch> {
    const SQL: &str = concat!(
        "SELECT l.name, f.sha, l.repository_number, r.repository, r.name, r.integration, l.from_position, ",
        "f.from_position ",
        "FROM issue_branch_links@ l CROSS JOIN branch_repositories@ r CROSS JOIN refs@ f ",
        "WHERE l.project = $1 AND l.issue = $2 AND (l.repository_number, l.name) > ($4, $5) ",
        "AND l.from_position <= $3 AND (l.to_position IS NULL OR l.to_position > $3) ",
        "AND r.number = l.repository_number ",
        "AND r.from_position <= $3 AND (r.to_position IS NULL OR r.to_position > $3) ",
        "AND f.repository_number = l.repository_number AND f.name = l.name ",
        "AND f.from_position <= $3 AND (f.to_position IS NULL OR f.to_position > $3) ",
        counts!("branch_rules"),
        "ORDER BY l.repository_number, l.name LIMIT $6"
    );
    let (number, name) = after.map_or((i64::MIN, ""), |after| (after.number, after.name.as_str()));
    let as_of = as_of.unwrap_or(Position::MAX);
    read(SQL, row![issue.project.clone(), issue.number, as_of, number, name, limit], IssueBranch::read)
}

/// The refs that are there under a repository's number, in the bytewise order of their names, from after `after` on.
pub fn refs_of_repository(
    number: Position,
    as_of: Option<Position>,
    after: Option<&str>,
    limit: u32,
) -> Read<CurrentRef> {
    const SQL: &str = "\
        SELECT name, sha FROM refs@ \
        WHERE repository_number = $1 AND name > $2 \
        AND from_position <= $4 AND (to_position IS NULL OR to_position > $4) \
        ORDER BY name LIMIT $3";
    let as_of = as_of.unwrap_or(Position::MAX);
    read(SQL, row![number, after.unwrap_or(""), limit, as_of], CurrentRef::read)
}
