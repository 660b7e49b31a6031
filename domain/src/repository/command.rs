//! What can be wished of a repository.

use crate::{display_text::DisplayText, id::IntegrationId, index_run::FailureCode, service::Connection};

/// Wishes of jobs; no person wishes them directly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// An integration sees it.
    Discover {
        /// Which integration.
        integration: IntegrationId,
        /// What a person calls it.
        name: DisplayText,
        /// Where it is read from.
        location: Connection,
    },
    /// An integration sees it, and it may not or cannot be indexed.
    Refuse {
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
    /// Its integration is gone, or sees it no more.
    Forget,
    /// Looking whether anything is new failed.
    ReportUnreachable {
        /// Why, for machines.
        code: FailureCode,
        /// Why, for people.
        text: DisplayText,
    },
    /// Looking worked.
    ReportReachable,
    /// Its service says whether it may still be changed.
    ReportArchived {
        /// Whether it may not.
        archived: bool,
    },
}
