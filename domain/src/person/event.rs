//! What happens to a person.

use serde::{Deserialize, Serialize};

use crate::stored_events;

/// Stored events of the stream `person`; the stream's id is the person's, and nothing else is said of who it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// Name and address were deleted, and are not kept again.
    Forgotten {},
}

stored_events!(Event {
    Forgotten => "person.forgotten" v "1",
});
