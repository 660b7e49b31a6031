//! What can be asked of the list of access tokens.

use keytrail_domain::{
    access::{Role, Scopes},
    id::TokenId,
    recorded::{Position, Sequence},
    timestamp::Timestamp,
};

use super::{TOKENS, TokenList};
use crate::{
    row,
    stored::Stored,
    value::{BadRow, Cells, Row},
    view::{Read, Table},
};

/// An access token. Whether it has expired depends on when one looks, so that is not said here.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    /// Which.
    pub id: TokenId,
    /// What people call it.
    pub name: String,
    /// What its holder may do.
    pub role: Role,
    /// The part of that; all of it when nothing is said.
    pub scopes: Option<Scopes>,
    /// The first characters of the token.
    pub prefix: String,
    /// When it was made.
    pub issued_at: Timestamp,
    /// When it stops working by itself.
    pub expires_at: Timestamp,
    /// When somebody stopped it.
    pub revoked_at: Option<Timestamp>,
    /// The position at which it was made: the order of the list.
    pub issued_position: Position,
    /// The sequence of the last event of its stream: its ETag.
    pub version: Sequence,
    /// The position of that event.
    pub position: Position,
}

impl Stored for Token {
    const TABLE: &'static Table = &TOKENS;

    fn read(cells: &mut Cells<'_>) -> Result<Self, BadRow> {
        Ok(Self {
            id: TokenId(cells.id()?),
            name: cells.text()?.to_owned(),
            role: cells.word()?,
            scopes: cells.maybe_text()?.map(str::parse).transpose().map_err(|_| BadRow)?,
            prefix: cells.text()?.to_owned(),
            issued_at: cells.time()?,
            expires_at: cells.time()?,
            revoked_at: cells.maybe_time()?,
            issued_position: cells.int()?,
            version: cells.int()?,
            position: cells.int()?,
        })
    }

    fn row(&self) -> Row {
        row![
            self.id,
            self.name.as_str(),
            self.role.as_str(),
            self.scopes.as_ref().map(Scopes::to_string),
            self.prefix.as_str(),
            self.issued_at,
            self.expires_at,
            self.revoked_at,
            self.issued_position,
            self.version,
            self.position,
        ]
    }
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT token, name, role, scopes, prefix, issued_at, expires_at, revoked_at, issued_position, version, position ",
            "FROM token_list@ ",
            $rest
        )
    };
}

fn read(sql: &'static str, args: Row) -> Read<Token> {
    Read { view: &TokenList, sql, args, row: Token::read }
}

/// The token with this id. At most one row.
pub fn by_id(id: TokenId) -> Read<Token> {
    read(select!("WHERE token = $1"), row![id])
}

/// Tokens in the order in which they were made, from after `after` (an `issued_position`) on; revoked and expired ones
/// too.
pub fn page(after: Option<Position>, limit: u32) -> Read<Token> {
    read(select!("WHERE issued_position > $1 ORDER BY issued_position LIMIT $2"), row![after.unwrap_or(0), limit])
}
