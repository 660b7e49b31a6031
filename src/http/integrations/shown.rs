//! An integration as it is shown.

use keytrail_domain::{recorded::Sequence, timestamp::Timestamp};
use keytrail_projections::{
    integration_list::{Integration as Row, IntegrationState},
    repository_list,
};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::indexing::Indexing;
use crate::http::{
    changed::Versioned, installations::ShownRemainder, place::ShownPlace, recommendation::Recommendation,
    web_links::ShownWebLinks, words,
};

/// An integration: one connection to a git service or folder.
#[derive(Serialize, ToSchema)]
#[schema(as = Integration)]
pub(in crate::http) struct Shown {
    /// Which.
    id: Uuid,
    /// Its name; unique among integrations that were not removed, whatever the case of letters.
    name: String,
    /// The kind of its connection.
    #[schema(example = "path")]
    kind: String,
    /// Where it connects to, in short.
    location: String,
    /// Where it connects to, and how.
    connection: ShownPlace,
    /// Which links its repository has; nothing of an app, whose repositories have those of its GitHub, and of a folder.
    web_links: Option<ShownWebLinks>,
    /// The integration of its own that the service at this host has here, and what plain git lacks beside it.
    recommendation: Option<Recommendation>,
    /// Where it is in its life.
    #[schema(schema_with = words::integration_state)]
    state: IntegrationState,
    /// Since when it is in that state.
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
    /// When it was added.
    #[schema(value_type = String, format = DateTime)]
    added_at: Timestamp,
    /// How far its repositories are with being indexed for the first time; only when one integration is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    indexing: Option<Indexing>,
    /// What is left of its app at GitHub; only in the answer to its removal.
    #[serde(skip_serializing_if = "Option::is_none")]
    remainder: Option<ShownRemainder>,
    /// Its version, which is its ETag, too.
    version: i64,
    /// The position of its last change.
    position: i64,
}

impl Shown {
    pub(in crate::http) fn of(row: Row) -> Self {
        let web_links = ShownWebLinks::of(&row);
        Self {
            id: row.id.0,
            name: row.name,
            kind: row.kind,
            location: row.location,
            connection: ShownPlace::of(&row.connection),
            web_links,
            recommendation: Recommendation::of(&row.connection),
            indexing: None,
            remainder: None,
            state: row.state,
            since: row.since,
            added_at: row.added_at,
            version: row.version,
            position: row.position,
        }
    }

    /// The same, with what is left of its app.
    pub(in crate::http) fn leaving(mut self, remainder: Option<ShownRemainder>) -> Self {
        self.remainder = remainder;
        self
    }

    /// The same, with how far its repositories are at `now`.
    pub(in crate::http) fn with(mut self, found: &repository_list::Indexing, now: Timestamp) -> Self {
        self.indexing = Some(Indexing::of(found, self.state, now));
        self
    }
}

impl Versioned for Shown {
    fn version(&self) -> Sequence {
        self.version
    }
}
