//! Which repositories a key is associated with. A repository has one at most, and a retired key keeps its own.

use keytrail_domain::{
    id::{RepositoryId, SshKeyId},
    recorded::Position,
};

use super::SshKeyList;
use crate::{
    row,
    stored::Stored,
    value::{BadRow, Cells, Row},
    view::{History, Kind, Read, Table},
};

pub(super) const ASSOCIATIONS: Table = Table {
    name: "ssh_key_associations",
    columns: &[("repository", Kind::Bytes), ("ssh_key", Kind::Bytes), ("position", Kind::Int)],
    key: 1,
    history: History::None,
    indexes: &[&["ssh_key", "position", "repository"]],
};

/// A repository and the key that is associated with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Association {
    /// Which repository.
    pub repository: RepositoryId,
    /// Which key.
    pub key: SshKeyId,
    /// Since when.
    pub position: Position,
}

impl Stored for Association {
    const TABLE: &'static Table = &ASSOCIATIONS;

    fn read(cells: &mut Cells<'_>) -> Result<Self, BadRow> {
        Ok(Self { repository: RepositoryId(cells.id()?), key: SshKeyId(cells.id()?), position: cells.int()? })
    }

    fn row(&self) -> Row {
        row![self.repository, self.key, self.position]
    }
}

/// The repositories that a key is associated with, in the order in which that was said.
pub fn associations(key: SshKeyId, limit: u32) -> Read<Association> {
    Read {
        view: &SshKeyList,
        sql: "SELECT repository, ssh_key, position FROM ssh_key_associations@ \
              WHERE ssh_key = $1 ORDER BY position, repository LIMIT $2",
        args: row![key, limit],
        row: Association::read,
    }
}

/// With how many repositories each of the keys from the first id to the last is associated; those without any are left out.
pub fn association_counts(first: SshKeyId, last: SshKeyId) -> Read<(SshKeyId, u64)> {
    Read {
        view: &SshKeyList,
        sql: "SELECT ssh_key, COUNT(*) FROM ssh_key_associations@ WHERE ssh_key BETWEEN $1 AND $2 GROUP BY ssh_key",
        args: row![first, last],
        row: |cells| Ok((SshKeyId(cells.id()?), cells.count()?)),
    }
}
