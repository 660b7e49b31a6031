//! Tables of views as each engine writes them down.

use keytrail_projections::{
    rows::TableChanges,
    view::{History, Kind, Table},
};

use super::{
    Db, Statement,
    postgres::{arrays, type_of},
};

/// The statements that make a table, with `suffix` after its name. Several statements in one text are not portable.
pub fn create_table(db: &Db, table: &Table, suffix: &str) -> Vec<String> {
    let name = format!("{}{suffix}", table.name);
    let columns: Vec<String> = table.stored_columns().iter().map(|(column, kind)| define(db, column, *kind)).collect();
    let ending = match db {
        Db::Sqlite(_) => " STRICT, WITHOUT ROWID",
        Db::Postgres(_) => "",
    };
    vec![format!(
        "CREATE TABLE {name} ({}, PRIMARY KEY ({})){ending}",
        columns.join(", "),
        table.primary_key().join(", ")
    )]
}

/// The statements that make its further indexes. Made after a build has filled the table: that is faster.
pub fn create_indexes(table: &Table, suffix: &str) -> Vec<String> {
    let name = format!("{}{suffix}", table.name);
    table
        .indexes
        .iter()
        .enumerate()
        .map(|(n, columns)| format!("CREATE INDEX IF NOT EXISTS {name}_{n} ON {name} ({})", columns.join(", ")))
        .collect()
}

/// The statement that takes it away.
pub fn drop_table(table: &Table, suffix: &str) -> String {
    format!("DROP TABLE IF EXISTS {}{suffix}", table.name)
}

fn define(db: &Db, column: &str, kind: Kind) -> String {
    let word = match (db, kind) {
        (Db::Sqlite(_), Kind::Int | Kind::MaybeInt) => "INTEGER",
        (Db::Sqlite(_), Kind::Bytes | Kind::MaybeBytes) => "BLOB",
        (Db::Postgres(_), Kind::Text | Kind::MaybeText) => "TEXT COLLATE \"C\"",
        (_, kind) => type_of(kind),
    };
    let null = match kind {
        Kind::MaybeInt | Kind::MaybeText | Kind::MaybeBytes => "",
        Kind::Int | Kind::Text | Kind::Bytes => " NOT NULL",
    };
    format!("{column} {word}{null}")
}

/// The query for rows by key, as `Rows::load` wants them: one key in `$1 …` on the embedded engine, an array per key column on
/// PostgreSQL.
pub(super) fn select_rows(db: &Db, table: &Table, suffix: &str) -> String {
    let columns: Vec<_> = table.stored_columns().iter().map(|(column, _)| format!("t.{column}")).collect();
    let key = &table.columns[..table.key];
    // A row that is there once stays what it was when it has ended: the fold must know that it was there.
    let current = if table.history == History::Many { " AND t.to_position IS NULL" } else { "" };
    let (columns, name) = (columns.join(", "), table.name);
    let equal = |other: &dyn Fn(usize, &str) -> String| {
        let all: Vec<_> =
            key.iter().enumerate().map(|(n, (column, _))| format!("t.{column} = {}", other(n, column))).collect();
        all.join(" AND ")
    };
    match db {
        Db::Sqlite(_) => {
            let equal = equal(&|n, _| format!("${}", n + 1));
            format!("SELECT {columns} FROM {name}{suffix} AS t WHERE {equal}{current}")
        }
        Db::Postgres(_) => {
            let kinds: Vec<Kind> = key.iter().map(|(_, kind)| *kind).collect();
            let names: Vec<_> = key.iter().map(|(column, _)| *column).collect();
            let equal = equal(&|_, column| format!("k.{column}"));
            format!(
                "SELECT {columns} FROM {} AS k ({}) JOIN {name}{suffix} AS t ON {equal}{current}",
                arrays(&kinds),
                names.join(", ")
            )
        }
    }
}

/// The statements that write changes of a table.
pub fn write_changes(changes: TableChanges, suffix: &str) -> Vec<Statement> {
    let table = changes.table;
    let columns = table.stored_columns();
    let name = format!("{}{suffix}", table.name);
    let names: Vec<_> = columns.iter().map(|(column, _)| *column).collect();
    let kinds: Vec<_> = columns.iter().map(|(_, kind)| *kind).collect();
    let head = format!("INSERT INTO {name} ({})", names.join(", "));
    let key = table.primary_key();
    let mut statements = Vec::new();
    if !changes.deletes.is_empty() {
        let kinds = kinds[..table.key].to_vec();
        statements.push(Statement::delete(name, names[..table.key].to_vec(), kinds, changes.deletes));
    }
    if !changes.inserts.is_empty() {
        let tail = format!("ON CONFLICT ({}) DO NOTHING", key.join(", "));
        statements.push(Statement::insert(head.clone(), kinds.clone(), changes.inserts, tail));
    }
    if !changes.upserts.is_empty() {
        let rest: Vec<_> = names
            .iter()
            .filter(|column| !key.contains(column))
            .map(|column| format!("{column} = excluded.{column}"))
            .collect();
        let action = if rest.is_empty() { "NOTHING".to_owned() } else { format!("UPDATE SET {}", rest.join(", ")) };
        let tail = format!("ON CONFLICT ({}) DO {action}", key.join(", "));
        statements.push(Statement::insert(head, kinds, changes.upserts, tail));
    }
    statements
}
