//! Arguments and rows as the driver takes and gives them. Called by the embedded engine and by those who run statements
//! on its connections; it opens nothing.

use keytrail_projections::value::{BadRow, Cell, Cells, Row, Value};
use rusqlite::{
    Connection, ToSql,
    types::{ToSqlOutput, ValueRef},
};

use super::failure;
use crate::store::StoreError;

/// No query of ours has more.
const MOST_COLUMNS: usize = 32;

/// A value as the driver takes it.
struct Bound<'a>(&'a Value);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::Int(value) => ValueRef::Integer(*value),
            Value::Text(value) => ValueRef::Text(value.as_bytes()),
            Value::Bytes(value) => ValueRef::Blob(value),
        }))
    }
}

pub(super) fn bound(args: &[Value]) -> impl rusqlite::Params + '_ {
    rusqlite::params_from_iter(args.iter().map(Bound))
}

/// The rows of a query; its text has `?n` markers.
pub fn rows(connection: &Connection, sql: &str, args: &[Value]) -> Result<Vec<Row>, StoreError> {
    rows_until(connection, sql, args, usize::MAX)
}

/// The rows of a query until their texts and bytes are more than `bytes` together; at least one if there is one.
pub fn rows_until(connection: &Connection, sql: &str, args: &[Value], bytes: usize) -> Result<Vec<Row>, StoreError> {
    let mut left = bytes;
    let mut statement = connection.prepare_cached(sql).map_err(failure)?;
    let columns = statement.column_count();
    let mut found = statement.query(bound(args)).map_err(failure)?;
    let mut rows = Vec::new();
    while let Some(row) = found.next().map_err(failure)? {
        let cells = (0..columns).map(|column| value(row.get_ref(column).map_err(failure)?));
        let row: Row = cells.collect::<Result<_, _>>()?;
        let size: usize = row.iter().map(size).sum();
        rows.push(row);
        if size >= left {
            break;
        }
        left -= size;
    }
    Ok(rows)
}

fn size(value: &Value) -> usize {
    match value {
        Value::Null | Value::Int(_) => 8,
        Value::Text(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
    }
}

fn value(cell: ValueRef<'_>) -> Result<Value, StoreError> {
    Ok(match self::cell(cell)? {
        Cell::Null => Value::Null,
        Cell::Int(value) => Value::Int(value),
        Cell::Text(text) => Value::Text(text.into()),
        Cell::Bytes(bytes) => Value::Bytes(bytes.into()),
    })
}

fn cell(cell: ValueRef<'_>) -> Result<Cell<'_>, StoreError> {
    Ok(match cell {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(value) => Cell::Int(value),
        ValueRef::Text(bytes) => {
            Cell::Text(std::str::from_utf8(bytes).map_err(|_| StoreError::Corrupt("a text is not UTF-8".into()))?)
        }
        ValueRef::Blob(bytes) => Cell::Bytes(bytes),
        ValueRef::Real(_) => return Err(StoreError::Corrupt("a number has a fraction".into())),
    })
}

/// What `row` makes of each row of a query, read from the driver's own memory.
pub(super) fn read_as<T>(
    connection: &Connection,
    sql: &str,
    args: &[Value],
    row: fn(&mut Cells<'_>) -> Result<T, BadRow>,
) -> Result<Vec<T>, StoreError> {
    let mut statement = connection.prepare_cached(sql).map_err(failure)?;
    let columns = statement.column_count();
    let mut found = statement.query(bound(args)).map_err(failure)?;
    let mut read = Vec::new();
    while let Some(here) = found.next().map_err(failure)? {
        let mut cells = [Cell::Null; MOST_COLUMNS];
        let cells = cells.get_mut(..columns).ok_or_else(|| StoreError::Wrong("a query has too many columns".into()))?;
        for (column, cell) in cells.iter_mut().enumerate() {
            *cell = self::cell(here.get_ref(column).map_err(failure)?)?;
        }
        read.push(row(&mut Cells::borrowed(cells)).map_err(|error| StoreError::Corrupt(error.to_string()))?);
    }
    Ok(read)
}
