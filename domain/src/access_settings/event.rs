//! What happens to the settings of access.

use serde::{Deserialize, Serialize};

use super::Services;
use crate::stored_events;

/// Stored events of the stream `access_settings`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The configuration, or a file that it names, says something else than before.
    Changed {
        /// Whose tokens let services in from now on; nobody's when there is nothing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        services: Option<Services>,
    },
}

stored_events!(Event {
    Changed => "access_settings.changed" v "1",
});
