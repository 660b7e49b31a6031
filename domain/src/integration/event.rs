//! What happens to an integration.

use serde::{Deserialize, Serialize};

use crate::{
    integration::{IntegrationName, MirrorsAfter, SecretsAfter},
    recorded::Position,
    service::Connection,
    stored_events,
    web_links::WebLinks,
};

/// Stored events of the stream `integration`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// It was connected.
    Added {
        /// Its name.
        name: IntegrationName,
        /// Where its repositories are.
        connection: Connection,
    },
    /// It is called something else.
    Renamed {
        /// The new name.
        name: IntegrationName,
        /// The old one, which is free again.
        previous: IntegrationName,
    },
    /// It looks somewhere else.
    ConnectionChanged {
        /// The new place.
        connection: Connection,
        /// The old one, which may be connected again.
        previous: Connection,
    },
    /// Its repositories have these links.
    WebLinksSet {
        /// Which.
        web_links: WebLinks,
    },
    /// It stopped looking for anything new.
    Paused {},
    /// It looks again.
    Resumed {},
    /// Each of its repositories is to be looked at again. The runs come one by one, caused by this.
    ReindexRequested {},
    /// Each of its repositories is to be indexed from its beginning. The resets come one by one, caused by this.
    ResetRequested {},
    /// What was asked for at this position, one of the two above, is not wanted any more. Its runs are cancelled one by one,
    /// caused by this.
    IndexingCancelled {
        /// Where it was asked for.
        asked: Position,
    },
    /// It was taken away.
    Removed {
        /// Its last name, which is free again.
        name: IntegrationName,
        /// Its last place, which may be connected again.
        connection: Connection,
        /// What becomes of the copies of its repositories. Before there was a choice they were deleted.
        #[serde(default, skip_serializing_if = "MirrorsAfter::are_deleted")]
        mirrors: MirrorsAfter,
        /// What becomes of the secrets of its app. Before there was a choice they were forgotten.
        #[serde(default, skip_serializing_if = "SecretsAfter::are_forgotten")]
        secrets: SecretsAfter,
    },
}

stored_events!(Event {
    Added => "integration.added" v "1",
    Renamed => "integration.renamed" v "1",
    ConnectionChanged => "integration.connection_changed" v "1",
    WebLinksSet => "integration.web_links_set" v "1",
    Paused => "integration.paused" v "1",
    Resumed => "integration.resumed" v "1",
    ReindexRequested => "integration.reindex_requested" v "1",
    ResetRequested => "integration.reset_requested" v "1",
    IndexingCancelled => "integration.indexing_cancelled" v "1",
    Removed => "integration.removed" v "1",
});
