//! The seam over the two engines: statements and rows as data, transactions, migrations.
//!
//! Used by `log`, `views`, `secrets` and `jobs`. It knows no event, no view and no route. Only this folder binds
//! arguments.

mod error;
mod folder_lock;
mod lease_clock;
pub mod migrate;
pub mod postgres;
pub mod schema;
mod settings;
mod sizes;
pub mod sqlite;
mod statement;

use std::{path::Path, sync::Arc};

use keytrail_projections::{
    value::{BadRow, Cells, Row, Value},
    view::{Kind, Table},
};

pub use self::{
    error::StoreError,
    folder_lock::FolderLock,
    postgres::Postgres,
    settings::{PostgresFacts, StoreSetting},
    sqlite::{Sqlite, embedded_version},
    statement::{Area, Statement},
};

/// Counts a transaction that came to its end: of the log and the tables of truth each is a sync, of the views some are.
pub(crate) fn committed(area: Area) {
    let area = match area {
        Area::Log => "log",
        Area::Views => "views",
    };
    metrics::counter!("keytrail_store_commits_total", "area" => area).increment(1);
}

/// The store of one server.
pub enum Db {
    /// Embedded.
    Sqlite(Box<Sqlite>),
    /// For several nodes.
    Postgres(Postgres),
}

impl Db {
    /// The embedded store in `folder`, which exists.
    pub fn open_sqlite(folder: &Path) -> Result<Self, StoreError> {
        Sqlite::open(folder).map(Box::new).map(Self::Sqlite)
    }

    /// A PostgreSQL database.
    pub async fn open_postgres(url: &str, connections: u32) -> Result<Self, StoreError> {
        Postgres::open(url, connections).await.map(Self::Postgres)
    }

    /// The stable word of the engine.
    pub const fn engine(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Postgres(_) => "postgres",
        }
    }

    /// The rows of a query. On the embedded engine it runs on the calling thread: keep it to bounded reads along an
    /// index.
    pub async fn read(&self, area: Area, sql: &str, args: &[Value]) -> Result<Vec<Row>, StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.read(area, sql, args),
            Self::Postgres(postgres) => postgres.read(sql, args).await,
        }
    }

    /// What `row` makes of each row of such a query.
    pub async fn read_as<T>(
        &self,
        area: Area,
        sql: &str,
        args: &[Value],
        row: fn(&mut Cells<'_>) -> Result<T, BadRow>,
    ) -> Result<Vec<T>, StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.read_as(area, sql, args, row),
            Self::Postgres(postgres) => {
                let rows = postgres.read(sql, args).await?;
                let read = rows.iter().map(|cells| row(&mut Cells::of(cells)));
                read.collect::<Result<_, _>>().map_err(|error| StoreError::Corrupt(error.to_string()))
            }
        }
    }

    /// The rows of a query that may take long: on the embedded engine it runs on a thread that may be busy for a while.
    pub async fn read_long(
        self: &Arc<Self>,
        area: Area,
        sql: String,
        args: Vec<Value>,
    ) -> Result<Vec<Row>, StoreError> {
        match &**self {
            Self::Sqlite(_) => {
                let db = self.clone();
                let work = move || match &*db {
                    Self::Sqlite(sqlite) => sqlite.read(area, &sql, &args),
                    Self::Postgres(_) => Ok(Vec::new()),
                };
                tokio::task::spawn_blocking(work)
                    .await
                    .unwrap_or_else(|_| Err(StoreError::Unavailable("the server is stopping".into())))
            }
            Self::Postgres(postgres) => postgres.read(&sql, &args).await,
        }
    }

    /// The rows of `table` (its name followed by `suffix`) with these keys, as they are now (of rows that are there once:
    /// ended or not); those that are not there are left out. For many keys at once.
    pub async fn lookup(
        self: &Arc<Self>,
        table: &'static Table,
        suffix: &str,
        keys: Vec<Row>,
    ) -> Result<Vec<Row>, StoreError> {
        let sql = schema::select_rows(self, table, suffix);
        match &**self {
            Self::Sqlite(_) => {
                let db = self.clone();
                let work = move || {
                    let Self::Sqlite(sqlite) = &*db else { return Ok(Vec::new()) };
                    let mut found = Vec::new();
                    for key in &keys {
                        found.extend(sqlite.read(Area::Views, &sql, key)?);
                    }
                    Ok(found)
                };
                tokio::task::spawn_blocking(work)
                    .await
                    .unwrap_or_else(|_| Err(StoreError::Unavailable("the server is stopping".into())))
            }
            Self::Postgres(postgres) => {
                let kinds: Vec<Kind> = table.columns[..table.key].iter().map(|(_, kind)| *kind).collect();
                postgres.lookup(&sql, &kinds, &keys).await
            }
        }
    }

    /// Runs the statements as one transaction: all or nothing. The answers are what each returned.
    pub async fn write(&self, area: Area, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>, StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.write(area, statements).await,
            Self::Postgres(postgres) => {
                let answers = postgres.write(statements).await?;
                committed(area);
                Ok(answers)
            }
        }
    }

    /// Ends the connections, after what is under way.
    pub async fn close(&self) {
        match self {
            Self::Sqlite(sqlite) => sqlite.close(),
            Self::Postgres(postgres) => postgres.pool().close().await,
        }
    }
}
