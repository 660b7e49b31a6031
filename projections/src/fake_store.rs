//! A store in memory with the rules of the real ones, for tests: it refuses what an engine would refuse.

use std::collections::{BTreeMap, BTreeSet};

use keytrail_domain::{
    fact::Fact,
    recorded::{Position, Recorded},
};

use crate::{
    rows::{Keys, Rows, TableChanges},
    value::{BadRow, Cells, Row, Value},
    view::{History, Kind, Read, Table, View},
};

/// The rows of all tables, by table and stored primary key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FakeStore(BTreeMap<&'static str, BTreeMap<Row, Row>>);

impl FakeStore {
    /// The view over these facts, folded in pages of `page` facts.
    pub(crate) fn folded(view: &dyn View, facts: &[Recorded<Fact>], page: usize) -> Self {
        let mut store = Self::default();
        for page in facts.chunks(page) {
            store.project(view, page);
        }
        store
    }

    /// Does what the executor does with a page of facts.
    pub(crate) fn project(&mut self, view: &dyn View, page: &[Recorded<Fact>]) {
        let mut keys = Keys::default();
        for fact in page {
            view.keys(fact, &mut keys);
        }
        let mut rows = Rows::default();
        self.load(keys, &mut rows);
        for fact in page {
            rows.at(fact.position);
            view.fold(&mut rows, fact);
        }
        for changes in rows.into_changes() {
            assert!(view.tables().contains(changes.table), "{} is of another view", changes.table.name);
            self.apply(changes);
        }
    }

    /// Loads what was asked for.
    pub(crate) fn load(&self, keys: Keys, rows: &mut Rows) {
        for (table, keys) in keys.into_tables() {
            for key in keys {
                let stored = self.stored(table).find(|row| row[..table.key] == key[..] && loads(table, row)).cloned();
                rows.load(table, key, stored);
            }
        }
    }

    /// Writes changes as the engines do, each key at most once.
    pub(crate) fn apply(&mut self, changes: TableChanges) {
        let TableChanges { table, upserts, inserts, deletes } = changes;
        let stored = self.0.entry(table.name).or_default();
        let mut written = BTreeSet::new();
        let mut once = |key: &Row| assert!(written.insert(key.clone()), "{} {key:?} is written twice", table.name);
        for key in deletes {
            once(&key);
            assert_eq!(table.history, History::None, "{} forgets", table.name);
            assert!(stored.remove(&key).is_some(), "{} {key:?} is deleted and was not there", table.name);
        }
        for row in upserts {
            let key = primary_key(table, &row);
            once(&key);
            stored.insert(key, row);
        }
        for row in inserts {
            let key = primary_key(table, &row);
            once(&key);
            stored.entry(key).or_insert(row);
        }
    }

    /// All rows of a table as stored, in the order of the primary key.
    pub(crate) fn stored(&self, table: &Table) -> impl Iterator<Item = &Row> {
        self.0.get(table.name).into_iter().flat_map(BTreeMap::values)
    }

    /// The rows of a table that are there now: without their end.
    pub(crate) fn current(&self, table: &Table) -> Vec<Row> {
        self.at(table, Position::MAX)
    }

    /// The rows of a table that were there at a position, by their range: without their end.
    pub(crate) fn at(&self, table: &Table, position: Position) -> Vec<Row> {
        let there = |row: &&Row| match (&row[table.columns.len()], &row[table.columns.len() + 1]) {
            (Value::Int(from), Value::Null) => *from <= position,
            (Value::Int(from), Value::Int(to)) => *from <= position && *to > position,
            other => panic!("{} has the range {other:?}", table.name),
        };
        let without_end = |row: &Row| row[..=table.columns.len()].to_vec();
        self.stored(table).filter(there).map(without_end).collect()
    }

    /// Reads all rows of a table without history by a reader of its whole rows.
    pub(crate) fn read<T>(&self, table: &Table, read: fn(&mut Cells<'_>) -> Result<T, BadRow>) -> Vec<T> {
        assert_eq!(table.history, History::None);
        self.stored(table).map(|row| read(&mut Cells::of(row)).expect("a row of its table")).collect()
    }
}

fn loads(table: &Table, row: &Row) -> bool {
    table.history != History::Many || row[table.columns.len() + 1] == Value::Null
}

fn primary_key(table: &Table, row: &Row) -> Row {
    let columns = table.stored_columns();
    assert_eq!(row.len(), columns.len(), "{}", table.name);
    for ((name, kind), cell) in columns.iter().zip(row) {
        let fits = matches!(
            (kind, cell),
            (Kind::Int | Kind::MaybeInt, Value::Int(_))
                | (Kind::Text | Kind::MaybeText, Value::Text(_))
                | (Kind::Bytes | Kind::MaybeBytes, Value::Bytes(_))
                | (Kind::MaybeInt | Kind::MaybeText | Kind::MaybeBytes, Value::Null)
        );
        assert!(fits, "{}.{name} holds {cell:?}", table.name);
    }
    let mut key = row[..table.key].to_vec();
    if table.history == History::Many {
        key.push(row[table.columns.len()].clone());
    }
    key
}

/// What any read must be: as many arguments as markers, and no tables but those of its view.
pub(crate) fn check_read<T>(read: &Read<T>) {
    let sql = read.sql;
    let marker = |part: &str| -> usize {
        let digits = part.len() - part.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        part[..digits].parse().expect("a number after each $")
    };
    let markers: BTreeSet<usize> = sql.split('$').skip(1).map(marker).collect();
    assert_eq!(markers, (1..=read.args.len()).collect(), "{sql}");
    for before in sql.split('@').rev().skip(1) {
        let start = before.rfind(|c: char| !c.is_ascii_alphanumeric() && c != '_').map_or(0, |at| at + 1);
        let name = &before[start..];
        assert!(read.view.tables().iter().any(|table| table.name == name), "{name} is of another view: {sql}");
    }
    for table in sql.split("FROM ").chain(sql.split("JOIN ")).skip(1) {
        let name = table.split([' ', ')']).next().unwrap_or_default();
        assert!(name.ends_with('@') || name.starts_with('(') || name == "SELECT", "{name} lacks its @: {sql}");
    }
}

/// A read of whole rows names the columns of the table in their order, with `prefix` before each.
pub(crate) fn check_columns<T>(read: &Read<T>, table: &Table, prefix: &str) {
    let columns: Vec<_> = table.columns.iter().map(|(name, _)| format!("{prefix}{name}")).collect();
    let start = format!("SELECT {}", columns.join(", "));
    assert!(read.sql.starts_with(&start), "{} does not start with {start}", read.sql);
}
