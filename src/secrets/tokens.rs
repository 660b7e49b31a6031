//! Access tokens: made, and known again by their hash. Nobody can read one back, we neither.

use std::{collections::HashMap, sync::Arc};

use keytrail_domain::{
    access::{Role, Scopes},
    display_text::DisplayText,
    id::TokenId,
    timestamp::Timestamp,
};
use keytrail_projections::{
    row,
    value::{BadRow, Cells, Value},
};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{Secret, token_uses::TokenUses};
use crate::{
    ids::random_bytes,
    store::{Area, Db, Statement, StoreError},
};

/// By this, scanners for leaked secrets know our tokens.
const START: &str = "kt_";
/// Characters of the random part: 62^43 is more than 2^256.
const RANDOM: usize = 43;
/// Characters of the checksum: 62^6 is more than 2^32.
const CHECKSUM: usize = 6;
/// Characters that a person is shown to tell tokens apart; the rest has more than 220 bits left.
const PREFIX: usize = 8;
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A token that was just made. It is shown once.
pub struct NewToken {
    /// `kt_`, 43 random characters, `_`, 6 characters of checksum.
    pub token: Secret<String>,
    /// SHA-256 of it: what is stored. The token is random enough that a slow hash would add nothing.
    pub hash: [u8; 32],
    /// Its first characters.
    pub prefix: String,
}

impl NewToken {
    /// A new one.
    pub fn random() -> Self {
        // The whole length at once: a text that grew would leave pieces of the token in freed memory.
        let mut token = String::with_capacity(START.len() + RANDOM + 1 + CHECKSUM);
        token.push_str(START);
        let end = START.len() + RANDOM;
        while token.len() < end {
            let bytes = Zeroizing::new(random_bytes::<64>());
            // 248 is 4 times 62: taking larger bytes too would favour some characters.
            let fair = bytes.iter().filter(|byte| **byte < 248).map(|byte| char::from(DIGITS[usize::from(byte % 62)]));
            token.extend(fair.take(end - token.len()));
        }
        let checksum = checksum(&token);
        token.push('_');
        token.push_str(&checksum);
        Self { hash: hash(&token), prefix: token[..PREFIX].to_owned(), token: Secret::new(token) }
    }

    /// The statement that makes it work, a companion of the append of its event.
    pub fn issue_statement(
        &self,
        id: TokenId,
        name: &DisplayText,
        role: Role,
        scopes: Option<&Scopes>,
        expires_at: Timestamp,
    ) -> Statement {
        let sql = "INSERT INTO access_tokens (token_id, token_hash, name, role, scopes, expires_at) \
                   VALUES ($1, $2, $3, $4, $5, $6)";
        let scopes = scopes.map(Scopes::to_string);
        Statement::new(sql, row![id.0, &self.hash[..], name.as_str(), role.as_str(), scopes, expires_at])
    }
}

/// Who comes in with a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authenticated {
    /// The token's id.
    pub id: TokenId,
    /// What people call it.
    pub name: DisplayText,
    /// What its holder may do.
    pub role: Role,
    /// The part of that; all of it when nothing is said.
    pub scopes: Option<Scopes>,
    /// When it stops working by itself.
    pub expires_at: Timestamp,
}

/// The table of access tokens.
pub struct Tokens {
    db: Arc<Db>,
    uses: TokenUses,
}

impl Tokens {
    /// Of this database.
    pub fn new(db: Arc<Db>) -> Self {
        Self { db, uses: TokenUses::default() }
    }

    /// The statement after which a token works no more, a companion of the append of its event.
    pub fn revoke_statement(id: TokenId, at: Timestamp) -> Statement {
        let sql = "UPDATE access_tokens SET revoked_at = COALESCE(revoked_at, $2) WHERE token_id = $1";
        Statement::new(sql, row![id.0, at])
    }

    /// Who holds this token; nobody when it is unknown, expired or revoked. Asks the table every time, so that
    /// revoking works at once on every node.
    pub async fn authenticate(&self, token: &str, now: Timestamp) -> Result<Option<Authenticated>, StoreError> {
        if !well_formed(token) {
            return Ok(None);
        }
        let hash = hash(token);
        let sql = "SELECT token_id, token_hash, name, role, scopes, expires_at, revoked_at FROM access_tokens \
                   WHERE token_hash = $1";
        let rows = self.db.read(Area::Log, sql, &[Value::from(&hash[..])]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let stored = Stored::of_row(row).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        let same: bool = stored.hash.as_slice().ct_eq(&hash).into();
        if !same || stored.revoked || now >= stored.who.expires_at {
            return Ok(None);
        }
        self.uses.mark(stored.who.id, now);
        Ok(Some(stored.who))
    }

    /// Whether the token with this id still works.
    pub async fn works(&self, id: TokenId, now: Timestamp) -> Result<bool, StoreError> {
        let sql = "SELECT token_id FROM access_tokens WHERE token_id = $1 AND revoked_at IS NULL AND expires_at > $2";
        Ok(!self.db.read(Area::Log, sql, &row![id, now]).await?.is_empty())
    }

    /// Writes down which tokens were used since the last time, and when.
    pub async fn write_uses(&self) -> Result<(), StoreError> {
        self.uses.write(&self.db).await
    }

    /// When the tokens with ids from `first` to `last` were last used; those that never were are left out. Another
    /// node's last minute is missing.
    pub async fn last_uses(&self, first: TokenId, last: TokenId) -> Result<HashMap<TokenId, Timestamp>, StoreError> {
        self.uses.between(&self.db, first, last).await
    }
}

struct Stored {
    who: Authenticated,
    hash: Vec<u8>,
    revoked: bool,
}

impl Stored {
    fn of_row(row: &[Value]) -> Result<Self, BadRow> {
        let mut cells = Cells::of(row);
        let (id, hash) = (TokenId(cells.id()?), cells.bytes()?.to_vec());
        let name = DisplayText::clean(cells.text()?);
        let role = cells.text()?.parse().map_err(|_| BadRow)?;
        // A scope of a newer version must not become no scope at all.
        let scopes = cells.maybe_text()?.map(str::parse).transpose().map_err(|_| BadRow)?;
        let who = Authenticated { id, name, role, scopes, expires_at: cells.time()? };
        Ok(Self { who, hash, revoked: cells.maybe_int()?.is_some() })
    }
}

/// Whether it can be a token at all: a typing error costs no look into the table.
fn well_formed(token: &str) -> bool {
    let Some((body, sum)) = token.rsplit_once('_') else { return false };
    let Some(random) = body.strip_prefix(START) else { return false };
    random.len() == RANDOM
        && random.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && checksum(body).as_bytes().ct_eq(sum.as_bytes()).into()
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// The first 32 bits of SHA-256 of what stands before it, most significant digit first.
fn checksum(body: &str) -> String {
    let hash = hash(body);
    let mut left = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]);
    let mut digits = [b'0'; CHECKSUM];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(left % 62) as usize];
        left /= 62;
    }
    digits.into_iter().map(char::from).collect()
}
