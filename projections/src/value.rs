//! What a cell of a view's table holds, and how rows are read back.

use std::sync::Arc;

use keytrail_domain::{
    display_text::DisplayText,
    id::{HostKeyId, IndexRunId, IntegrationId, RepositoryId, SshKeyId, TokenId},
    index_run::batch::CommitSha,
    person::PersonId,
    timestamp::Timestamp,
};
use serde::{
    Deserialize, Serialize,
    de::{IntoDeserializer, value::StrDeserializer},
};
use uuid::Uuid;

/// One cell. Both engines store exactly these; texts compare bytewise in both.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Value {
    /// Nothing. Sorts first.
    Null,
    /// A whole number: counts, positions, microseconds, 0 and 1 for no and yes.
    Int(i64),
    /// Text.
    Text(Arc<str>),
    /// Bytes: object names, ids.
    Bytes(Arc<[u8]>),
}

impl Value {
    /// The bytes of a text; 0 of what is none.
    pub fn text_bytes(&self) -> usize {
        if let Self::Text(text) = self { text.len() } else { 0 }
    }
}

/// A cell as it lies in a row, or still with the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell<'a> {
    /// Nothing.
    Null,
    /// A whole number.
    Int(i64),
    /// Text.
    Text(&'a str),
    /// Bytes.
    Bytes(&'a [u8]),
}

impl<'a> From<&'a Value> for Cell<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Int(value) => Self::Int(*value),
            Value::Text(value) => Self::Text(value),
            Value::Bytes(value) => Self::Bytes(value),
        }
    }
}

/// A row, cells in the order of its table's columns or of its query.
pub type Row = Vec<Value>;

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<u64> for Value {
    /// Counts and issue numbers stay below 2^63; what does not saturates.
    fn from(value: u64) -> Self {
        Self::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Int(value.into())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Int(value.into())
    }
}

impl From<Timestamp> for Value {
    fn from(value: Timestamp) -> Self {
        Self::Int(value.0)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.into())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value.into())
    }
}

impl From<Arc<str>> for Value {
    fn from(value: Arc<str>) -> Self {
        Self::Text(value)
    }
}

impl From<&[u8]> for Value {
    fn from(value: &[u8]) -> Self {
        Self::Bytes(value.into())
    }
}

impl From<Uuid> for Value {
    /// Ids are stored as their 16 bytes.
    fn from(value: Uuid) -> Self {
        Self::Bytes(value.as_bytes().as_slice().into())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

macro_rules! from_ids {
    ($($id:ty),*) => {$(
        impl From<$id> for Value {
            fn from(value: $id) -> Self {
                Self::from(value.0)
            }
        }
    )*};
}

from_ids!(IntegrationId, RepositoryId, IndexRunId, TokenId, PersonId, SshKeyId, HostKeyId);

impl From<CommitSha> for Value {
    fn from(value: CommitSha) -> Self {
        Self::Bytes(value.0.as_slice().into())
    }
}

impl From<&DisplayText> for Value {
    fn from(value: &DisplayText) -> Self {
        Self::from(value.as_str())
    }
}

impl Value {
    /// The stable word of one of the domain's closed lists, as it stands in events; nothing if it has no such word.
    pub fn word(value: &impl Serialize) -> Self {
        match serde_json::to_value(value) {
            Ok(serde_json::Value::String(word)) => Self::from(word),
            Ok(_) | Err(_) => Self::Null,
        }
    }
}

/// A row from values of any kinds.
#[macro_export]
macro_rules! row {
    ($($value:expr),* $(,)?) => {{
        // With room for the two columns of history, which most rows get when they are written.
        let cells = [$($crate::value::Value::from($value)),*];
        let mut row = ::std::vec::Vec::with_capacity(cells.len() + 2);
        row.extend(cells);
        row
    }};
}

/// A stored row does not have the shape that its reader expects: the store was changed from outside, or a bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a stored row does not have the expected shape")]
pub struct BadRow;

/// Reads the cells of a row one after the other.
pub struct Cells<'a>(Left<'a>);

/// The cells that were not read yet.
enum Left<'a> {
    Kept(std::slice::Iter<'a, Value>),
    Borrowed(std::slice::Iter<'a, Cell<'a>>),
}

impl<'a> Cells<'a> {
    /// From the first cell on.
    pub fn of(row: &'a [Value]) -> Self {
        Self(Left::Kept(row.iter()))
    }

