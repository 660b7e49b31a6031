//! What can be wished of the settings of access.

use super::Services;

/// No person wishes it: the server says what its configuration holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// This is what counts from now on.
    Say {
        /// Whose tokens let services in; nobody's when there is nothing.
        services: Option<Services>,
    },
}
