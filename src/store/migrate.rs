//! Migrations: forward only, run by themselves at the start, refused when the schema is newer than the program.

use std::collections::BTreeMap;

use keytrail_domain::{hex::lower_hex, timestamp::Timestamp};
use keytrail_projections::value::{Cells, Value};
use sha2::{Digest, Sha256};

use super::{Area, Db, Statement, StoreError};

struct Migration {
    area: Area,
    name: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
}

macro_rules! migration {
    ($area:expr, $name:literal) => {
        Migration {
            area: $area,
            name: $name,
            sqlite: include_str!(concat!("../../migrations/sqlite/", $name, ".sql")),
            postgres: include_str!(concat!("../../migrations/postgres/", $name, ".sql")),
        }
    };
}

/// In the order in which they run. A released one is never edited.
const MIGRATIONS: &[Migration] = &[
    migration!(Area::Log, "log_0001_events"),
    migration!(Area::Log, "log_0002_truth"),
    migration!(Area::Log, "log_0003_poll_shards"),
    migration!(Area::Log, "log_0004_job_shards"),
    migration!(Area::Log, "log_0005_token_scopes"),
    migration!(Area::Log, "log_0006_job_turns"),
    migration!(Area::Log, "log_0007_webhook_inbox"),
    migration!(Area::Log, "log_0008_pull_request_listings"),
    migration!(Area::Log, "log_0009_ssh_key_uses"),
    migration!(Area::Log, "log_0010_ssh_key_folders"),
    migration!(Area::Log, "log_0011_inbox_writes"),
    migration!(Area::Views, "views_0001_builds"),
];

/// Why the store could not be made ready.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// A newer program was here.
    #[error(
        "the database has the migration {name}, which this version of keytrail does not know: start the newer version that made it"
    )]
    Newer {
        /// The unknown migration.
        name: String,
    },
    /// What ran is not what this program would run.
    #[error(
        "the migration {name} was changed after it ran: this keytrail and the one that made the database do not belong together"
    )]
    Changed {
        /// Which.
        name: String,
    },
    /// The engine refused.
    #[error("the database could not be made ready")]
    Store(#[from] StoreError),
}

/// The names of the migrations that are to run. Changes nothing.
pub async fn pending(db: &Db) -> Result<Vec<&'static str>, MigrateError> {
    let mut names = Vec::new();
    for area in areas(db) {
        names.extend(check(db, &applied(db, area).await?, area)?.into_iter().map(|migration| migration.name));
    }
    Ok(names)
}

/// How many this version knows.
pub const fn count() -> usize {
    MIGRATIONS.len()
}

/// Runs what is to run, each migration in a transaction of its own.
pub async fn migrate(db: &Db, now: Timestamp) -> Result<Vec<&'static str>, MigrateError> {
    let mut names = Vec::new();
    for area in areas(db) {
        let table = "CREATE TABLE IF NOT EXISTS schema_migrations (name TEXT PRIMARY KEY, checksum TEXT NOT NULL, applied_at BIGINT NOT NULL)";
        let table = if matches!(db, Db::Sqlite(_)) { table.replace("BIGINT", "INTEGER") } else { table.to_owned() };
        if let Err(error) = db.write(area, vec![Statement::new(table, vec![])]).await {
            // Of nodes that start together one makes it. PostgreSQL refuses the others in more than one way.
            if !is_begun(db, area).await? {
                return Err(error.into());
            }
        }
        for migration in check(db, &applied(db, area).await?, area)? {
            if run(db, migration, now).await? {
                names.push(migration.name);
            }
        }
    }
    Ok(names)
}

/// On PostgreSQL everything is in one place.
fn areas(db: &Db) -> Vec<Area> {
    match db {
        Db::Sqlite(_) => vec![Area::Log, Area::Views],
        Db::Postgres(_) => vec![Area::Log],
    }
}