    /// From the first cell on, of a row that the driver still has: what is read is copied once, not twice.
    pub fn borrowed(row: &'a [Cell<'a>]) -> Self {
        Self(Left::Borrowed(row.iter()))
    }

    /// The next cell, whatever it is.
    pub fn any(&mut self) -> Result<Cell<'a>, BadRow> {
        match &mut self.0 {
            Left::Kept(cells) => cells.next().map(Cell::from),
            Left::Borrowed(cells) => cells.next().copied(),
        }
        .ok_or(BadRow)
    }

    /// A whole number.
    pub fn int(&mut self) -> Result<i64, BadRow> {
        self.maybe_int()?.ok_or(BadRow)
    }

    /// A whole number, or nothing.
    pub fn maybe_int(&mut self) -> Result<Option<i64>, BadRow> {
        match self.any()? {
            Cell::Int(value) => Ok(Some(value)),
            Cell::Null => Ok(None),
            Cell::Text(_) | Cell::Bytes(_) => Err(BadRow),
        }
    }

    /// A count.
    pub fn count(&mut self) -> Result<u64, BadRow> {
        u64::try_from(self.int()?).map_err(|_| BadRow)
    }

    /// A small number, such as a version.
    pub fn small(&mut self) -> Result<u32, BadRow> {
        u32::try_from(self.int()?).map_err(|_| BadRow)
    }

    /// No or yes.
    pub fn bool(&mut self) -> Result<bool, BadRow> {
        Ok(self.int()? != 0)
    }

    /// A moment.
    pub fn time(&mut self) -> Result<Timestamp, BadRow> {
        self.int().map(Timestamp)
    }

    /// A moment, or nothing.
    pub fn maybe_time(&mut self) -> Result<Option<Timestamp>, BadRow> {
        self.maybe_int().map(|micros| micros.map(Timestamp))
    }

    /// A word of a closed list, see [`Value::word`].
    pub fn word<T: Deserialize<'a>>(&mut self) -> Result<T, BadRow> {
        read_word(self.text()?)
    }

    /// A word of a closed list, or nothing.
    pub fn maybe_word<T: Deserialize<'a>>(&mut self) -> Result<Option<T>, BadRow> {
        self.maybe_text()?.map(read_word).transpose()
    }

    /// Text.
    pub fn text(&mut self) -> Result<&'a str, BadRow> {
        self.maybe_text()?.ok_or(BadRow)
    }

    /// Text, or nothing.
    pub fn maybe_text(&mut self) -> Result<Option<&'a str>, BadRow> {
        match self.any()? {
            Cell::Text(value) => Ok(Some(value)),
            Cell::Null => Ok(None),
            Cell::Int(_) | Cell::Bytes(_) => Err(BadRow),
        }
    }

    /// Bytes.
    pub fn bytes(&mut self) -> Result<&'a [u8], BadRow> {
        self.maybe_bytes()?.ok_or(BadRow)
    }

    /// Bytes, or nothing.
    pub fn maybe_bytes(&mut self) -> Result<Option<&'a [u8]>, BadRow> {
        match self.any()? {
            Cell::Bytes(value) => Ok(Some(value)),
            Cell::Null => Ok(None),
            Cell::Int(_) | Cell::Text(_) => Err(BadRow),
        }
    }

    /// An id.
    pub fn id(&mut self) -> Result<Uuid, BadRow> {
        Uuid::from_slice(self.bytes()?).map_err(|_| BadRow)
    }

    /// An id, or nothing.
    pub fn maybe_id(&mut self) -> Result<Option<Uuid>, BadRow> {
        self.maybe_bytes()?.map(|bytes| Uuid::from_slice(bytes).map_err(|_| BadRow)).transpose()
    }

    /// The name of a commit.
    pub fn commit(&mut self) -> Result<CommitSha, BadRow> {
        self.bytes()?.try_into().map(CommitSha).map_err(|_| BadRow)
    }
}

fn read_word<'a, T: Deserialize<'a>>(word: &'a str) -> Result<T, BadRow> {
    let reader: StrDeserializer<'a, serde::de::value::Error> = word.into_deserializer();
    T::deserialize(reader).map_err(|_| BadRow)
}
