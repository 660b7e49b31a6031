//! Whether what is stored is what was appended: the head, the leaves of the newest events, the guards against changes.
//! Asked by the doctor; it reads only.

use keytrail_domain::{recorded::Position, timestamp::Timestamp};
use keytrail_projections::value::{BadRow, Cells, Row, Value};

use super::{Log, leaf::Leaf};
use crate::store::{Area, Db, StoreError};

/// Events that are read at once: an event of commits has up to half a megabyte.
const PAGE: i64 = 50;

/// What came of computing leaves again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leaves {
    /// How many were computed.
    pub checked: u64,
    /// Where the stored leaf is another.
    pub wrong: Vec<Position>,
}

impl Log {
    /// Where the newest stored event stands; 0 when there is none.
    pub async fn newest_stored(&self) -> Result<Position, StoreError> {
        let rows = self.db.read(Area::Log, "SELECT COALESCE(MAX(global_position), 0) FROM events", &[]).await?;
        rows.first().and_then(|row| Cells::of(row).int().ok()).ok_or_else(|| StoreError::Corrupt("no maximum".into()))
    }

    /// When the first event after `position` was recorded; nothing when there is none.
    pub async fn recorded_after(&self, position: Position) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT recorded_at FROM events WHERE global_position = $1";
        let rows = self.db.read(Area::Log, sql, &[Value::Int(position + 1)]).await?;
        Ok(rows.first().and_then(|row| Cells::of(row).int().ok()).map(Timestamp))
    }

    /// Computes the leaves of the `newest` events again.
    pub async fn check_leaves(&self, newest: Position) -> Result<Leaves, StoreError> {
        let sql = "SELECT global_position, event_id, aggregate_type, aggregate_id, sequence, event_type, event_version, \
                   payload, metadata, leaf_hash FROM events WHERE global_position > $1 ORDER BY global_position LIMIT $2";
        let mut after = (self.newest_stored().await? - newest).max(0);
        let mut leaves = Leaves::default();
        loop {
            let page = self.db.read_long(Area::Log, sql.to_owned(), vec![Value::Int(after), Value::Int(PAGE)]).await?;
            if page.is_empty() {
                return Ok(leaves);
            }
            for row in &page {
                let (position, same) = compare(row).map_err(|error| StoreError::Corrupt(error.to_string()))?;
                after = position;
                leaves.checked += 1;
                if !same {
                    leaves.wrong.push(position);
                }
            }
        }
    }

    /// Whether the database refuses changes of events: every trigger that does is there and in force.
    pub async fn is_guarded(&self) -> Result<bool, StoreError> {
        let (sql, guards) = match &*self.db {
            Db::Sqlite(_) => (
                "SELECT COUNT(*) FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'events' \
                 AND name IN ('events_are_not_changed', 'events_are_not_deleted')",
                2,
            ),
            // O and A: it fires for sessions as ours.
            Db::Postgres(_) => (
                "SELECT COUNT(*) FROM pg_trigger WHERE tgrelid = 'events'::regclass AND tgenabled IN ('O', 'A') \
                 AND tgname IN ('events_are_not_changed', 'events_are_not_truncated')",
                2,
            ),
        };
        let rows = self.db.read(Area::Log, sql, &[]).await?;
        Ok(rows.first().and_then(|row| Cells::of(row).int().ok()) == Some(guards))
    }

    /// How many events of each type there are, by name.
    pub async fn counts_by_type(&self) -> Result<Vec<(String, i64)>, StoreError> {
        let sql = "SELECT event_type, COUNT(*) FROM events GROUP BY event_type ORDER BY event_type";
        let rows = self.db.read_long(Area::Log, sql.to_owned(), Vec::new()).await?;
        let read = |row: &Row| -> Result<_, BadRow> {
            let mut cells = Cells::of(row);
            Ok((cells.text()?.to_owned(), cells.int()?))
        };
        rows.iter().map(read).collect::<Result<_, _>>().map_err(|error| StoreError::Corrupt(error.to_string()))
    }
}

fn compare(row: &Row) -> Result<(Position, bool), BadRow> {
    let mut cells = Cells::of(row);
    let position = cells.int()?;
    let leaf = Leaf {
        event_id: cells.text()?,
        aggregate_type: cells.text()?,
        aggregate_id: cells.text()?,
        sequence: cells.int()?,
        event_type: cells.text()?,
        event_version: cells.text()?,
        payload: cells.text()?,
        metadata: cells.text()?,
    };
    Ok((position, leaf.hash()[..] == *cells.bytes()?))
}