fn belongs(db: &Db, migration: &Migration, area: Area) -> bool {
    matches!(db, Db::Postgres(_)) || migration.area == area
}

fn text(db: &Db, migration: &Migration) -> &'static str {
    match db {
        Db::Sqlite(_) => migration.sqlite,
        Db::Postgres(_) => migration.postgres,
    }
}

fn checksum(sql: &str) -> String {
    lower_hex(&Sha256::digest(sql.as_bytes()))
}

/// Whether what says which migrations ran is there.
async fn is_begun(db: &Db, area: Area) -> Result<bool, StoreError> {
    let exists = match db {
        Db::Sqlite(_) => "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'schema_migrations'",
        Db::Postgres(_) => {
            "SELECT 1 FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = 'schema_migrations'"
        }
    };
    Ok(!db.read(area, exists, &[]).await?.is_empty())
}

async fn applied(db: &Db, area: Area) -> Result<BTreeMap<String, String>, StoreError> {
    if !is_begun(db, area).await? {
        return Ok(BTreeMap::new());
    }
    let rows = db.read(area, "SELECT name, checksum FROM schema_migrations ORDER BY name", &[]).await?;
    rows.iter()
        .map(|row| {
            let mut cells = Cells::of(row);
            Ok((cells.text()?.to_owned(), cells.text()?.to_owned()))
        })
        .collect::<Result<_, keytrail_projections::value::BadRow>>()
        .map_err(|error| StoreError::Corrupt(error.to_string()))
}

fn check(db: &Db, applied: &BTreeMap<String, String>, area: Area) -> Result<Vec<&'static Migration>, MigrateError> {
    let known: Vec<_> = MIGRATIONS.iter().filter(|migration| belongs(db, migration, area)).collect();
    if let Some(name) = applied.keys().find(|name| !known.iter().any(|migration| migration.name == **name)) {
        return Err(MigrateError::Newer { name: name.clone() });
    }
    let mut todo = Vec::new();
    for migration in known {
        match applied.get(migration.name) {
            None => todo.push(migration),
            Some(sum) if *sum != checksum(text(db, migration)) => {
                return Err(MigrateError::Changed { name: migration.name.to_owned() });
            }
            Some(_) => {}
        }
    }
    Ok(todo)
}

/// Whether this node ran it; another one that starts at the same time may have.
async fn run(db: &Db, migration: &Migration, now: Timestamp) -> Result<bool, StoreError> {
    let sql = text(db, migration);
    let note = Statement::new(
        "INSERT INTO schema_migrations (name, checksum, applied_at) VALUES ($1, $2, $3)",
        vec![Value::from(migration.name), Value::from(checksum(sql)), Value::from(now)],
    );
    match db {
        Db::Sqlite(sqlite) => {
            sqlite
                .write_with(migration.area, move |connection| {
                    let transaction = connection.transaction().map_err(super::sqlite::failure)?;
                    transaction.execute_batch(sql).map_err(super::sqlite::failure)?;
                    super::sqlite::run(&transaction, &note)?;
                    transaction.commit().map_err(super::sqlite::failure)
                })
                .await?;
        }
        Db::Postgres(postgres) => {
            use super::postgres::failure;
            let mut transaction = postgres.pool().begin().await.map_err(failure)?;
            let lock = "LOCK TABLE schema_migrations IN ACCESS EXCLUSIVE MODE";
            sqlx::query(lock).execute(&mut *transaction).await.map_err(failure)?;
            let there = sqlx::query("SELECT 1 FROM schema_migrations WHERE name = $1").bind(migration.name);
            if there.fetch_optional(&mut *transaction).await.map_err(failure)?.is_some() {
                return Ok(false);
            }
            sqlx::raw_sql(sql).execute(&mut *transaction).await.map_err(failure)?;
            super::postgres::run(&mut transaction, &note).await?;
            transaction.commit().await.map_err(failure)?;
        }
    }
    Ok(true)
}
