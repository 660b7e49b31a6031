//! The rows that a page of facts touches, in memory: loaded before the fold, changed by it, written after it as the
//! difference.

use std::collections::{BTreeMap, BTreeSet};

use keytrail_domain::recorded::Position;

use crate::{
    value::{Row, Value},
    view::{History, Table},
};

#[cfg(test)]
mod tests;

/// Which rows a page of facts needs.
#[derive(Debug, Default)]
pub struct Keys(BTreeMap<&'static str, (&'static Table, BTreeSet<Row>)>);

impl Keys {
    /// Asks for the row of `table` with this key.
    pub fn add(&mut self, table: &'static Table, key: Row) {
        debug_assert_eq!(key.len(), table.key, "{}", table.name);
        self.0.entry(table.name).or_insert_with(|| (table, BTreeSet::new())).1.insert(key);
    }

    /// What was asked for, table by table, keys in order.
    pub fn into_tables(self) -> impl Iterator<Item = (&'static Table, BTreeSet<Row>)> {
        self.0.into_values()
    }
}

/// A row as it is now, and since when.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Version {
    row: Row,
    from: Position,
}

impl Version {
    fn new(table: &Table, row: Row, at: Position) -> Self {
        // Without history a row that is as it was is the same row, whenever it was written.
        Self { row, from: if table.history == History::None { 0 } else { at } }
    }
}

#[derive(Debug, Default)]
struct Entry {
    /// Whether the store was asked for it.
    loaded: bool,
    /// As it is in the store.
    stored: Option<Version>,
    /// As it is now.
    now: Option<Version>,
    /// It may be in the store already, and then stays as it is there.
    once: bool,
    /// It was there, ended, and by its table's rule never comes back.
    over: bool,
    /// Versions that came and went within this page, and the stored one if it ended: (version, end).
    ended: Vec<(Version, Position)>,
}

/// How rows of one table are to be changed in the store. Rows are as stored: with the columns of history.
#[derive(Debug, PartialEq, Eq)]
pub struct TableChanges {
    /// Which table.
    pub table: &'static Table,
    /// Write these, whether they are there or not; in the order of the key.
    pub upserts: Vec<Row>,
    /// Write these unless their key is there; in the order of the key.
    pub inserts: Vec<Row>,
    /// Take the rows with these keys away (tables without history only).
    pub deletes: Vec<Row>,
}

/// The rows that a page of facts touches.
#[derive(Debug, Default)]
pub struct Rows {
    at: Position,
    tables: BTreeMap<&'static str, (&'static Table, BTreeMap<Row, Entry>)>,
    /// Rows of tables of which no row was asked for, as they came: what is there twice is found when they are put in
    /// order.
    added: BTreeMap<&'static str, (&'static Table, Vec<Version>)>,
}

impl Rows {
    /// Says which fact is being folded: what changes from now on changes at this position.
    pub fn at(&mut self, position: Position) {
        self.at = position;
    }

    /// Takes in what the store holds for a key, as stored: of [`History::Many`] the version that has not ended, of the
    /// others the row, whether it has ended or not.
    pub fn load(&mut self, table: &'static Table, key: Row, stored: Option<Row>) {
        let mut entry = Entry { loaded: true, ..Entry::default() };
        if let Some(mut row) = stored {
            let mut from = 0;
            if table.history != History::None {
                if let Some(Value::Int(position)) = row.get(table.columns.len()) {
                    from = *position;
                }
                entry.over = row.get(table.columns.len() + 1).is_some_and(|to| *to != Value::Null);
                row.truncate(table.columns.len());
            }
            if !entry.over {
                entry.stored = Some(Version { row, from });
                entry.now.clone_from(&entry.stored);
            }
        }
        self.table(table).insert(key, entry);
    }

    /// The row with this key, as it is now. It must have been asked for with [`Keys::add`].
    pub fn get(&self, table: &'static Table, key: &[Value]) -> Option<&[Value]> {
        let entry = self.tables.get(table.name).and_then(|(_, rows)| rows.get(key));
        debug_assert!(entry.is_some_and(|entry| entry.loaded), "{} was not asked for", table.name);
        entry.and_then(|entry| entry.now.as_ref()).map(|version| version.row.as_slice())
    }

