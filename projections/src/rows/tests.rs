//! Rows against a plain model: one list of versions for each key, changed at once and without pages.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{fake_store::FakeStore, row, view::Kind};

const PLAIN: Table = table("plain", History::None);
const ONCE: Table = table("once", History::Once);
const MANY: Table = table("many", History::Many);

const fn table(name: &'static str, history: History) -> Table {
    Table { name, columns: &[("key", Kind::Int), ("value", Kind::Int)], key: 1, history, indexes: &[] }
}

#[derive(Clone, Copy, Debug)]
enum Change {
    Put(i64, i64),
    PutOnce(i64, i64),
    End(i64),
}

impl Change {
    const fn key(self) -> i64 {
        match self {
            Self::Put(key, _) | Self::PutOnce(key, _) | Self::End(key) => key,
        }
    }

    fn make(self, table: &'static Table, rows: &mut Rows) {
        match self {
            Self::Put(key, value) => rows.put(table, row![key, value]),
            Self::PutOnce(key, value) => rows.put_once(table, row![key, value]),
            Self::End(key) => rows.end(table, &[key.into()]),
        }
    }
}

/// The changes at each position; position 1 first.
type Script = Vec<Vec<Change>>;

fn scripts(history: History) -> impl Strategy<Value = Script> {
    let put = (0..3_i64, 0..3_i64).prop_map(|(key, value)| Change::Put(key, value));
    let put_once = (0..3_i64, 0..3_i64).prop_map(|(key, value)| Change::PutOnce(key, value));
    let end = (0..3_i64).prop_map(Change::End);
    let change = match history {
        History::None => prop_oneof![put, put_once, end].boxed(),
        History::Once => prop_oneof![put_once, end].boxed(),
        History::Many => prop_oneof![put, end].boxed(),
    };
    prop::collection::vec(prop::collection::vec(change, 0..4), 1..20)
}

/// What the store must hold in the end.
fn model(table: &Table, script: &Script) -> Vec<Row> {
    let mut versions: BTreeMap<i64, Vec<(i64, Position, Option<Position>)>> = BTreeMap::new();
    for (position, changes) in (1..).zip(script) {
        for change in changes {
            let of_key = versions.entry(change.key()).or_default();
            let there = of_key.last().copied().filter(|(_, _, to)| to.is_none());
            let value = match (*change, there) {
                (Change::Put(_, value), Some((now, ..))) if value == now => continue,
                (Change::Put(_, value), _) => Some(value),
                (Change::PutOnce(..), Some(_)) => continue,
                (Change::PutOnce(..), None) if table.history == History::Once && !of_key.is_empty() => continue,
                (Change::PutOnce(_, value), None) => Some(value),
                (Change::End(_), _) => None,
            };
            if let Some((_, from, to)) = of_key.last_mut().filter(|(_, _, to)| to.is_none()) {
                if *from == position || table.history == History::None {
                    of_key.pop();
                } else {
                    *to = Some(position);
                }
            }
            of_key.extend(value.map(|value| (value, position, None)));
        }
    }
    let rows = versions.into_iter().flat_map(|(key, versions)| versions.into_iter().map(move |version| (key, version)));
    rows.map(|(key, (value, from, to))| match table.history {
        History::None => row![key, value],
        History::Once | History::Many => row![key, value, from, to],
    })
    .collect()
}

/// What the store holds when the script is folded in pages. Keys of pages that only add are not loaded.
fn folded(table: &'static Table, script: &Script, page: usize) -> Vec<Row> {
    let mut store = FakeStore::default();
    for (index, changes) in script.chunks(page).enumerate() {
        let mut keys = Keys::default();
        for change in changes.iter().flatten() {
            let only_added =
                changes.iter().flatten().all(|c| c.key() != change.key() || matches!(c, Change::PutOnce(..)));
            if !only_added {
                keys.add(table, row![change.key()]);
            }
        }
        let mut rows = Rows::default();
        store.load(keys, &mut rows);
        for (position, changes) in ((index * page) as Position + 1..).zip(changes) {
            rows.at(position);
            changes.iter().for_each(|change| change.make(table, &mut rows));
        }
        rows.into_changes().into_iter().for_each(|changes| store.apply(changes));
    }
    store.stored(table).cloned().collect()
}

