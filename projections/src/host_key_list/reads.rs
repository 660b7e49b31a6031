//! What can be asked of the list of servers.

use keytrail_domain::{
    host_key::{HostKeys, How},
    id::HostKeyId,
    recorded::{Position, Sequence},
    timestamp::Timestamp,
};

use super::{HostKeyList, SERVERS};
use crate::{
    row,
    stored::Stored,
    value::{BadRow, Cells, Row, Value},
    view::{Read, Table},
    word::words,
};

words! {
    /// What is known of a server.
    HostKeyState {
        /// It was met, and nobody vouches for it.
        Seen = "seen",
        /// Its keys are trusted.
        Trusted = "trusted",
        /// It showed another key than a trusted one: a person must decide.
        Changed = "changed",
        /// Nothing any more.
        Forgotten = "forgotten",
    }
}

/// A server of SSH.
#[derive(Clone, Debug, PartialEq)]
pub struct SshServer {
    /// Which.
    pub id: HostKeyId,
    /// A name in lower case, or an address as it stands in a URL.
    pub host: String,
    /// Where it listens.
    pub port: u16,
    /// What is known of it.
    pub state: HostKeyState,
    /// Its keys: trusted, seen, offered, refused.
    pub keys: HostKeys,
    /// Who vouched for them last.
    pub how: Option<How>,
    /// When it was first met.
    pub met_at: Timestamp,
    /// When what is trusted last changed.
    pub trusted_at: Option<Timestamp>,
    /// When it showed another key, while nobody decided.
    pub changed_at: Option<Timestamp>,
    /// The position at which it was first met: the order of the list.
    pub met_position: Position,
    /// The sequence of the last event of its stream: its ETag.
    pub version: Sequence,
    /// The position of that event.
    pub position: Position,
}

impl Stored for SshServer {
    const TABLE: &'static Table = &SERVERS;

    fn read(cells: &mut Cells<'_>) -> Result<Self, BadRow> {
        Ok(Self {
            id: HostKeyId(cells.id()?),
            host: cells.text()?.to_owned(),
            port: u16::try_from(cells.int()?).map_err(|_| BadRow)?,
            state: cells.word()?,
            keys: serde_json::from_str(cells.text()?).map_err(|_| BadRow)?,
            how: cells.maybe_word()?,
            met_at: cells.time()?,
            trusted_at: cells.maybe_time()?,
            changed_at: cells.maybe_time()?,
            met_position: cells.int()?,
            version: cells.int()?,
            position: cells.int()?,
        })
    }

    fn row(&self) -> Row {
        row![
            self.id,
            self.host.as_str(),
            u32::from(self.port),
            self.state,
            // What was read from JSON can be written as JSON.
            serde_json::to_string(&self.keys).unwrap_or_default(),
            self.how.as_ref().map(Value::word),
            self.met_at,
            self.trusted_at,
            self.changed_at,
            self.met_position,
            self.version,
            self.position,
        ]
    }
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT host_key, host_name, port_number, state, known_keys, trusted_how, met_at, trusted_at, changed_at, ",
            "met_position, version, position FROM host_key_list@ ",
            $rest
        )
    };
}

fn read(sql: &'static str, args: Row) -> Read<SshServer> {
    Read { view: &HostKeyList, sql, args, row: SshServer::read }
}

/// The server with this id, forgotten or not. At most one row.
pub fn by_id(id: HostKeyId) -> Read<SshServer> {
    read(select!("WHERE host_key = $1"), row![id])
}

/// Servers in the order in which they were met, from after `after` (a `met_position`) on; with `state`, only those.
pub fn page(state: Option<HostKeyState>, after: Option<Position>, limit: u32) -> Read<SshServer> {
    read(
        select!(
            "WHERE met_position > $1 AND (CAST($2 AS TEXT) IS NULL OR state = CAST($2 AS TEXT)) \
             ORDER BY met_position LIMIT $3"
        ),
        row![after.unwrap_or(0), state, limit],
    )
}

/// How many servers are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostKeyCounts {
    /// Those whose keys are trusted, changed or not.
    pub trusted: u64,
    /// Those that wait for a person's decision.
    pub changed: u64,
}

/// How many servers are trusted, and how many of them show another key. One row.
pub fn counts() -> Read<HostKeyCounts> {
    Read {
        view: &HostKeyList,
        sql: "SELECT COUNT(*), CAST(COALESCE(SUM(CASE WHEN state = 'changed' THEN 1 ELSE 0 END), 0) AS BIGINT) \
              FROM host_key_list@ WHERE state IN ('trusted', 'changed')",
        args: Row::new(),
        row: |cells| Ok(HostKeyCounts { trusted: cells.count()?, changed: cells.count()? }),
    }
}
