//! What happens to a repository.

use serde::{Deserialize, Serialize};

use crate::{display_text::DisplayText, id::IntegrationId, index_run::FailureCode, service::Connection, stored_events};

/// Stored events of the stream `repository`.
///
/// The position of `discovered` is the repository's *number*, until a run is requested because of a reset: then that
/// request's position is. Rows of big views are keyed by it, so that forgetting or resetting a repository closes one
/// row and not a million.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// An integration saw it for the first time, or again after it was forgotten.
    Discovered {
        /// Which integration.
        integration: IntegrationId,
        /// What a person calls it.
        name: DisplayText,
        /// Where it is read from.
        location: Connection,
    },
    /// An integration saw it and may not or cannot index it.
    Refused {
        /// Which integration.
        integration: IntegrationId,
        /// What a person calls it.
        name: DisplayText,
        /// Where it was seen.
        location: Connection,
        /// Why, for machines.
        code: FailureCode,
        /// Why, for people.
        text: DisplayText,
    },
    /// Its service calls it something else, or has it somewhere else. It is the same one.
    Moved {
        /// What a person calls it now.
        name: DisplayText,
        /// Where it is read from now.
        location: Connection,
    },
    /// Its integration is gone, or sees it no more.
    Forgotten {},
    /// Looking whether anything is new did not work; it did until now, or failed for another reason.
    Unreachable {
        /// Why, for machines.
        code: FailureCode,
        /// Why, for people.
        text: DisplayText,
    },
    /// Looking works again.
    Reachable {},
    /// Its service lets nobody change it any more: nothing new is looked for.
    Archived {},
    /// Its service lets it be changed again.
    Unarchived {},
}

stored_events!(Event {
    Discovered => "repository.discovered" v "1",
    Refused => "repository.refused" v "1",
    Moved => "repository.moved" v "1",
    Forgotten => "repository.forgotten" v "1",
    Unreachable => "repository.unreachable" v "1",
    Reachable => "repository.reachable" v "1",
    Archived => "repository.archived" v "1",
    Unarchived => "repository.unarchived" v "1",
});
