//! How the engine is set, and how it should be: what durability and the log's protection rest on. Asked by the doctor;
//! it changes nothing.

use keytrail_projections::value::{BadRow, Cells, Row};

use super::{Area, Db, Sqlite, StoreError, sqlite::failure};

/// One setting of the engine as it is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreSetting {
    /// As the engine calls it, after the file on the embedded engine: `log.db synchronous`.
    pub name: String,
    /// What it is.
    pub value: String,
    /// What it may be.
    pub wanted: &'static [&'static str],
}

impl StoreSetting {
    /// Whether it is as it should be.
    pub fn is_well(&self) -> bool {
        self.wanted.contains(&self.value.as_str())
    }
}

/// What PostgreSQL says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostgresFacts {
    /// `160004` is 16.4.
    pub version_number: i64,
    /// As it shows it.
    pub version: String,
    /// How many sessions it takes.
    pub max_connections: i64,
    /// How many it has.
    pub connections: i64,
    /// Its clock, in microseconds since 1970.
    pub now_micros: i64,
    /// Whether the collation of the database changed its version since the database was made.
    pub is_collation_changed: bool,
}

/// FULL and NORMAL, as the engine numbers them.
const FULL: &[&str] = &["2"];
const NORMAL: &[&str] = &["1"];
const POSTGRES: &[(&str, &[&str])] = &[
    ("fsync", &["on"]),
    ("full_page_writes", &["on"]),
    // Of all that wait for this server's own disk.
    ("synchronous_commit", &["on", "local", "remote_write", "remote_apply"]),
];

impl Db {
    /// The settings that matter, as they are in force for the connections that write.
    pub async fn settings(&self) -> Result<Vec<StoreSetting>, StoreError> {
        match self {
            Self::Sqlite(sqlite) => {
                let mut all = of_file(sqlite, Area::Log, "log.db", FULL).await?;
                all.extend(of_file(sqlite, Area::Views, "views.db", NORMAL).await?);
                Ok(all)
            }
            Self::Postgres(postgres) => {
                let sql = "SELECT name::text, setting FROM pg_settings \
                           WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') ORDER BY name";
                let rows = postgres.read(sql, &[]).await?;
                rows.iter().map(of_postgres).collect::<Result<_, _>>().map_err(corrupt)
            }
        }
    }

    /// What PostgreSQL says of itself; nothing on the embedded engine.
    pub async fn postgres_facts(&self) -> Result<Option<PostgresFacts>, StoreError> {
        let Self::Postgres(postgres) = self else { return Ok(None) };
        let sql = "SELECT current_setting('server_version_num')::bigint, current_setting('server_version'), \
                   current_setting('max_connections')::bigint, (SELECT count(*) FROM pg_stat_activity \
                   WHERE backend_type = 'client backend'), \
                   CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS bigint), \
                   (SELECT datcollversion IS DISTINCT FROM pg_database_collation_actual_version(oid) \
                   FROM pg_database WHERE datname = current_database())";
        let rows = postgres.read(sql, &[]).await?;
        let row = rows.first().ok_or_else(|| StoreError::Wrong("a query of one row had none".into()))?;
        let mut cells = Cells::of(row);
        let mut read = || -> Result<PostgresFacts, BadRow> {
            Ok(PostgresFacts {
                version_number: cells.int()?,
                version: cells.text()?.to_owned(),
                max_connections: cells.int()?,
                connections: cells.int()?,
                now_micros: cells.int()?,
                is_collation_changed: cells.bool()?,
            })
        };
        read().map(Some).map_err(corrupt)
    }

    /// The version of the embedded engine; nothing over PostgreSQL.
    pub fn sqlite_version(&self) -> Option<&'static str> {
        matches!(self, Self::Sqlite(_)).then(rusqlite::version)
    }
}

async fn of_file(
    sqlite: &Sqlite,
    area: Area,
    file: &'static str,
    synchronous: &'static [&'static str],
) -> Result<Vec<StoreSetting>, StoreError> {
    let wanted: [(&str, &[&str]); 5] = [
        ("journal_mode", &["wal"]),
        ("synchronous", synchronous),
        ("foreign_keys", &["1"]),
        ("busy_timeout", &["5000"]),
        ("recursive_triggers", &["1"]),
    ];
    // On the connection that writes: all but the first are its own.
    sqlite
        .write_with(area, move |connection| {
            let one = |(name, wanted): (&'static str, &'static [&'static str])| {
                let value = connection.pragma_query_value(None, name, |row| {
                    Ok(match row.get_ref(0)? {
                        rusqlite::types::ValueRef::Integer(number) => number.to_string(),
                        other => other.as_str()?.to_owned(),
                    })
                });
                Ok(StoreSetting { name: format!("{file} {name}"), value: value.map_err(failure)?, wanted })
            };
            wanted.into_iter().map(one).collect()
        })
        .await
}

fn of_postgres(row: &Row) -> Result<StoreSetting, BadRow> {
    let mut cells = Cells::of(row);
    let name = cells.text()?.to_owned();
    let wanted = POSTGRES.iter().find(|(known, _)| *known == name).ok_or(BadRow)?.1;
    Ok(StoreSetting { name, value: cells.text()?.to_owned(), wanted })
}

fn corrupt(error: BadRow) -> StoreError {
    StoreError::Corrupt(error.to_string())
}
