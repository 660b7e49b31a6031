//! The vault: seals secrets for the row they are stored in, and opens them again.
//!
//! `app` seals what a command brings and appends the row with the event; `git` and jobs are handed what was opened.

use std::{
    path::Path,
    sync::{Arc, PoisonError, RwLock},
};

use keytrail_domain::{secret_ref::SecretRef, timestamp::Timestamp};
use keytrail_projections::{row, value::Value};
use uuid::Uuid;

use super::{
    Owner, RootKey, RootKeyPlace, SealedRow, Secret, SecretsError,
    data_keys::{self, DataKey, DataKeys},
    sealed_row::COLUMNS,
};
use crate::{
    ids::new_id,
    store::{Area, Db, Statement, StoreError},
};

/// The sealed secrets of one database.
pub struct Vault {
    db: Arc<Db>,
    root: RootKey,
    keys: RwLock<Arc<DataKeys>>,
}

impl Vault {
    /// Opens the vault of `db`, which is migrated. Refuses a root key that is not this database's; on the embedded
    /// engine makes one at its place if nothing is sealed yet.
    pub async fn open_at(
        db: Arc<Db>,
        place: &RootKeyPlace,
        data_folder: &Path,
        now: Timestamp,
    ) -> Result<Self, SecretsError> {
        let root = match (place, &*db) {
            (RootKeyPlace::File(path), _) => RootKey::read(path, data_folder)?,
            (RootKeyPlace::MadeWhenMissing(_), Db::Postgres(_)) => return Err(SecretsError::RootKeyNotGiven),
            // A new key would open nothing, and would lie where the right one is to be put back.
            (RootKeyPlace::MadeWhenMissing(path), Db::Sqlite(_)) if data_keys::any(&db).await? => {
                RootKey::read(path, data_folder)?
            }
            (RootKeyPlace::MadeWhenMissing(path), Db::Sqlite(_)) => RootKey::read_or_make(path, data_folder)?,
        };
        Self::open_with(db, root, now).await
    }

    /// Whether a vault of `db`, which is migrated, was ever opened. Makes nothing.
    pub async fn is_begun(db: &Db) -> Result<bool, StoreError> {
        data_keys::any(db).await
    }

    /// Opens the vault of `db` with this root key.
    pub async fn open_with(db: Arc<Db>, root: RootKey, now: Timestamp) -> Result<Self, SecretsError> {
        let keys = DataKeys::load_or_make(&db, &root, now).await?;
        Ok(Self { db, root, keys: RwLock::new(Arc::new(keys)) })
    }

    /// Seals `clear` as the `field` of `owner`. The row becomes durable with the event that names it.
    pub fn seal(&self, owner: Owner, field: &str, clear: &Secret<Vec<u8>>, now: Timestamp) -> (SecretRef, SealedRow) {
        let secret = SecretRef(new_id());
        (secret, self.seal_as(secret, owner, field, clear, now))
    }

    pub(super) fn seal_as(
        &self,
        secret: SecretRef,
        owner: Owner,
        field: &str,
        clear: &Secret<Vec<u8>>,
        now: Timestamp,
    ) -> SealedRow {
        SealedRow::seal(&self.keys().newest(), secret, owner, field, clear, now)
    }

    /// What was sealed as the `field` of `owner`; refuses a secret of another owner or field.
    pub async fn open(&self, secret: SecretRef, owner: Owner, field: &str) -> Result<Secret<Vec<u8>>, SecretsError> {
        let sql = format!("SELECT {COLUMNS} FROM secrets WHERE secret_ref = $1");
        let rows = self.db.read(Area::Log, &sql, &[Value::from(secret.0)]).await?;
        let row = SealedRow::of_row(rows.first().ok_or(SecretsError::SecretMissing { secret })?)?;
        let here = row.kind == owner.kind && row.owner == owner.id && row.field == field;
        let clear = if here { row.open(&*self.key_of(&row).await?) } else { None };
        clear.ok_or_else(|| SecretsError::SecretDamaged { secret, kind: owner.kind.into(), field: field.into() })
    }

    /// What was sealed last as the `field` of `owner`; nothing when nothing is.
    pub async fn open_field(&self, owner: Owner, field: &str) -> Result<Option<Secret<Vec<u8>>>, SecretsError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM secrets WHERE owner_kind = $1 AND owner_id = $2 AND field = $3 \
             ORDER BY created_at DESC, secret_ref DESC LIMIT 1"
        );
        let rows = self.db.read(Area::Log, &sql, &row![owner.kind, owner.id, field]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let row = SealedRow::of_row(row)?;
        let damaged =
            || SecretsError::SecretDamaged { secret: row.secret, kind: owner.kind.into(), field: field.into() };
        row.open(&*self.key_of(&row).await?).map(Some).ok_or_else(damaged)
    }

    /// The statement that takes a secret away.
    pub fn forget(secret: SecretRef) -> Statement {
        Statement::new("DELETE FROM secrets WHERE secret_ref = $1", row![secret.0])
    }

    /// The statement that takes all secrets of `owner` away.
    pub fn forget_all_of(owner: Owner) -> Statement {
        let sql = "DELETE FROM secrets WHERE owner_kind = $1 AND owner_id = $2";
        Statement::new(sql, row![owner.kind, owner.id])
    }

    /// The key that `row` is sealed under; another node may have made it a moment ago.
    pub(super) async fn key_of(&self, row: &SealedRow) -> Result<Arc<DataKey>, SecretsError> {
        if let Some(key) = self.keys().get(row.key) {
            return Ok(key);
        }
        let keys = self.reload().await?;
        keys.get(row.key).ok_or(SecretsError::DataKeyUnknown { secret: row.secret, key: row.key })
    }

    /// A new data key for what is sealed from now on.
    pub(super) async fn add_key(&self, now: Timestamp) -> Result<Uuid, SecretsError> {
        self.reload().await?.add(&self.db, &self.root, now).await?;
        Ok(self.reload().await?.newest().id)
    }

    pub(super) fn keys(&self) -> Arc<DataKeys> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) async fn reload(&self) -> Result<Arc<DataKeys>, SecretsError> {
        let keys = Arc::new(DataKeys::load(&self.db, &self.root).await?);
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys.clone();
        Ok(keys)
    }

    pub(super) const fn db(&self) -> &Arc<Db> {
        &self.db
    }
}
