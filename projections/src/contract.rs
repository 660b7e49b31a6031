//! What holds for every view, whatever it shows.

use std::collections::{BTreeSet, HashSet};

use proptest::prelude::*;

use crate::{
    VIEWS,
    fact_histories::histories,
    fake_store::FakeStore,
    view::{History, Table},
};

fn tables() -> impl Iterator<Item = &'static Table> {
    VIEWS.iter().flat_map(|view| view.tables())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_size_of_pages_leaves_no_trace(log in histories()) {
        for view in VIEWS {
            let one_by_one = FakeStore::folded(*view, log.facts(), 1);
            for page in [2, 3, 7, 1000] {
                let paged = FakeStore::folded(*view, log.facts(), page);
                for table in view.tables() {
                    let (one_by_one, paged) = (one_by_one.stored(table), paged.stored(table));
                    prop_assert!(one_by_one.eq(paged), "{} in pages of {page}", table.name);
                }
            }
        }
    }

    #[test]
    fn what_was_there_at_a_position_is_what_the_log_up_to_it_says(log in histories()) {
        for view in VIEWS {
            let whole = FakeStore::folded(*view, log.facts(), 5);
            let mut prefix = FakeStore::default();
            for fact in log.facts() {
                prefix.project(*view, std::slice::from_ref(fact));
                for table in view.tables().iter().filter(|table| table.history != History::None) {
                    let (then, now) = (whole.at(table, fact.position), prefix.current(table));
                    prop_assert_eq!(then, now, "{} at {}", table.name, fact.position);
                }
            }
        }
    }

    #[test]
    fn versions_of_a_row_do_not_overlap(log in histories()) {
        for view in VIEWS {
            let store = FakeStore::folded(*view, log.facts(), 4);
            for table in view.tables().iter().filter(|table| table.history != History::None) {
                for fact in log.facts() {
                    let there = store.at(table, fact.position);
                    let keys: BTreeSet<_> = there.iter().map(|row| &row[..table.key]).collect();
                    prop_assert_eq!(keys.len(), there.len(), "{} at {}", table.name, fact.position);
                }
            }
        }
    }
}

#[test]
fn names_are_given_once() {
    let mut seen = HashSet::new();
    assert!(VIEWS.iter().all(|view| seen.insert(view.name())));
    let mut seen = HashSet::new();
    for table in tables() {
        assert!(seen.insert(table.name), "two tables are called {}", table.name);
    }
}

#[test]
fn indexes_are_over_columns_and_hold_the_key() {
    for table in tables() {
        assert!((1..=table.columns.len()).contains(&table.key), "{}", table.name);
        let columns: Vec<_> = table.stored_columns().into_iter().map(|(name, _)| name).collect();
        for index in table.indexes {
            for column in *index {
                assert!(columns.contains(column), "{} has no {column}", table.name);
            }
            for key in table.primary_key() {
                assert!(index.contains(&key), "an index of {} lacks {key}", table.name);
            }
        }
    }
}
