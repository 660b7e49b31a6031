//! One delivery as it is stored.

use keytrail_domain::{id::IntegrationId, timestamp::Timestamp};
use keytrail_projections::value::Row;
use uuid::Uuid;

use super::packed::packed;
use crate::ids::new_id;

/// How a delivery came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Its service sent it.
    Sent,
    /// It did not get here, and was fetched from its service's list.
    Fetched,
}

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// It is to be worked off, or is just now.
    Waiting,
    /// It was.
    Done,
    /// There was nothing to do because of it.
    Ignored,
    /// It could not be worked off.
    Failed,
}

impl Origin {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Sent, Self::Fetched];

    /// The stored word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Fetched => "fetched",
        }
    }

    pub(super) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == word)
    }
}

impl State {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Waiting, Self::Done, Self::Ignored, Self::Failed];

    /// The stored word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Done => "done",
            Self::Ignored => "ignored",
            Self::Failed => "failed",
        }
    }

    /// The state with this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == word)
    }
}

/// A delivery that is to be put into the inbox.
#[derive(Clone, Debug)]
pub struct Receipt {
    pub(super) integration: IntegrationId,
    pub(super) delivery: Uuid,
    bytes: usize,
    row: Row,
}

impl Receipt {
    /// One whose sender was proved. `headers` are JSON without a secret; `body` is JSON as it came, which is compressed
    /// here.
    #[expect(clippy::too_many_arguments, reason = "a row is made of its columns, once")]
    pub fn new(
        integration: IntegrationId,
        delivery: Uuid,
        event: &str,
        action: Option<&str>,
        origin: Origin,
        headers: &str,
        body: &[u8],
        now: Timestamp,
    ) -> Self {
        let packed = packed(body);
        let length = u64::try_from(body.len()).unwrap_or(u64::MAX);
        let row = keytrail_projections::row![
            new_id(),
            integration,
            delivery,
            event,
            action,
            origin.as_str(),
            headers,
            packed.as_slice(),
            length,
            now,
            State::Waiting.as_str(),
            0_i64,
            0_i64,
            0_i64
        ];
        Self { integration, delivery, bytes: packed.len() + headers.len() + 200, row }
    }

    /// What it takes in memory.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn into_row(self) -> Row {
        self.row
    }
}
