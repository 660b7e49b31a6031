//! Loading one stream through the read seam of cqrs-es: postgres-es on PostgreSQL, ours on the embedded engine.

use std::sync::Arc;

use cqrs_es::{
    Aggregate,
    persist::{PersistedEventRepository, PersistenceError, ReplayStream, SerializedEvent, SerializedSnapshot},
};
use keytrail_projections::value::{Cells, Value};
use postgres_es::PostgresEventRepository;
use serde_json::Value as Json;

use crate::store::{Area, Db, StoreError};

/// Reads streams of the log, whichever engine it is on.
pub struct Streams(Repository);

enum Repository {
    Sqlite(SqliteEventRepository),
    Postgres(PostgresEventRepository),
}

impl Streams {
    /// Over this store.
    pub fn of(db: &Arc<Db>) -> Self {
        Self(match &**db {
            Db::Sqlite(_) => Repository::Sqlite(SqliteEventRepository(db.clone())),
            Db::Postgres(postgres) => Repository::Postgres(PostgresEventRepository::new(postgres.pool().clone())),
        })
    }

    /// The stored events of one stream, in order.
    pub async fn load<A: Aggregate>(&self, id: &str) -> Result<Vec<SerializedEvent>, StoreError> {
        match &self.0 {
            Repository::Sqlite(repository) => repository.get_events::<A>(id).await,
            Repository::Postgres(repository) => repository.get_events::<A>(id).await,
        }
        .map_err(|error| match error {
            PersistenceError::ConnectionError(error) => StoreError::Unavailable(error.to_string()),
            PersistenceError::DeserializationError(error) => StoreError::Corrupt(error.to_string()),
            // Pool time-outs and shutdowns of the server come as unknown.
            PersistenceError::UnknownError(error) => StoreError::Unavailable(error.to_string()),
            PersistenceError::OptimisticLockError => StoreError::Fenced,
        })
    }
}

/// The read half of a cqrs-es repository over the embedded engine. It never writes: appends go through the appender.
#[derive(Clone)]
pub struct SqliteEventRepository(Arc<Db>);

impl SqliteEventRepository {
    /// Over an embedded store.
    pub const fn over(db: Arc<Db>) -> Self {
        Self(db)
    }

    async fn after<A: Aggregate>(&self, id: &str, sequence: usize) -> Result<Vec<SerializedEvent>, PersistenceError> {
        let sql = "SELECT sequence, event_type, event_version, payload, metadata FROM events \
                   WHERE aggregate_type = $1 AND aggregate_id = $2 AND sequence > $3 ORDER BY sequence";
        let after = i64::try_from(sequence).unwrap_or(i64::MAX);
        let args = [Value::from(A::TYPE), Value::from(id), Value::Int(after)];
        let rows = self.0.read(Area::Log, sql, &args).await.map_err(|error| match error {
            StoreError::Corrupt(_) => PersistenceError::DeserializationError(Box::new(error)),
            error => PersistenceError::ConnectionError(Box::new(error)),
        })?;
        rows.iter()
            .map(|row| {
                let mut cells = Cells::of(row);
                let shape = |error| PersistenceError::DeserializationError(Box::new(error));
                let sequence = cells.int().map_err(shape)?;
                let event_type = cells.text().map_err(shape)?.to_owned();
                let version = cells.text().map_err(shape)?.to_owned();
                let mut json =
                    || -> Result<Json, PersistenceError> { Ok(serde_json::from_str(cells.text().map_err(shape)?)?) };
                let sequence = usize::try_from(sequence).unwrap_or_default();
                let (payload, metadata) = (json()?, json()?);
                Ok(SerializedEvent::new(
                    id.to_owned(),
                    sequence,
                    A::TYPE.to_owned(),
                    event_type,
                    version,
                    payload,
                    metadata,
                ))
            })
            .collect()
    }
}

fn read_only() -> PersistenceError {
    PersistenceError::UnknownError("the log is written by its appender only".into())
}

impl PersistedEventRepository for SqliteEventRepository {
    async fn get_events<A: Aggregate>(&self, id: &str) -> Result<Vec<SerializedEvent>, PersistenceError> {
        self.after::<A>(id, 0).await
    }

    async fn get_last_events<A: Aggregate>(
        &self,
        id: &str,
        last_sequence: usize,
    ) -> Result<Vec<SerializedEvent>, PersistenceError> {
        self.after::<A>(id, last_sequence).await
    }

    /// Streams are short: there are no snapshots.
    async fn get_snapshot<A: Aggregate>(&self, _id: &str) -> Result<Option<SerializedSnapshot>, PersistenceError> {
        Ok(None)
    }

    async fn persist<A: Aggregate>(
        &self,
        _events: &[SerializedEvent],
        _snapshot: Option<(String, Json, usize)>,
    ) -> Result<(), PersistenceError> {
        Err(read_only())
    }

    async fn stream_events<A: Aggregate>(&self, _id: &str) -> Result<ReplayStream, PersistenceError> {
        Err(read_only())
    }

    async fn stream_all_events<A: Aggregate>(&self) -> Result<ReplayStream, PersistenceError> {
        Err(read_only())
    }
}
