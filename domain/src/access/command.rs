//! What can be wished of an access token.

use crate::{
    access::{Role, Scopes},
    display_text::DisplayText,
    timestamp::Timestamp,
};

/// In the API: IssueToken, RevokeToken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Make one. The token itself never reaches the domain.
    IssueToken {
        /// What people call it.
        name: DisplayText,
        /// What its holder may do.
        role: Role,
        /// The part of that; all of it when nothing is said.
        scopes: Option<Scopes>,
        /// When it stops working.
        expires_at: Timestamp,
        /// The first characters of the token, by which a person recognises it.
        prefix: String,
    },
    /// It stops working now.
    RevokeToken,
}
