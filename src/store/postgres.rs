//! PostgreSQL, through sqlx; the pool is the one that postgres-es reads streams with.

use std::time::Duration;

use keytrail_projections::{
    value::{Row, Value},
    view::Kind,
};
use sqlx::{
    Column, Connection, Executor, PgPool, Postgres as Pg, Row as _, TypeInfo, ValueRef,
    encode::IsNull,
    error::{BoxDynError, ErrorKind},
    pool::PoolConnection,
    postgres::{PgArgumentBuffer, PgArguments, PgConnection, PgPoolOptions, PgRow, PgTypeInfo, types::Oid},
    query::Query,
};

use super::{
    error::StoreError,
    statement::{Body, Statement},
};

/// A connection that was not used for so long may have lost its server: it is asked before it is used.
const RESTED: Duration = Duration::from_secs(1);

/// Longer than this the log does not wait for an answer: the network swallows it, and without a bound whoever waits
/// would do so for as long as TCP goes on trying. Well beyond the server's own time-outs, which say more.
pub const ANSWERS_WITHIN: Duration = Duration::from_secs(20);

/// How often a transaction is done once more that stood in the way of another one.
const MOST_UNDONE: u32 = 5;

/// The store in a PostgreSQL database.
pub struct Postgres {
    pool: PgPool,
}

