//! How far an integration is with indexing its repositories again, or from their beginning, since that was asked for.
//! Asked by who watches it; nothing is counted up.

use keytrail_domain::{id::IntegrationId, recorded::Position};

use super::RepositoryList;
use crate::{
    row,
    value::{Cells, Row},
    view::Read,
};

/// How far it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Again {
    /// Repositories that the integration saw then and sees now, and that can be indexed.
    pub repositories: u64,
    /// Of these, those of which a run has ended since.
    pub ended: u64,
    /// Of those, those of which the last run failed.
    pub failed: u64,
}

macro_rules! select {
    ($ended:literal) => {
        concat!(
            "SELECT COUNT(*), COUNT(CASE WHEN ",
            $ended,
            " THEN 1 END), COUNT(CASE WHEN ",
            $ended,
            " AND r.state = 'failed' THEN 1 END) FROM repository_list@ r ",
            "WHERE r.integration = $1 AND r.added_position <= $2 AND r.state NOT IN ('forgotten', 'refused')"
        )
    };
}

fn read(sql: &'static str, args: Row) -> Read<Again> {
    let row = |cells: &mut Cells<'_>| {
        Ok(Again { repositories: cells.count()?, ended: cells.count()?, failed: cells.count()? })
    };
    Read { view: &RepositoryList, sql, args, row }
}

/// Since somebody asked, at this position, that the repositories of an integration be looked at again. One row. A run that
/// was under way then counts: what it finds is new, too.
pub fn reindexed(integration: IntegrationId, asked: Position) -> Read<Again> {
    read(select!("r.ended_position > $2"), row![integration, asked])
}

/// Since somebody asked, at this position, that the repositories of an integration be reset. One row. The position of a
/// reset is the repository's number: only a run that ended after its own reset counts.
pub fn reset(integration: IntegrationId, asked: Position) -> Read<Again> {
    read(select!("r.number > $2 AND r.ended_position > r.number"), row![integration, asked])
}
