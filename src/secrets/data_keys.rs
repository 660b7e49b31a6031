//! The data keys: what secrets are sealed under. They are stored wrapped by the root key and are never taken away,
//! since a secret sealed by another node may become durable at any time.

use std::{collections::BTreeMap, sync::Arc};

use keytrail_domain::{hex::lower_hex, timestamp::Timestamp};
use keytrail_projections::{
    row,
    value::{Cells, Row},
};
use uuid::Uuid;

use super::{
    RootKey, Secret, SecretsError,
    seal::{Key, associated, open, seal},
};
use crate::{
    ids::{new_id, random_bytes},
    store::{Area, Db, Statement, StoreError},
};

/// The first data key has the same id wherever it is made, so that of two nodes that start together one makes it.
const FIRST: Uuid = Uuid::from_u128(0x6b65_7974_7261_696c_8000_0000_0000_0002);

/// One key, unwrapped.
pub(super) struct DataKey {
    pub(super) id: Uuid,
    pub(super) key: Key,
    pub(super) created_at: Timestamp,
}

impl DataKey {
    fn random(id: Uuid, created_at: Timestamp) -> Self {
        Self { id, key: Secret::new(random_bytes()), created_at }
    }

    fn wrapped(&self, root: &RootKey) -> Vec<u8> {
        seal(&root.wrapping_key(), &bound(self.id, &root.check()), self.key.expose())
    }

    fn insert(&self, root: &RootKey, tail: &str) -> Statement {
        let sql = format!("INSERT INTO data_keys ({COLUMNS}) VALUES ($1, $2, $3, $4){tail}");
        Statement::new(sql, row![self.id, &root.check()[..], self.wrapped(root).as_slice(), self.created_at])
    }
}

/// All keys of a database.
pub(super) struct DataKeys {
    by_id: BTreeMap<Uuid, Arc<DataKey>>,
    newest: Arc<DataKey>,
}

impl DataKeys {
    /// The keys of `db`; the first one is made when there is none.
    pub(super) async fn load_or_make(db: &Db, root: &RootKey, now: Timestamp) -> Result<Self, SecretsError> {
        let mut stored = WrappedKey::all(db).await?;
        if stored.is_empty() {
            let first = DataKey::random(FIRST, now).insert(root, " ON CONFLICT (key_id) DO NOTHING");
            db.write(Area::Log, vec![first]).await?;
            // Read again: it may be another node's, under another root key even.
            stored = WrappedKey::all(db).await?;
        }
        Self::unwrap(&stored, root)
    }

    /// The keys of `db`, which has some.
    pub(super) async fn load(db: &Db, root: &RootKey) -> Result<Self, SecretsError> {
        Self::unwrap(&WrappedKey::all(db).await?, root)
    }

    fn unwrap(stored: &[WrappedKey], root: &RootKey) -> Result<Self, SecretsError> {
        let mut by_id = BTreeMap::new();
        for wrapped in stored {
            by_id.insert(wrapped.id, Arc::new(wrapped.unwrap(root)?));
        }
        let newest = by_id.values().max_by_key(|key| (key.created_at, key.id)).cloned();
        let newest = newest.ok_or_else(|| StoreError::Corrupt("the table data_keys is empty".into()))?;
        Ok(Self { by_id, newest })
    }

    /// Adds a new key, which is from then on the newest.
    pub(super) async fn add(&self, db: &Db, root: &RootKey, now: Timestamp) -> Result<(), SecretsError> {
        // Newer than the others, whatever this machine's clock says.
        let created_at = now.max(self.newest.created_at.plus_micros(1));
        let key = DataKey::random(new_id(), created_at);
        // The update changes nothing, but it waits for a rotation of the root key that is under way and sees its end:
        // no key is ever added under a root key that is being left.
        let hold = "UPDATE data_keys SET root_key_check = root_key_check WHERE root_key_check = $1";
        let hold = Statement::new(hold, row![&root.check()[..]]).expecting(self.by_id.len() as u64);
        db.write(Area::Log, vec![hold, key.insert(root, "")]).await.map_err(changing)?;
        Ok(())
    }

    pub(super) fn get(&self, id: Uuid) -> Option<Arc<DataKey>> {
        self.by_id.get(&id).cloned()
    }

    pub(super) fn newest(&self) -> Arc<DataKey> {
        self.newest.clone()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<DataKey>> {
        self.by_id.values()
    }
}

/// Whether there is any key. When not, nothing was ever sealed.
pub(super) async fn any(db: &Db) -> Result<bool, StoreError> {
    Ok(!db.read(Area::Log, "SELECT key_id FROM data_keys ORDER BY key_id LIMIT 1", &[]).await?.is_empty())
}

/// When the rows were not those that were expected, somebody changes the keys.
pub(super) fn changing(error: StoreError) -> SecretsError {
    match error {
        StoreError::Fenced => SecretsError::KeysChanging,
        other => other.into(),
    }
}

/// One key as it is stored.
pub(super) struct WrappedKey {
    pub(super) id: Uuid,
    check: Vec<u8>,
    wrapped: Vec<u8>,
    created_at: Timestamp,
}

const COLUMNS: &str = "key_id, root_key_check, wrapped, created_at";

impl WrappedKey {
    pub(super) async fn all(db: &Db) -> Result<Vec<Self>, SecretsError> {
        let sql = format!("SELECT {COLUMNS} FROM data_keys ORDER BY key_id");
        db.read(Area::Log, &sql, &[]).await?.iter().map(Self::of_row).collect()
    }

    fn of_row(row: &Row) -> Result<Self, SecretsError> {
        let mut cells = Cells::of(row);
        let (id, check) = (cells.id()?, cells.bytes()?.to_vec());
        Ok(Self { id, check, wrapped: cells.bytes()?.to_vec(), created_at: cells.time()? })
    }

    /// Whether `root` is what it is wrapped with.
    pub(super) fn is_under(&self, root: &RootKey) -> bool {
        self.check == root.check()
    }

    fn unwrap(&self, root: &RootKey) -> Result<DataKey, SecretsError> {
        if !self.is_under(root) {
            let (ours, theirs) = (fingerprint(&root.check()), fingerprint(&self.check));
            return Err(SecretsError::WrongRootKey { ours, theirs });
        }
        let damaged = || SecretsError::DataKeyDamaged { key: self.id };
        let bytes = open(&root.wrapping_key(), &bound(self.id, &self.check), &self.wrapped).ok_or_else(damaged)?;
        let key = bytes.expose().as_slice().try_into().map_err(|_| damaged())?;
        Ok(DataKey { id: self.id, key: Secret::new(key), created_at: self.created_at })
    }

    /// The statement that wraps it with `new` instead of `old`.
    pub(super) fn rewrap(&self, old: &RootKey, new: &RootKey) -> Result<Statement, SecretsError> {
        let wrapped = self.unwrap(old)?.wrapped(new);
        let sql = "UPDATE data_keys SET root_key_check = $3, wrapped = $4 WHERE key_id = $1 AND root_key_check = $2";
        let args = row![self.id, &self.check[..], &new.check()[..], wrapped.as_slice()];
        Ok(Statement::new(sql, args).expecting(1))
    }
}

fn bound(id: Uuid, check: &[u8]) -> Vec<u8> {
    associated(&[b"keytrail data key, 1", id.as_bytes(), check])
}

fn fingerprint(check: &[u8]) -> String {
    lower_hex(&check[..check.len().min(4)])
}
