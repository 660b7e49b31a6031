//! The log: what happened, in order, for ever.
//!
//! Called by `app` (append, load), `views` and the reactors (feed), and the audit routes. It knows no aggregate and no
//! view; what it stores it never changes.

mod append;
mod appender;
pub mod as_long_as;
mod feed;
mod holder;
pub mod leaf;
mod postgres;
mod soundness;
mod sqlite;
pub mod streams;
mod told_claims;

use std::sync::{Arc, atomic::Ordering};

use keytrail_domain::{
    fact::Fact,
    recorded::{Position, Recorded, Sequence, StreamId},
    timestamp::Timestamp,
};
use keytrail_projections::value::{BadRow, Cells, Value};
use tokio::{sync::watch, task::JoinHandle};

pub use self::{
    append::{Append, AppendError, Committed, Head, Idempotency, Lane, NewEvent},
    appender::{Appender, OnFatal},
    feed::{Feed, FeedError, Page},
    soundness::Leaves,
    told_claims::ToldClaims,
};
use crate::{
    clock::Clock,
    store::{Area, Db, Statement, StoreError},
};

/// The log of one server.
pub struct Log {
    db: Arc<Db>,
    appender: Appender,
    feed: Arc<Feed>,
    tasks: Vec<JoinHandle<()>>,
}

impl Log {
    /// Opens the log of a migrated store. `on_fatal` is called when the process must not go on.
    pub async fn open(db: Arc<Db>, clock: Clock, on_fatal: OnFatal) -> Result<Self, StoreError> {
        let (head, epoch) = read_head(&db).await?;
        let (sender, receiver) = watch::channel(head);
        let feed = Arc::new(Feed::new(db.clone(), receiver, epoch));
        let (appender, writing) = Appender::start(db.clone(), clock, epoch, sender.clone(), on_fatal);
        let mut tasks = vec![writing];
        if matches!(&*db, Db::Postgres(_)) {
            tasks.push(tokio::spawn(feed::watch_head(db.clone(), sender)));
        }
        Ok(Self { db, appender, feed, tasks })
    }

    /// The way in.
    pub const fn appender(&self) -> &Appender {
        &self.appender
    }

    /// The log from any position on.
    pub const fn feed(&self) -> &Arc<Feed> {
        &self.feed
    }

    /// The events of one stream up to and with `until`, in order.
    pub async fn stream(&self, stream: StreamId, until: Position) -> Result<Vec<Recorded<Fact>>, FeedError> {
        let sql = format!(
            "SELECT {} FROM events WHERE aggregate_type = $1 AND aggregate_id = $2 AND global_position <= $3 \
             ORDER BY sequence",
            feed::COLUMNS
        );
        let args = [Value::from(stream.aggregate_type), Value::from(stream.id.to_string()), Value::Int(until)];
        self.db.read(Area::Log, &sql, &args).await?.iter().map(|row| feed::decode(row)).collect()
    }

    /// The event of a stream with this sequence, if there is one.
    pub async fn event(&self, stream: StreamId, sequence: Sequence) -> Result<Option<Recorded<Fact>>, FeedError> {
        let sql = format!(
            "SELECT {} FROM events WHERE aggregate_type = $1 AND aggregate_id = $2 AND sequence = $3",
            feed::COLUMNS
        );
        let args = [Value::from(stream.aggregate_type), Value::from(stream.id.to_string()), Value::Int(sequence)];
        self.db.read(Area::Log, &sql, &args).await?.first().map(|row| feed::decode(row)).transpose()
    }

    /// The last sequence of a stream; 0 when it is empty.
    pub async fn last_sequence(&self, stream: StreamId) -> Result<Sequence, StoreError> {
        let sql = "SELECT COALESCE(MAX(sequence), 0) FROM events WHERE aggregate_type = $1 AND aggregate_id = $2";
        let args = [Value::from(stream.aggregate_type), Value::from(stream.id.to_string())];
        let rows = self.db.read(Area::Log, sql, &args).await?;
        rows.first().and_then(|row| Cells::of(row).int().ok()).ok_or_else(|| StoreError::Corrupt("no maximum".into()))
    }

