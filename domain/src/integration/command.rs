//! What can be wished of an integration.

use crate::{
    integration::{IntegrationName, MirrorsAfter, SecretsAfter},
    recorded::Position,
    service::Connection,
    web_links::WebLinks,
};

/// In the API: AddIntegration, RenameIntegration, ChangeConnection, SetWebLinks, PauseIntegration, ResumeIntegration, RemoveIntegration,
/// ReindexIntegration, ResetIntegration, CancelOperation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Connect it.
    Add {
        /// Unique among integrations, whatever the case of its letters.
        name: IntegrationName,
        /// Where its repositories are.
        connection: Connection,
        /// Which links its repositories have, where that is said at once.
        web_links: Option<WebLinks>,
    },
    /// Call it something else.
    Rename {
        /// The new name.
        name: IntegrationName,
    },
    /// Look for its repositories somewhere else.
    ChangeConnection {
        /// The new place.
        connection: Connection,
    },
    /// Give its repositories these links.
    SetWebLinks {
        /// Which.
        web_links: WebLinks,
    },
    /// Stop looking for anything new.
    Pause,
    /// Look again.
    Resume,
    /// Look at each of its repositories again.
    Reindex,
    /// Index each of its repositories from its beginning; what was found before counts no more.
    Reset,
    /// What was asked for at this position, a [`Self::Reindex`] or a [`Self::Reset`], is not wanted any more.
    CancelIndexing {
        /// Where it was asked for.
        asked: Position,
    },
    /// Take it away; its repositories are forgotten.
    Remove {
        /// What becomes of the copies that were made of them.
        mirrors: MirrorsAfter,
        /// What becomes of the secrets of its app.
        secrets: SecretsAfter,
    },
}
