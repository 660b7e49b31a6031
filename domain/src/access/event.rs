//! What happens to an access token.

use serde::{Deserialize, Serialize};

use crate::{
    access::{Role, Scopes},
    display_text::DisplayText,
    stored_events,
    timestamp::Timestamp,
};

/// Stored events of the stream `access`; the stream's id is the token's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// It was made.
    TokenIssued {
        /// What people call it.
        name: DisplayText,
        /// What its holder may do.
        role: Role,
        /// The part of that; all of it when nothing is said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        scopes: Option<Scopes>,
        /// When it stops working.
        expires_at: Timestamp,
        /// The first characters of the token, by which a person recognises it.
        prefix: String,
    },
    /// It stopped working.
    TokenRevoked {},
}

stored_events!(Event {
    TokenIssued => "access.token_issued" v "1",
    TokenRevoked => "access.token_revoked" v "1",
});