impl Postgres {
    /// Connects. `url` may hold a password: it is in no error of ours.
    pub async fn open(url: &str, connections: u32) -> Result<Self, StoreError> {
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(Duration::from_secs(5))
            // A question to the server before every other question would double them all.
            .test_before_acquire(false)
            .before_acquire(|connection, state| {
                Box::pin(async move {
                    if state.idle_for > RESTED {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .after_connect(|connection, _| {
                Box::pin(async move {
                    // A session that hangs while it holds the head row would stop the log.
                    connection
                        .execute("SET idle_in_transaction_session_timeout = '10s'; SET lock_timeout = '10s'; SET timezone = 'UTC'; SET client_min_messages = warning")
                        .await?;
                    Ok(())
                })
            })
            .connect(url)
            .await
            .map_err(failure)?;
        Ok(Self { pool })
    }

    /// The connections.
    pub const fn pool(&self) -> &PgPool {
        &self.pool
    }

    pub(super) async fn read(&self, sql: &str, args: &[Value]) -> Result<Vec<Row>, StoreError> {
        let found = bind(sqlx::query(sql), args).fetch_all(&self.pool).await.map_err(failure)?;
        found.iter().map(row).collect()
    }

    /// As [`Self::read`], but for no longer than [`ANSWERS_WITHIN`].
    pub(crate) async fn read_in_time(&self, sql: &str, args: &[Value]) -> Result<Vec<Row>, StoreError> {
        let mut connection = self.pool.acquire().await.map_err(failure)?;
        match tokio::time::timeout(ANSWERS_WITHIN, bind(sqlx::query(sql), args).fetch_all(&mut *connection)).await {
            Ok(found) => found.map_err(failure)?.iter().map(row).collect(),
            Err(_) => Err(silent(connection)),
        }
    }

    /// The rows that a query with one array per key column finds.
    pub(super) async fn lookup(&self, sql: &str, kinds: &[Kind], keys: &[Row]) -> Result<Vec<Row>, StoreError> {
        let query = bind_columns(sqlx::query(sql), kinds, keys);
        query.fetch_all(&self.pool).await.map_err(failure)?.iter().map(row).collect()
    }

    /// Where two transactions wait for each other the server undoes one of them; that one is done once more.
    pub(super) async fn write(&self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>, StoreError> {
        let mut left = MOST_UNDONE;
        loop {
            match self.transact(&statements).await {
                Err(StoreError::Undone(why)) if left > 0 => {
                    left -= 1;
                    tracing::debug!(why, "a transaction is done once more");
                }
                done => return done,
            }
        }
    }

    async fn transact(&self, statements: &[Statement]) -> Result<Vec<Vec<Row>>, StoreError> {
        let mut transaction = self.pool.begin().await.map_err(failure)?;
        let mut answers = Vec::with_capacity(statements.len());
        for statement in statements {
            answers.push(run(&mut transaction, statement).await?);
        }
        transaction.commit().await.map_err(failure)?;
        Ok(answers)
    }
}

/// NULL of whatever type the place wants: sent with the type `unknown`, which the server resolves.
struct Nothing;

impl sqlx::Type<Pg> for Nothing {
    fn type_info() -> PgTypeInfo {
        const UNKNOWN: Oid = Oid(705);
        PgTypeInfo::with_oid(UNKNOWN)
    }
}

impl sqlx::Encode<'_, Pg> for Nothing {
    fn encode_by_ref(&self, _buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Ok(IsNull::Yes)
    }
}

type Bound<'q> = Query<'q, Pg, PgArguments>;

fn bind<'q>(mut query: Bound<'q>, args: &'q [Value]) -> Bound<'q> {
    for arg in args {
        query = match arg {
            Value::Null => query.bind(Nothing),
            Value::Int(value) => query.bind(*value),
            Value::Text(value) => query.bind(&**value),
            Value::Bytes(value) => query.bind(&**value),
        };
    }
    query
}

/// One array per column.
fn bind_columns<'q>(mut query: Bound<'q>, kinds: &[Kind], rows: &'q [Row]) -> Bound<'q> {
    for (column, kind) in kinds.iter().enumerate() {
        let cells = rows.iter().map(move |row| &row[column]);
        query = match kind {
            Kind::Int | Kind::MaybeInt => query.bind(
                cells
                    .map(|cell| match cell {
                        Value::Int(value) => Some(*value),
                        Value::Null | Value::Text(_) | Value::Bytes(_) => None,
                    })
                    .collect::<Vec<_>>(),
            ),
            Kind::Text | Kind::MaybeText => query.bind(
                cells
                    .map(|cell| match cell {
                        Value::Text(value) => Some(&**value),
                        Value::Null | Value::Int(_) | Value::Bytes(_) => None,
                    })
                    .collect::<Vec<Option<&str>>>(),
            ),
            Kind::Bytes | Kind::MaybeBytes => query.bind(
                cells
                    .map(|cell| match cell {
                        Value::Bytes(value) => Some(&**value),
                        Value::Null | Value::Int(_) | Value::Text(_) => None,
                    })
                    .collect::<Vec<Option<&[u8]>>>(),
            ),
        };
    }
    query
}

/// The engine's word for a column's type.
pub(super) const fn type_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Int | Kind::MaybeInt => "BIGINT",
        Kind::Text | Kind::MaybeText => "TEXT",
        Kind::Bytes | Kind::MaybeBytes => "BYTEA",
    }
}

/// The arrays of many keys or rows, as a table.
pub(super) fn arrays(kinds: &[Kind]) -> String {
    let arrays: Vec<_> =
        kinds.iter().enumerate().map(|(n, kind)| format!("${}::{}[]", n + 1, type_of(*kind))).collect();
    format!("unnest({})", arrays.join(", "))
}

/// Runs one statement inside a transaction.
pub async fn run(connection: &mut PgConnection, statement: &Statement) -> Result<Vec<Row>, StoreError> {
    let mut answer = Vec::new();
    let changed = match &statement.body {
        Body::One { sql, args } => {
            let returns = sql.contains("RETURNING") || sql.trim_start().starts_with("SELECT");
            let query = bind(sqlx::query(sql), args);
            if returns {
                let found = query.fetch_all(&mut *connection).await.map_err(failure)?;
                answer = found.iter().map(row).collect::<Result<_, _>>()?;
                answer.len() as u64
            } else {
                query.execute(&mut *connection).await.map_err(failure)?.rows_affected()
            }
        }
        Body::Insert { head, kinds, rows, tail } => {
            let sql = format!("{head} SELECT * FROM {} {tail}", arrays(kinds));
            let query = bind_columns(sqlx::query(&sql), kinds, rows);
            query.execute(&mut *connection).await.map_err(failure)?.rows_affected()
        }
        Body::Delete { table, columns, kinds, rows } => {
            let sql =
                format!("DELETE FROM {table} WHERE ({}) IN (SELECT * FROM {})", columns.join(", "), arrays(kinds));
            let query = bind_columns(sqlx::query(&sql), kinds, rows);
            query.execute(&mut *connection).await.map_err(failure)?.rows_affected()
        }
    };
    match statement.expect {
        Some(expected) if expected != changed => Err(StoreError::Fenced),
        _ => Ok(answer),
    }
}

fn row(found: &PgRow) -> Result<Row, StoreError> {
    found
        .columns()
        .iter()
        .map(|column| {
            let n = column.ordinal();
            let raw = found.try_get_raw(n).map_err(failure)?;
            if raw.is_null() {
                return Ok(Value::Null);
            }
            let info = raw.type_info();
            Ok(match info.name() {
                "INT8" => Value::Int(found.try_get(n).map_err(failure)?),
                "INT4" => Value::Int(i64::from(found.try_get::<i32, _>(n).map_err(failure)?)),
                "INT2" => Value::Int(i64::from(found.try_get::<i16, _>(n).map_err(failure)?)),
                "BOOL" => Value::from(found.try_get::<bool, _>(n).map_err(failure)?),
                "BYTEA" => Value::from(found.try_get::<&[u8], _>(n).map_err(failure)?),
                "TEXT" | "VARCHAR" => Value::from(found.try_get::<&str, _>(n).map_err(failure)?),
                // The exact text: `json` keeps its bytes.
                "JSON" => Value::from(found.try_get_unchecked::<&str, _>(n).map_err(failure)?),
                other => return Err(StoreError::Wrong(format!("a column of type {other} is not expected"))),
            })
        })
        .collect()
}

/// Our words for the driver's.
pub fn failure(error: sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::Database(error) => match error.kind() {
            ErrorKind::UniqueViolation => {
                StoreError::Conflict { constraint: error.constraint().unwrap_or_default().to_owned() }
            }
            _ => of_state(&error.code().unwrap_or_default(), error.message().to_owned()),
        },
        sqlx::Error::Io(error) => StoreError::Unavailable(error.to_string()),
        sqlx::Error::Tls(_) => StoreError::Unavailable("the TLS handshake failed".into()),
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
            StoreError::Unavailable("no connection could be had in time".into())
        }
        sqlx::Error::Protocol(text) => StoreError::Unavailable(text),
        sqlx::Error::Configuration(_) => StoreError::Wrong("the database URL cannot be read".into()),
        other => StoreError::Wrong(other.to_string()),
    }
}

/// What is to be said of a connection that did not answer in time. It is closed: given back to the pool, it would be asked
/// how it is, and not answer that either.
pub fn silent(connection: PoolConnection<Pg>) -> StoreError {
    drop(connection.detach());
    StoreError::Unavailable("it did not answer in time; what it was asked to do may be done or not".into())
}

/// What the server's SQLSTATE means to us.
fn of_state(code: &str, text: String) -> StoreError {
    // Connection, shutdown, too many connections, lock and idle time-outs; and what the server's machine refused it: an error of
    // its disk says nothing of what is stored.
    const PASSING: [&str; 6] = ["08", "57", "58", "53", "55", "25P"];
    match code {
        // Serialisation and deadlock. Of 40003 nobody knows whether it was done.
        "40001" | "40P01" => StoreError::Undone(text),
        code if code.starts_with("40") => StoreError::Unavailable(text),
        "53100" => StoreError::Full,
        "XX001" | "XX002" => StoreError::Corrupt(text),
        code if PASSING.iter().any(|class| code.starts_with(class)) => StoreError::Unavailable(text),
        _ => StoreError::Wrong(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_the_servers_disk_is_no_damage_and_may_pass() {
        for code in ["58030", "58000", "57P01", "40003", "08006", "25P03", "55P03", "53300"] {
            assert!(matches!(of_state(code, String::new()), StoreError::Unavailable(_)), "{code}");
        }
        for code in ["40P01", "40001"] {
            assert!(matches!(of_state(code, String::new()), StoreError::Undone(_)), "{code}");
        }
        assert!(matches!(of_state("53100", String::new()), StoreError::Full));
        assert!(matches!(of_state("XX001", String::new()), StoreError::Corrupt(_)));
        assert!(matches!(of_state("42601", String::new()), StoreError::Wrong(_)));
    }
}
