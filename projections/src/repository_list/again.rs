//! What somebody asked of all repositories of an integration at once, that they be indexed again or from their beginning,
//! and how far that is. Asked by who watches it; nothing is counted up. What ended once stays ended, whatever is asked of
//! the same repositories later.

use keytrail_domain::{id::IntegrationId, recorded::Position, timestamp::Timestamp};

use super::RepositoryList;
use crate::{
    row,
    value::{Cells, Row},
    view::Read,
};

/// A request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Of which integration.
    pub integration: IntegrationId,
    /// Where it was asked for.
    pub asked: Position,
    /// When.
    pub asked_at: Timestamp,
}

macro_rules! requests {
    ($rest:expr) => {
        concat!(
            "SELECT a.integration, a.asked, a.asked_at FROM repository_list_requests@ a WHERE a.reset = $1 AND ",
            $rest
        )
    };
}

fn requests(sql: &'static str, args: Row) -> Read<Request> {
    let row = |cells: &mut Cells<'_>| {
        Ok(Request { integration: IntegrationId(cells.id()?), asked: cells.int()?, asked_at: cells.time()? })
    };
    Read { view: &RepositoryList, sql, args, row }
}

/// What was asked of this integration at this position: a reset, or an index. At most one row.
pub fn request(is_reset: bool, integration: IntegrationId, asked: Position) -> Read<Request> {
    requests(requests!("a.integration = $2 AND a.asked = $3"), row![is_reset, integration, asked])
}

/// The repositories that request `a` is about.
macro_rules! about {
    ($integration:literal, $asked:literal) => {
        concat!(
            "FROM repository_list@ r WHERE r.integration = ",
            $integration,
            " AND r.seen_position <= ",
            $asked,
            " AND r.state NOT IN ('forgotten', 'refused')"
        )
    };
}

/// The runs of repository `r` that count for a request. A run that was under way then counts for an index: what it finds is
/// new, too. The position of a reset is the repository's number, so that only a run after a later reset counts for one.
macro_rules! counting {
    ($column:literal, $asked:literal) => {
        concat!("FROM repository_list_runs@ u WHERE u.repository = r.repository AND u.", $column, " > ", $asked)
    };
}

macro_rules! open {
    ($column:literal) => {
        requests!(concat!(
            "a.cancelled = 0 AND (a.integration < $2 OR (a.integration = $2 AND a.asked < $3)) ",
            "AND EXISTS (SELECT 1 ",
            about!("a.integration", "a.asked"),
            " AND NOT EXISTS (SELECT 1 ",
            counting!($column, "a.asked"),
            ")) ORDER BY a.integration DESC, a.asked DESC LIMIT $4"
        ))
    };
}

/// The requests of which some run has not ended, from this one (integration and position) down: the latest of the last
/// integration first.
pub fn under_way(is_reset: bool, below: (IntegrationId, Position), limit: u32) -> Read<Request> {
    let sql = if is_reset { open!("number") } else { open!("ended_position") };
    requests(sql, row![is_reset, below.0, below.1, limit])
}

/// How far a request is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Again {
    /// Repositories that the integration saw then and sees now, and that can be indexed.
    pub repositories: u64,
    /// Of these, those of which a run has ended since.
    pub ended: u64,
    /// Of those, those of which the first such run failed.
    pub failed: u64,
    /// Of those, those of which somebody cancelled it.
    pub cancelled: u64,
}

macro_rules! far {
    ($column:literal) => {
        concat!(
            "SELECT COUNT(*), COUNT(f.outcome), COUNT(CASE WHEN f.outcome = 'failed' THEN 1 END), ",
            "COUNT(CASE WHEN f.outcome = 'cancelled' THEN 1 END) FROM (SELECT (SELECT u.outcome ",
            counting!($column, "$2"),
            " ORDER BY u.ended_position, u.number, u.run LIMIT 1) AS outcome ",
            about!("$1", "$2"),
            ") f"
        )
    };
}

fn far(sql: &'static str, args: Row) -> Read<Again> {
    let row = |cells: &mut Cells<'_>| {
        Ok(Again {
            repositories: cells.count()?,
            ended: cells.count()?,
            failed: cells.count()?,
            cancelled: cells.count()?,
        })
    };
    Read { view: &RepositoryList, sql, args, row }
}

/// Since somebody asked, at this position, that the repositories of an integration be looked at again. One row.
pub fn reindexed(integration: IntegrationId, asked: Position) -> Read<Again> {
    far(far!("ended_position"), row![integration, asked])
}

/// Since somebody asked, at this position, that the repositories of an integration be reset. One row.
pub fn reset(integration: IntegrationId, asked: Position) -> Read<Again> {
    far(far!("number"), row![integration, asked])
}
