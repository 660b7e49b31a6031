//! A row of a small table as a type: what its fold changes is what its reads return, so both name the columns once.

use crate::{
    rows::{Keys, Rows},
    value::{BadRow, Cells, Row, Value},
    view::Table,
};

/// A row as a type.
pub(crate) trait Stored: Sized {
    /// Its table.
    const TABLE: &'static Table;

    /// Reads the cells in the order of the table's columns.
    fn read(cells: &mut Cells<'_>) -> Result<Self, BadRow>;

    /// The inverse of `read`.
    fn row(&self) -> Row;
}

impl Keys {
    /// Asks for the row with this key.
    pub(crate) fn want<T: Stored>(&mut self, key: impl Into<Value>) {
        self.add(T::TABLE, vec![key.into()]);
    }
}

impl Rows {
    /// The row with this key as it is now; it must have been asked for. A fold is total, so a row that somebody changed
    /// into another shape is as good as none.
    pub(crate) fn find<T: Stored>(&self, key: impl Into<Value>) -> Option<T> {
        self.get(T::TABLE, &[key.into()]).and_then(|row| T::read(&mut Cells::of(row)).ok())
    }

    /// Makes the row what it is from now on.
    pub(crate) fn save<T: Stored>(&mut self, it: &T) {
        self.put(T::TABLE, it.row());
    }

    /// Changes the row with this key if it is there.
    pub(crate) fn change<T: Stored>(&mut self, key: impl Into<Value>, change: impl FnOnce(&mut T)) {
        if let Some(mut it) = self.find::<T>(key) {
            change(&mut it);
            self.save(&it);
        }
    }
}