fn check(table: &'static Table, script: &Script) {
    for page in [1, 2, 3, 100] {
        assert_eq!(folded(table, script, page), model(table, script), "in pages of {page}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn rows_without_history_are_as_the_model_says(script in scripts(History::None)) {
        check(&PLAIN, &script);
    }

    #[test]
    fn rows_that_come_once_are_as_the_model_says(script in scripts(History::Once)) {
        check(&ONCE, &script);
    }

    #[test]
    fn rows_with_versions_are_as_the_model_says(script in scripts(History::Many)) {
        check(&MANY, &script);
    }
}

const KEY: &[Value] = &[Value::Int(1)];

fn loaded(table: &'static Table, stored: Option<Row>) -> Rows {
    let mut rows = Rows::default();
    rows.load(table, row![1_i64], stored);
    rows.at(10);
    rows
}

#[test]
fn saying_the_same_again_writes_nothing() {
    let mut rows = loaded(&MANY, Some(row![1_i64, 7_i64, 3_i64, None::<i64>]));
    rows.put(&MANY, row![1_i64, 7_i64]);
    assert_eq!(rows.into_changes(), []);
}

#[test]
fn a_plain_row_that_is_as_it_was_again_writes_nothing() {
    let mut rows = loaded(&PLAIN, Some(row![1_i64, 7_i64]));
    rows.put(&PLAIN, row![1_i64, 8_i64]);
    rows.at(11);
    rows.put(&PLAIN, row![1_i64, 7_i64]);
    assert_eq!(rows.into_changes(), []);
}

#[test]
fn a_change_ends_the_version_before() {
    let mut rows = loaded(&MANY, Some(row![1_i64, 7_i64, 3_i64, None::<i64>]));
    rows.put(&MANY, row![1_i64, 8_i64]);
    let changes = rows.into_changes();
    assert_eq!(changes[0].upserts, [row![1_i64, 7_i64, 3_i64, 10_i64], row![1_i64, 8_i64, 10_i64, None::<i64>]]);
    assert!(changes[0].inserts.is_empty() && changes[0].deletes.is_empty());
}

#[test]
fn what_came_and_went_within_a_page_is_remembered() {
    let mut rows = loaded(&MANY, None);
    rows.put(&MANY, row![1_i64, 7_i64]);
    rows.at(12);
    rows.end(&MANY, KEY);
    assert_eq!(rows.get(&MANY, KEY), None);
    assert_eq!(rows.into_changes()[0].upserts, [row![1_i64, 7_i64, 10_i64, 12_i64]]);
}

#[test]
fn what_was_not_loaded_is_added_only_where_nothing_is() {
    let mut rows = Rows::default();
    rows.at(10);
    rows.put_once(&ONCE, row![1_i64, 7_i64]);
    rows.put_once(&ONCE, row![1_i64, 8_i64]);
    let changes = rows.into_changes();
    assert_eq!(changes[0].inserts, [row![1_i64, 7_i64, 10_i64, None::<i64>]]);
    assert!(changes[0].upserts.is_empty());
}

#[test]
fn what_ended_for_good_does_not_come_back() {
    let mut rows = loaded(&ONCE, Some(row![1_i64, 7_i64, 3_i64, 5_i64]));
    assert_eq!(rows.get(&ONCE, KEY), None);
    rows.put_once(&ONCE, row![1_i64, 8_i64]);
    rows.end(&ONCE, KEY);
    assert_eq!(rows.into_changes(), []);
}

#[test]
fn a_plain_row_that_ends_is_deleted() {
    let mut rows = loaded(&PLAIN, Some(row![1_i64, 7_i64]));
    rows.end(&PLAIN, KEY);
    assert_eq!(rows.into_changes()[0].deletes, [row![1_i64]]);
}

#[test]
fn changes_are_in_the_order_of_keys() {
    let mut rows = Rows::default();
    for key in [3_i64, 1, 2] {
        rows.put_once(&PLAIN, row![key, 0_i64]);
    }
    assert_eq!(rows.into_changes()[0].inserts, [row![1_i64, 0_i64], row![2_i64, 0_i64], row![3_i64, 0_i64]]);
}

#[test]
#[should_panic(expected = "was not asked for")]
#[cfg(debug_assertions)]
fn looking_at_what_was_not_asked_for_is_a_bug() {
    let _ = Rows::default().get(&PLAIN, KEY);
}