    /// Makes the row what it is from now on. It must have been asked for. Saying the same again changes nothing.
    pub fn put(&mut self, table: &'static Table, row: Row) {
        debug_assert_eq!(row.len(), table.columns.len(), "{}", table.name);
        debug_assert!(table.history != History::Once, "rows of {} do not change", table.name);
        let at = self.at;
        let entry = self.table(table).entry(row[..table.key].to_vec()).or_default();
        debug_assert!(entry.loaded, "{} was not asked for", table.name);
        if entry.now.as_ref().is_some_and(|now| now.row == row) {
            return;
        }
        // What changes twice at one position was never seen in between.
        if let Some(before) = entry.now.take()
            && table.history == History::Many
            && before.from != at
        {
            entry.ended.push((before, at));
        }
        entry.once = false;
        entry.now = Some(Version::new(table, row, at));
    }

    /// Adds the row unless its key is there already. Needs no load, so it is how big tables grow.
    pub fn put_once(&mut self, table: &'static Table, row: Row) {
        debug_assert_eq!(row.len(), table.columns.len(), "{}", table.name);
        debug_assert!(table.history != History::Many, "rows of {} come back", table.name);
        let at = self.at;
        if !self.tables.contains_key(table.name) {
            let (_, added) = self.added.entry(table.name).or_insert_with(|| (table, Vec::new()));
            added.push(Version::new(table, row, at));
            return;
        }
        let entry = self.table(table).entry(row[..table.key].to_vec()).or_default();
        if entry.now.is_none() && !entry.over {
            // A stored row that is not there now was deleted within this page: this one takes its place.
            entry.once = entry.stored.is_none();
            entry.now = Some(Version::new(table, row, at));
        }
    }

    /// The row is there no more. It must have been asked for.
    pub fn end(&mut self, table: &'static Table, key: &[Value]) {
        let at = self.at;
        let Some(entry) = self.table(table).get_mut(key) else {
            debug_assert!(false, "{} was not asked for", table.name);
            return;
        };
        debug_assert!(entry.loaded, "{} was not asked for", table.name);
        entry.once = false;
        if let Some(before) = entry.now.take()
            && table.history != History::None
            && before.from != at
        {
            entry.over = table.history == History::Once;
            entry.ended.push((before, at));
        }
    }

    fn table(&mut self, table: &'static Table) -> &mut BTreeMap<Row, Entry> {
        &mut self.tables.entry(table.name).or_insert_with(|| (table, BTreeMap::new())).1
    }

    /// The difference to the store, in a fixed order.
    pub fn into_changes(self) -> Vec<TableChanges> {
        let mut all: BTreeMap<&'static str, TableChanges> = BTreeMap::new();
        for (name, (table, rows)) in self.tables {
            let changes = all.entry(name).or_insert_with(|| TableChanges::none(table));
            rows.into_iter().for_each(|(key, entry)| changes.add(key, entry));
        }
        for (name, (table, added)) in self.added {
            all.entry(name).or_insert_with(|| TableChanges::none(table)).add_once(added);
        }
        all.into_values()
            .filter(|changes| !(changes.upserts.is_empty() && changes.inserts.is_empty() && changes.deletes.is_empty()))
            .collect()
    }
}

impl TableChanges {
    const fn none(table: &'static Table) -> Self {
        Self { table, upserts: Vec::new(), inserts: Vec::new(), deletes: Vec::new() }
    }

    /// Of several rows with one key the first counts.
    fn add_once(&mut self, added: Vec<Version>) {
        let key = self.table.key;
        self.inserts.extend(added.into_iter().map(|version| stored_form(self.table, version, None)));
        self.inserts.sort_by(|one, other| one[..key].cmp(&other[..key]));
        self.inserts.dedup_by(|later, first| later[..key] == first[..key]);
    }

    fn add(&mut self, key: Row, entry: Entry) {
        let table = self.table;
        if entry.now.is_none() && entry.stored.is_some() && table.history == History::None {
            self.deletes.push(key);
        }
        self.upserts.extend(entry.ended.into_iter().map(|(version, to)| stored_form(table, version, Some(to))));
        match entry.now {
            Some(now) if entry.once => self.inserts.push(stored_form(table, now, None)),
            Some(now) if entry.stored.as_ref() != Some(&now) => self.upserts.push(stored_form(table, now, None)),
            _ => {}
        }
    }
}

/// With the columns of history, if the table has them.
fn stored_form(table: &Table, version: Version, to: Option<Position>) -> Row {
    let mut row = version.row;
    if table.history != History::None {
        row.extend([Value::Int(version.from), Value::from(to)]);
    }
    row
}
