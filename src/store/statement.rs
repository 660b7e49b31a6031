//! Statements as data: the same for both engines, bound in one place only.

use std::borrow::Cow;

use keytrail_projections::{
    value::{Row, Value},
    view::Kind,
};

/// Which of the embedded engine's files. On PostgreSQL there is one database for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Area {
    /// The log and the tables of truth. Every commit is synced.
    Log,
    /// The views. They can be dropped and rebuilt.
    Views,
}

/// One statement of a transaction.
#[derive(Clone, Debug)]
pub struct Statement {
    pub(super) body: Body,
    /// How many rows it must change; otherwise the transaction is rolled back and is `Fenced`.
    pub(super) expect: Option<u64>,
}

#[derive(Clone, Debug)]
pub(super) enum Body {
    /// `$n` markers and their values.
    One { sql: Cow<'static, str>, args: Vec<Value> },
    /// `head` (`INSERT INTO t (a, b)`), then a row per line of `rows`, then `tail` (`ON CONFLICT …`).
    Insert { head: String, kinds: Vec<Kind>, rows: Vec<Row>, tail: String },
    /// `DELETE FROM table` where `columns` equal a line of `rows`.
    Delete { table: String, columns: Vec<&'static str>, kinds: Vec<Kind>, rows: Vec<Row> },
}

impl Statement {
    /// One statement with its values.
    pub fn new(sql: impl Into<Cow<'static, str>>, args: Vec<Value>) -> Self {
        Self { body: Body::One { sql: sql.into(), args }, expect: None }
    }

    /// Many rows at once.
    pub fn insert(head: String, kinds: Vec<Kind>, rows: Vec<Row>, tail: String) -> Self {
        Self { body: Body::Insert { head, kinds, rows, tail }, expect: None }
    }

    /// Takes many rows away at once.
    pub fn delete(table: String, columns: Vec<&'static str>, kinds: Vec<Kind>, rows: Vec<Row>) -> Self {
        Self { body: Body::Delete { table, columns, kinds, rows }, expect: None }
    }

    /// Demands that it changes exactly this many rows.
    #[must_use]
    pub const fn expecting(mut self, rows: u64) -> Self {
        self.expect = Some(rows);
        self
    }
}

/// How many columns of which kind: `$1, $2` for one row.
pub(super) fn markers(count: usize) -> String {
    (1..=count).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ")
}
