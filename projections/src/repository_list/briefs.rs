//! The little that is asked of many repositories at once: whose each is and where it is in its life. Asked by who follows
//! all of them; nothing is summed up.

use keytrail_domain::{
    id::{IndexRunId, IntegrationId, RepositoryId},
    recorded::Position,
};

use super::{RepositoryList, RepositoryState};
use crate::{
    row,
    value::{Cells, Row, Value},
    view::Read,
};

/// A repository, in short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Brief {
    /// Which.
    pub id: RepositoryId,
    /// The integration that sees it.
    pub integration: IntegrationId,
    /// Where it is in its life.
    pub state: RepositoryState,
    /// The run that was asked for last.
    pub last_run: Option<IndexRunId>,
    /// Whether its service lets nobody change it.
    pub archived: bool,
    /// The position at which it was first discovered: the order of the list.
    pub added_position: Position,
    /// The position of the last event that changed its row.
    pub position: Position,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT r.repository, r.integration, r.state, r.last_run, r.archived, r.added_position, r.position FROM repository_list@ r ",
            $rest
        )
    };
}

fn read(sql: &'static str, args: Row) -> Read<Brief> {
    let row = |cells: &mut Cells<'_>| {
        Ok(Brief {
            id: RepositoryId(cells.id()?),
            integration: IntegrationId(cells.id()?),
            state: cells.word()?,
            last_run: cells.maybe_id()?.map(IndexRunId),
            archived: cells.bool()?,
            added_position: cells.int()?,
            position: cells.int()?,
        })
    };
    Read { view: &RepositoryList, sql, args, row }
}

/// Those that changed after `after`, in the order of their last changes: the `position` of the last one says from where to
/// go on. From 0 on all of them, each once.
pub fn briefs_changed(after: Position, limit: u32) -> Read<Brief> {
    read(select!("WHERE r.position > $1 ORDER BY r.position LIMIT $2"), row![after, limit])
}

/// Those that this integration sees or saw, in the order of the list, from after `after` on.
pub fn briefs_of(integration: IntegrationId, after: Option<Position>, limit: u32) -> Read<Brief> {
    read(
        select!("WHERE r.integration = $3 AND r.added_position > $1 ORDER BY r.added_position LIMIT $2"),
        row![after.unwrap_or(0), limit, integration],
    )
}

/// What a repository is called, with what tells whether it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Which.
    pub id: RepositoryId,
    /// The integration that sees it.
    pub integration: IntegrationId,
    /// What a person calls it.
    pub name: String,
    /// Where it is in its life.
    pub state: RepositoryState,
}

/// How many can be asked for by [`named`] at once.
pub const MOST_NAMED: usize = 50;

/// The repositories with these ids, forgotten or not: at most [`MOST_NAMED`], what is more is not looked at.
pub fn named(ids: &[RepositoryId]) -> Read<Named> {
    let row = |cells: &mut Cells<'_>| {
        Ok(Named {
            id: RepositoryId(cells.id()?),
            integration: IntegrationId(cells.id()?),
            name: cells.text()?.to_owned(),
            state: cells.word()?,
        })
    };
    let sql = "SELECT r.repository, r.integration, r.name, r.state FROM repository_list@ r WHERE r.repository IN \
               ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, \
               $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41, $42, $43, $44, $45, $46, $47, $48, $49, $50) \
               ORDER BY r.repository";
    // A place that is left over asks for the first once more.
    let args = (0..MOST_NAMED).map(|n| Value::from(ids.get(n).or(ids.first()).copied())).collect();
    Read { view: &RepositoryList, sql, args, row }
}
