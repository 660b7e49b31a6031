//! A sealed secret as the table `secrets` holds it.

use std::sync::Arc;

use keytrail_domain::{secret_ref::SecretRef, timestamp::Timestamp};
use keytrail_projections::{
    row,
    value::{BadRow, Cells, Value},
};
use uuid::Uuid;

use super::{
    Owner, Secret,
    data_keys::DataKey,
    seal::{associated, open, seal},
};
use crate::store::{Area, Db, Statement, StoreError};

/// One row. Nothing in it is secret: the content is sealed.
pub struct SealedRow {
    pub(super) secret: SecretRef,
    pub(super) kind: String,
    pub(super) owner: Uuid,
    pub(super) field: String,
    pub(super) key: Uuid,
    sealed: Vec<u8>,
    created_at: Timestamp,
}

/// In the order in which [`SealedRow::of_row`] reads them.
pub(super) const COLUMNS: &str = "secret_ref, owner_kind, owner_id, field, key_id, sealed, created_at";

impl SealedRow {
    pub(super) fn seal(
        key: &DataKey,
        secret: SecretRef,
        owner: Owner,
        field: &str,
        clear: &Secret<Vec<u8>>,
        now: Timestamp,
    ) -> Self {
        let mut row = Self {
            secret,
            kind: owner.kind.to_owned(),
            owner: owner.id,
            field: field.to_owned(),
            key: key.id,
            sealed: Vec::new(),
            created_at: now,
        };
        row.sealed = seal(&key.key, &row.associated(), clear.expose());
        row
    }

    /// The content; nothing when the row is not as it was sealed.
    pub(super) fn open(&self, key: &DataKey) -> Option<Secret<Vec<u8>>> {
        open(&key.key, &self.associated(), &self.sealed)
    }

    /// The same content under another key; nothing when it does not open.
    pub(super) fn reseal(&self, old: &DataKey, new: &DataKey) -> Option<Statement> {
        let clear = self.open(old)?;
        let bound = self.associated_under(new.id);
        let args = row![self.secret.0, self.key, new.id, &*seal(&new.key, &bound, clear.expose())];
        // Not demanded: the secret may be forgotten meanwhile, or another node was quicker.
        Some(Statement::new("UPDATE secrets SET key_id = $3, sealed = $4 WHERE secret_ref = $1 AND key_id = $2", args))
    }

    /// The statement that stores it: a companion of the append of the event that names it.
    pub fn into_statement(self) -> Statement {
        self.insert("")
    }

    /// The statement that stores it unless there is one with its name.
    pub(super) fn into_statement_unless_there(self) -> Statement {
        self.insert(" ON CONFLICT (secret_ref) DO NOTHING")
    }

    fn insert(self, tail: &str) -> Statement {
        let sql = format!("INSERT INTO secrets ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7){tail}");
        let Self { secret, kind, owner, field, key, sealed, created_at } = self;
        Statement::new(sql, row![secret.0, kind, owner, field, key, sealed.as_slice(), created_at])
    }

    pub(super) fn of_row(row: &[Value]) -> Result<Self, BadRow> {
        let mut cells = Cells::of(row);
        Ok(Self {
            secret: SecretRef(cells.id()?),
            kind: cells.text()?.to_owned(),
            owner: cells.id()?,
            field: cells.text()?.to_owned(),
            key: cells.id()?,
            sealed: cells.bytes()?.to_vec(),
            created_at: cells.time()?,
        })
    }

    /// Up to a few hundred rows after the one named `after`, in the order of their names.
    pub(super) async fn page(db: &Arc<Db>, after: Option<SecretRef>) -> Result<Vec<Self>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM secrets WHERE secret_ref > $1 ORDER BY secret_ref LIMIT 256");
        // No bytes sort before any bytes.
        let after = after.map_or_else(|| Value::from(&[][..]), |secret| Value::from(secret.0));
        let rows = db.read_long(Area::Log, sql, vec![after]).await?;
        rows.iter()
            .map(|row| Self::of_row(row))
            .collect::<Result<_, _>>()
            .map_err(|error| StoreError::Corrupt(error.to_string()))
    }

    fn associated(&self) -> Vec<u8> {
        self.associated_under(self.key)
    }

    fn associated_under(&self, key: Uuid) -> Vec<u8> {
        associated(&[
            b"keytrail secret, 1",
            self.kind.as_bytes(),
            self.owner.as_bytes(),
            self.field.as_bytes(),
            self.secret.0.as_bytes(),
            key.as_bytes(),
        ])
    }
}
