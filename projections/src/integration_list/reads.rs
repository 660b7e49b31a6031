//! What can be asked of the list of integrations.

use keytrail_domain::{
    id::{IntegrationId, SshKeyId},
    recorded::{Position, Sequence},
    remote_url::RemoteUrl,
    service::Connection,
    timestamp::Timestamp,
    web_links::WebLinks,
};

use super::{INTEGRATIONS, IntegrationList};
use crate::{
    row,
    stored::Stored,
    value::{BadRow, Cells, Row},
    view::{Read, Table},
    word::words,
};

words! {
    /// Where an integration is in its life.
    IntegrationState {
        /// It looks for changes.
        Active = "active",
        /// A person stopped it.
        Paused = "paused",
        /// It is gone for good.
        Removed = "removed",
    }
}

/// An integration.
#[derive(Clone, Debug, PartialEq)]
pub struct Integration {
    /// Which.
    pub id: IntegrationId,
    /// Its name.
    pub name: String,
    /// Its name as it is compared.
    pub folded_name: String,
    /// The stable word of the git service.
    pub kind: String,
    /// Where it connects to.
    pub location: String,
    /// What is the same for all ways of writing that place: at most one live integration has it.
    pub place: String,
    /// How it connects there; it names secrets and holds none.
    pub connection: Connection,
    /// Which links its repositories have.
    pub web_links: WebLinks,
    /// Where it is in its life.
    pub state: IntegrationState,
    /// Since when it is in that state.
    pub since: Timestamp,
    /// When it was added.
    pub added_at: Timestamp,
    /// The position at which it was added: the order of the list.
    pub added_position: Position,
    /// The sequence of the last event of its stream: its ETag.
    pub version: Sequence,
    /// The position of that event.
    pub position: Position,
}

impl Stored for Integration {
    const TABLE: &'static Table = &INTEGRATIONS;

    fn read(cells: &mut Cells<'_>) -> Result<Self, BadRow> {
        let mut found = Self {
            id: IntegrationId(cells.id()?),
            name: cells.text()?.to_owned(),
            folded_name: cells.text()?.to_owned(),
            kind: cells.text()?.to_owned(),
            location: cells.text()?.to_owned(),
            place: cells.text()?.to_owned(),
            connection: serde_json::from_str(cells.text()?).map_err(|_| BadRow)?,
            web_links: WebLinks::default(),
            state: cells.word()?,
            since: cells.time()?,
            added_at: cells.time()?,
            added_position: cells.int()?,
            version: cells.int()?,
            position: cells.int()?,
        };
        // The connection has it.
        cells.maybe_id()?;
        found.web_links = serde_json::from_str(cells.text()?).map_err(|_| BadRow)?;
        Ok(found)
    }

    fn row(&self) -> Row {
        row![
            self.id,
            self.name.as_str(),
            self.folded_name.as_str(),
            self.kind.as_str(),
            self.location.as_str(),
            self.place.as_str(),
            serde_json::to_string(&self.connection).unwrap_or_default(),
            self.state,
            self.since,
            self.added_at,
            self.added_position,
            self.version,
            self.position,
            self.connection.ssh_key(),
            serde_json::to_string(&self.web_links).unwrap_or_default(),
        ]
    }
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT integration, name, folded_name, kind, location, place, connection, state, since, added_at, ",
            "added_position, version, position, ssh_key, web_links FROM integration_list@ ",
            $rest
        )
    };
}

fn read(sql: &'static str, args: Row) -> Read<Integration> {
    Read { view: &IntegrationList, sql, args, row: Integration::read }
}

/// The integration with this id, removed or not. At most one row.
pub fn by_id(id: IntegrationId) -> Read<Integration> {
    read(select!("WHERE integration = $1"), row![id])
}

/// How many can be asked for by [`by_ids`] at once.
pub const MOST_IDS: usize = 8;

/// The integrations with these ids, removed or not: at most [`MOST_IDS`], what is more is not looked at.
pub fn by_ids(ids: &[IntegrationId]) -> Read<Integration> {
    // A place that is left over asks for the first once more.
    let at = |n: usize| ids.get(n).or(ids.first()).copied();
    let row = row![at(0), at(1), at(2), at(3), at(4), at(5), at(6), at(7)];
    read(select!("WHERE integration IN ($1, $2, $3, $4, $5, $6, $7, $8) ORDER BY added_position"), row)
}

/// The live integration with this name, whatever the case of its letters. At most one row.
pub fn by_name(name: &str) -> Read<Integration> {
    read(
        select!("WHERE folded_name = $1 AND state <> 'removed' ORDER BY added_position DESC LIMIT 1"),
        row![name.to_lowercase()],
    )
}

/// The live integration that connects to this place. At most one row.
pub fn by_place(connection: &Connection) -> Read<Integration> {
    read(
        select!("WHERE place = $1 AND state <> 'removed' ORDER BY added_position DESC LIMIT 1"),
        row![connection.natural_key()],
    )
}

/// The live integrations that connect to the place that a person calls so, of whatever kind: a path or a URL, however
/// it is written. At most two rows: a repository and a tracked folder may be at one path.
pub fn at_location(text: &str) -> Read<Integration> {
    let git = RemoteUrl::parse(text).ok().map(|parsed| format!("git:{}", parsed.url.natural_key()));
    read(
        select!("WHERE place IN ($1, $2, $3) AND state <> 'removed' ORDER BY added_position"),
        row![format!("path:{text}"), format!("folder:{text}"), git],
    )
}

/// The live integrations that chose this key of SSH, in the order in which they were added.
pub fn by_ssh_key(key: SshKeyId, limit: u32) -> Read<Integration> {
    read(select!("WHERE ssh_key = $1 AND state <> 'removed' ORDER BY added_position LIMIT $2"), row![key, limit])
}

/// How many live integrations chose each key of SSH from `first` to `last`. A key that none chose has no row.
pub fn ssh_key_uses(first: SshKeyId, last: SshKeyId) -> Read<(SshKeyId, u64)> {
    Read {
        view: &IntegrationList,
        sql: "SELECT ssh_key, COUNT(*) FROM integration_list@ \
              WHERE ssh_key BETWEEN $1 AND $2 AND state <> 'removed' GROUP BY ssh_key",
        args: row![first, last],
        row: |cells| Ok((SshKeyId(cells.id()?), cells.count()?)),
    }
}

/// Integrations in the order in which they were added, from after `after` (an `added_position`) on; with `state` or
/// `kind`, only those.
pub fn page(
    state: Option<IntegrationState>,
    kind: Option<&str>,
    after: Option<Position>,
    limit: u32,
) -> Read<Integration> {
    read(
        select!(
            "WHERE added_position > $1 \
             AND (CAST($2 AS TEXT) IS NULL OR state = CAST($2 AS TEXT)) \
             AND (CAST($3 AS TEXT) IS NULL OR kind = CAST($3 AS TEXT)) \
             ORDER BY added_position LIMIT $4"
        ),
        row![after.unwrap_or(0), state, kind, limit],
    )
}

/// Integrations that changed after `after`, in the order of their last changes: the `position` of the last one says from
/// where to go on.
pub fn changed(after: Position, limit: u32) -> Read<Integration> {
    read(select!("WHERE position > $1 ORDER BY position LIMIT $2"), row![after, limit])
}
