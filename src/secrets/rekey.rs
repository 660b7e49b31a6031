//! A new root key. Only the data keys are wrapped anew; no secret is touched.

use keytrail_projections::row;

use super::{
    RootKey, SecretsError,
    data_keys::{WrappedKey, changing},
};
use crate::store::{Area, Db, Statement};

/// Wraps all data keys with `new` instead of `old`, in one transaction, and says how many. Those that are wrapped
/// with `new` already are left: doing it again is harmless. Vaults that are open go on with the data keys they have,
/// but learn of no new one: restart the nodes with the new root key soon after.
///
/// The order that survives a crash at any point: write the new key to a file of its own, rotate, put the file in place.
pub async fn rotate_root_key(db: &Db, old: &RootKey, new: &RootKey) -> Result<usize, SecretsError> {
    let statements = statements(&WrappedKey::all(db).await?, old, new)?;
    let count = statements.len() - 1;
    db.write(Area::Log, statements).await.map_err(changing)?;
    Ok(count)
}

/// One per key that is not under `new` yet, and one that makes sure that none was missed.
pub(super) fn statements(stored: &[WrappedKey], old: &RootKey, new: &RootKey) -> Result<Vec<Statement>, SecretsError> {
    let left = stored.iter().filter(|key| !key.is_under(new));
    let mut statements = left.map(|key| key.rewrap(old, new)).collect::<Result<Vec<_>, _>>()?;
    // A key that was added meanwhile would stay behind under the old root key: then nothing is changed.
    let none_left = "UPDATE data_keys SET root_key_check = root_key_check WHERE root_key_check <> $1";
    statements.push(Statement::new(none_left, row![&new.check()[..]]).expecting(0));
    Ok(statements)
}
