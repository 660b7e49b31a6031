//! The log from any position on, in pages of facts; decoded once for all who follow it.

use std::{
    collections::VecDeque,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use keytrail_domain::{
    fact::{Fact, Unreadable},
    id::EventId,
    metadata::Metadata,
    recorded::{Position, Recorded, StreamId},
    timestamp::Timestamp,
};
use keytrail_projections::value::{BadRow, Cells, Row, Value};
use tokio::sync::{Mutex, watch};

use super::append::Head;
use crate::store::{Area, Db, StoreError, sqlite};

/// A page holds at most about this many bytes of stored text, and at least one event. Decoded and folded it takes ten
/// times as much, on whichever threads that happens.
const PAGE_BYTES: usize = 2 << 20;
/// And at most this many events.
const PAGE_EVENTS: usize = 5_000;
/// The bytes of a page of a rebuild: a big view's rows lie all over its tables, and the more are written at once, the
/// fewer times each place is.
const PAGE_BYTES_APART: usize = 16 << 20;
/// Decoded pages that are kept for followers a little behind: at most so many, and of full ones the last alone.
const KEPT_PAGES: usize = 3;
const KEPT_BYTES: usize = PAGE_BYTES;

/// Facts one after the other.
pub type Page = Arc<[Recorded<Fact>]>;

/// Why a page could not be read.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// An event that this build cannot read.
    #[error("event {position} cannot be read")]
    Unreadable {
        /// Where it stands.
        position: Position,
        /// Why.
        #[source]
        source: Unreadable,
    },
    /// The store did not answer.
    #[error("the log could not be read")]
    Store(#[from] StoreError),
}

impl FeedError {
    /// Whether a newer build wrote the event: this one is outdated.
    pub const fn is_of_the_future(&self) -> bool {
        matches!(self, Self::Unreadable { source: Unreadable::Future { .. }, .. })
    }
}

/// Follows the log.
pub struct Feed {
    db: Arc<Db>,
    head: watch::Receiver<Head>,
    /// With the bytes of stored text in each.
    recent: RwLock<VecDeque<(Page, usize)>>,
    reading: Mutex<()>,
}

impl Feed {
    pub(super) fn new(db: Arc<Db>, head: watch::Receiver<Head>) -> Self {
        Self { db, head, recent: RwLock::default(), reading: Mutex::default() }
    }

    /// Where the log stands, as far as this node knows.
    pub fn head(&self) -> Head {
        *self.head.borrow()
    }

    /// Where the log stands, asked of the store.
    pub async fn stored_head(&self) -> Result<Head, StoreError> {
        super::read_head(&self.db).await.map(|(head, _)| head)
    }

    /// Waits until the log goes beyond `position`.
    pub async fn wait_beyond(&self, position: Position) {
        let mut head = self.head.clone();
        // The sender lives as long as the log; when it is gone, nothing comes any more.
        if head.wait_for(|head| head.position > position).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// The facts after `position`, none when there are none. May begin in the middle of a page that another follower
    /// read.
    pub async fn page(&self, after: Position) -> Result<Page, FeedError> {
        if let Some(page) = self.cached(after) {
            return Ok(page);
        }
        let _one_reads = self.reading.lock().await;
        if let Some(page) = self.cached(after) {
            return Ok(page);
        }
        let (page, bytes) = read_page(&self.db, after, PAGE_BYTES).await?;
        if !page.is_empty() {
            let mut recent = self.recent.write().unwrap_or_else(PoisonError::into_inner);
            recent.push_back((page.clone(), bytes));
            let too_much = |recent: &VecDeque<(Page, usize)>| {
                recent.len() > KEPT_PAGES || recent.iter().map(|(_, bytes)| bytes).sum::<usize>() > KEPT_BYTES
            };
            while recent.len() > 1 && too_much(&recent) {
                recent.pop_front();
            }
        }
        Ok(page)
    }

    fn cached(&self, after: Position) -> Option<Page> {
        let recent = self.recent.read().unwrap_or_else(PoisonError::into_inner);
        recent.iter().find_map(|(page, _)| {
            // Positions have no gaps: the place in the page follows from the first.
            let skip = usize::try_from(after + 1 - page.first()?.position).ok()?;
            match page.get(skip..)? {
                [] => None,
                _ if skip == 0 => Some(page.clone()),
                rest => Some(rest.into()),
            }
        })
    }

    /// The facts after `position`, read for this caller alone: for rebuilds, which go over everything.
    pub async fn page_apart(&self, after: Position) -> Result<Page, FeedError> {
        read_page(&self.db, after, PAGE_BYTES_APART).await.map(|(page, _)| page)
    }
}

/// The columns of an event, in the order that [`decode`] reads.
pub(super) const COLUMNS: &str = "global_position, aggregate_type, aggregate_id, sequence, event_type, event_version, \
                                  payload, metadata, event_id, recorded_at";

/// A page, and the bytes of its stored text.
async fn read_page(db: &Arc<Db>, after: Position, bytes: usize) -> Result<(Page, usize), FeedError> {
    let rows = stored_page(db, after, PAGE_EVENTS, bytes).await?;
    let bytes = rows.iter().flatten().map(Value::text_bytes).sum();
    // A page is megabytes of JSON: too long for a thread that also answers requests. Each row goes once it is read.
    let page = tokio::task::spawn_blocking(move || rows.into_iter().map(|row| decode(&row)).collect())
        .await
        .unwrap_or_else(|_| Err(StoreError::Unavailable("the server is stopping".into()).into()));
    page.map(|page| (page, bytes))
}

/// Stored events after `position`, within the bounds, at least one if there is one.
pub(super) async fn stored_page(
    db: &Arc<Db>,
    after: Position,
    events: usize,
    bytes: usize,
) -> Result<Vec<Row>, StoreError> {
    let limit = i64::try_from(events).unwrap_or(i64::MAX);
    let most = i64::try_from(bytes).unwrap_or(i64::MAX);
    let db = db.clone();
    match &*db {
        Db::Sqlite(_) => tokio::task::spawn_blocking(move || {
            let Db::Sqlite(lite) = &*db else { return Ok(Vec::new()) };
            lite.read_rows(Area::Log, |connection| {
                let sql = format!(
                    "SELECT {COLUMNS} FROM events WHERE global_position > ?1 ORDER BY global_position LIMIT ?2"
                );
                sqlite::rows_until(connection, &sql, &[Value::Int(after), Value::Int(limit)], bytes)
            })
        })
        .await
        .unwrap_or_else(|_| Err(StoreError::Unavailable("the server is stopping".into()))),
        Db::Postgres(_) => {
            // Sizes as stored cost no unpacking, and leave few to unpack for their true sizes; the window holds no texts.
            let sql = format!(
                "SELECT {COLUMNS} FROM events WHERE global_position > $1 AND global_position <= (
                   SELECT max(global_position) FROM (
                     SELECT global_position, sum(bytes) OVER (ORDER BY global_position) - bytes AS before FROM (
                       SELECT e.global_position, octet_length(e.payload::text) AS bytes FROM events AS e JOIN (
                         SELECT global_position, sum(bytes) OVER (ORDER BY global_position) - bytes AS before FROM (
                           SELECT global_position, pg_column_size(payload) AS bytes FROM events
                           WHERE global_position > $1 ORDER BY global_position LIMIT $2) AS next
                       ) AS stored ON e.global_position = stored.global_position AND stored.before < $3) AS sized
                   ) AS unpacked WHERE before < $3
                 ) ORDER BY global_position"
            );
            db.read(Area::Log, &sql, &[Value::Int(after), Value::Int(limit), Value::Int(most)]).await
        }
    }
}

/// Reads a stored row of [`COLUMNS`].
pub(super) fn decode(row: &[Value]) -> Result<Recorded<Fact>, FeedError> {
    let corrupt = |_: BadRow| StoreError::Corrupt("an event has not the columns of an event".into());
    let mut cells = Cells::of(row);
    let position = cells.int().map_err(corrupt)?;
    let stream_type = cells.text().map_err(corrupt)?;
    let stream_id = cells.text().map_err(corrupt)?;
    let sequence = cells.int().map_err(corrupt)?;
    let event_type = cells.text().map_err(corrupt)?;
    let version = cells.text().map_err(corrupt)?;
    let payload = cells.text().map_err(corrupt)?;
    let metadata = cells.text().map_err(corrupt)?;
    let event_id = cells.text().map_err(corrupt)?;
    let recorded_at = Timestamp(cells.int().map_err(corrupt)?);
    let unreadable = |source| FeedError::Unreadable { position, source };
    let malformed = |source| {
        unreadable(Unreadable::Malformed { event_type: event_type.to_owned(), version: version.to_owned(), source })
    };
    let future = || unreadable(Unreadable::Future { event_type: event_type.to_owned(), version: version.to_owned() });
    let fact = Fact::read(stream_type, event_type, version, payload).map_err(unreadable)?;
    let bad_id = |_| StoreError::Corrupt(format!("event {position} has an id that is none"));
    Ok(Recorded {
        position,
        stream: StreamId::new(Fact::stream_type(stream_type).ok_or_else(future)?, stream_id.parse().map_err(bad_id)?),
        sequence,
        recorded_at,
        event_id: EventId(event_id.parse().map_err(bad_id)?),
        metadata: serde_json::from_str::<Metadata>(metadata).map_err(malformed)?,
        fact,
    })
}

/// Keeps `head` true while other nodes append too. The embedded store has no other nodes.
pub(super) async fn watch_head(db: Arc<Db>, head: watch::Sender<Head>) {
    const QUICK: Duration = Duration::from_millis(20);
    const SLOW: Duration = Duration::from_millis(250);
    let mut pause = QUICK;
    loop {
        tokio::time::sleep(pause).await;
        let Ok(found) = super::read_head(&db).await else {
            pause = SLOW;
            continue;
        };
        let moved = head.send_if_modified(|known| {
            let moved = found.0.position > known.position;
            if moved {
                *known = found.0;
            }
            moved
        });
        pause = if moved { QUICK } else { (pause * 2).min(SLOW) };
    }
}