    /// The outcome of a request that was carried out before; `KeyReused` when the key belongs to another request.
    pub async fn remembered(
        &self,
        request: &Idempotency,
    ) -> Result<Option<Result<Committed, AppendError>>, StoreError> {
        let sql = "SELECT request_hash, aggregate_type, aggregate_id, sequence, first_position, last_position \
                   FROM command_log WHERE scope = $1 AND idempotency_key = $2";
        let args = [Value::from(request.scope.as_str()), Value::from(request.key.as_str())];
        let rows = self.db.read(Area::Log, sql, &args).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let read = |row| -> Result<(Vec<u8>, Remembered), BadRow> {
            let mut cells = Cells::of(row);
            Ok((
                cells.bytes()?.to_vec(),
                Remembered {
                    aggregate_type: cells.text()?.to_owned(),
                    aggregate_id: cells.text()?.to_owned(),
                    sequence: cells.int()?,
                    first: cells.int()?,
                    last: cells.int()?,
                },
            ))
        };
        let (hash, remembered) = read(row).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        if hash != request.request_hash {
            return Ok(Some(Err(AppendError::KeyReused)));
        }
        Ok(Some(Ok(remembered.committed()?)))
    }

    /// Reads the head row: what is durable, whoever wrote it.
    pub async fn stored_head(&self) -> Result<Head, StoreError> {
        read_head(&self.db).await.map(|(head, _)| head)
    }

    /// Whether the store takes writes now. While it does, this asks only whether it would begin one; once it refused one,
    /// this makes one that changes no value and takes space all the same, until that succeeds.
    pub async fn check_writable(&self) -> Result<(), StoreError> {
        let failing = self.appender.failing();
        let row = if failing.load(Ordering::Relaxed) { 0 } else { -1 };
        // There and back: an engine that sees an equal row writes nothing.
        let there = "UPDATE log_head SET epoch = epoch + 1 WHERE id = $1";
        let back = "UPDATE log_head SET epoch = epoch - 1 WHERE id = $1";
        let statements = [there, back].map(|sql| Statement::new(sql, vec![Value::Int(row)]));
        self.db.write(Area::Log, statements.into()).await?;
        failing.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Stops following other nodes. The writer ends when the last sender is gone.
    pub fn stop(&self) {
        self.tasks.iter().skip(1).for_each(JoinHandle::abort);
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The head and the epoch that is allowed to write.
async fn read_head(db: &Db) -> Result<(Head, i64), StoreError> {
    const SQL: &str = "SELECT position, recorded_at, epoch FROM log_head WHERE id = 0";
    let rows = match db {
        Db::Sqlite(_) => db.read(Area::Log, SQL, &[]).await?,
        Db::Postgres(postgres) => postgres.read_in_time(SQL, &[]).await?,
    };
    let row = rows.first().ok_or_else(|| StoreError::Corrupt("the log has no head".into()))?;
    let mut cells = Cells::of(row);
    let mut next = || cells.int().map_err(|error| StoreError::Corrupt(error.to_string()));
    Ok((Head { position: next()?, recorded_at: Timestamp(next()?) }, next()?))
}

/// A remembered request's outcome, as stored.
struct Remembered {
    aggregate_type: String,
    aggregate_id: String,
    sequence: Sequence,
    first: Position,
    last: Position,
}

impl Remembered {
    fn committed(self) -> Result<Committed, StoreError> {
        let corrupt = || StoreError::Corrupt("a remembered request names no stream".into());
        let stream_type = Fact::stream_type(&self.aggregate_type).ok_or_else(corrupt)?;
        let id = self.aggregate_id.parse().map_err(|_| corrupt())?;
        Ok(Committed {
            stream: StreamId::new(stream_type, id),
            sequence: self.sequence,
            first: self.first,
            last: self.last,
            appended: true,
            replayed: true,
        })
    }
}
