//! What a view is: its name, its tables, its fold; and what a read of it is.

use keytrail_domain::{fact::Fact, recorded::Recorded};

use crate::{
    rows::{Keys, Rows},
    value::{BadRow, Cells, Value},
};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole number.
    Int,
    /// A whole number, or nothing.
    MaybeInt,
    /// Text.
    Text,
    /// Text, or nothing.
    MaybeText,
    /// Bytes.
    Bytes,
    /// Bytes, or nothing.
    MaybeBytes,
}

/// How a table remembers what was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum History {
    /// It does not: rows are changed in place. The past is folded again from the log.
    None,
    /// A row is there from one position on, and perhaps until another; it never comes back. Two columns,
    /// `from_position` and `to_position`, come after the others.
    Once,
    /// A row may change and come back: each version has its own `from_position`, which is part of the primary key.
    Many,
}

/// A table of a view.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name, without the suffix that says which version and which build of the view it belongs to.
    pub name: &'static str,
    /// Its columns, without those of `history`.
    pub columns: &'static [(&'static str, Kind)],
    /// How many of the first columns make the key.
    pub key: usize,
    /// How it remembers.
    pub history: History,
    /// Further indexes over stored columns, those of `history` included. Each holds the whole primary key, so that
    /// orders are total.
    pub indexes: &'static [&'static [&'static str]],
}

/// The name of the column with the position from which a row is there.
pub const FROM: &str = "from_position";
/// The name of the column with the position from which a row is there no more; NULL while it is.
pub const TO: &str = "to_position";

impl Table {
    /// All columns as they are stored.
    pub fn stored_columns(&self) -> Vec<(&'static str, Kind)> {
        let mut columns = self.columns.to_vec();
        if self.history != History::None {
            columns.extend([(FROM, Kind::Int), (TO, Kind::MaybeInt)]);
        }
        columns
    }

    /// The columns of the stored primary key.
    pub fn primary_key(&self) -> Vec<&'static str> {
        let mut key: Vec<_> = self.columns[..self.key].iter().map(|(name, _)| *name).collect();
        if self.history == History::Many {
            key.push(FROM);
        }
        key
    }
}

/// A projection of the log: a pure fold into rows.
pub trait View: Send + Sync {
    /// Its stable name, for example `issue_commits`.
    fn name(&self) -> &'static str;

    /// Raised whenever the schema or the fold changes: the server then rebuilds it.
    fn version(&self) -> u32;

    /// Its tables. Nobody else names them.
    fn tables(&self) -> &'static [Table];

    /// Names the rows that folding this fact may look at or change, other than those that [`Rows::put_once`] adds.
    fn keys(&self, fact: &Recorded<Fact>, keys: &mut Keys);

    /// Changes the rows as the fact says. Exhaustive over events: no wildcard arm. Total: whatever the log holds.
    fn fold(&self, rows: &mut Rows, fact: &Recorded<Fact>);
}

/// A read of one view: SQL, its arguments, and how a row becomes what the caller wants.
///
/// In the SQL a table's name is followed by `@`; the server puts the suffix of the live version there. Markers are
/// `$1`, `$2` …; every order ends in a unique key and says where NULL goes.
pub struct Read<T> {
    /// Of which view.
    pub view: &'static dyn View,
    /// The text, the same for both engines.
    pub sql: &'static str,
    /// The values of its markers.
    pub args: Vec<Value>,
    /// Reads a row.
    pub row: fn(&mut Cells<'_>) -> Result<T, BadRow>,
}
