//! To whom a secret belongs.

use keytrail_domain::recorded::StreamId;
use uuid::Uuid;

/// The thing a secret belongs to: usually a stream. It is part of what a secret is sealed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Which kind of thing, for example `integration`. Stable: a secret opens only under the word it was sealed with.
    pub kind: &'static str,
    /// Which one.
    pub id: Uuid,
}

impl Owner {
    /// The server itself.
    pub const SERVER: Self = Self { kind: "server", id: Uuid::nil() };

    /// A thing of this kind.
    pub const fn new(kind: &'static str, id: Uuid) -> Self {
        Self { kind, id }
    }
}

impl From<StreamId> for Owner {
    fn from(stream: StreamId) -> Self {
        Self { kind: stream.aggregate_type, id: stream.id }
    }
}
