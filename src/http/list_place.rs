//! Where a page of repositories ended, as its cursor holds it: lists are ordered by numbers or by texts.

use keytrail_domain::recorded::Position;
use keytrail_projections::{repository_list::ListPlace, value::Value};
use serde::{Deserialize, Serialize};

/// Where a page ended: what it is ordered by, and the place of the last row among all.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct After(Key, Position);

/// What a list is ordered by.
#[derive(Clone, Serialize, Deserialize)]
#[serde(untagged)]
enum Key {
    Number(i64),
    Text(String),
}

impl After {
    pub(super) fn of(place: ListPlace) -> Self {
        let key = match place.key {
            Value::Int(number) => Key::Number(number),
            Value::Text(text) => Key::Text(text.to_string()),
            // No list is ordered by these.
            Value::Null | Value::Bytes(_) => Key::Number(0),
        };
        Self(key, place.added_position)
    }

    pub(super) fn place(self) -> ListPlace {
        let key = match self.0 {
            Key::Number(number) => number.into(),
            Key::Text(text) => text.into(),
        };
        ListPlace { key, added_position: self.1 }
    }
}
