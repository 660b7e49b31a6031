//! A new root key. Only the data keys are wrapped anew; no secret is touched.

use super::{
    RootKey, SecretsError,
    data_keys::{WrappedKey, changing},
};
use crate::store::{Area, Db, Statement};
use keytrail_projections::row;

/// Wraps all data keys with `new` instead of `old`, in one transaction, and says how many. Those that are wrapped
/// with `new` already are left: doing it again is harmless. Vaults that are open go on with the data keys they have,
/// but learn of no new one: restart the nodes with the new root key soon after.
///
/// The order that survives a crash at any point: write the new key to a file of its own, rotate, put the file in place.
pub async fn rotate_root_key(db: &Db, old: &RootKey, new: &RootKey) -> Result<usize, SecretsError> {
    let mut statements = Vec::new();
    for key in WrappedKey::all(db).await? {
        if !key.is_under(new) {
            statements.push(key.rewrap(old, new)?);
        }
    }
    let count = statements.len();
    // A key that was added meanwhile would stay behind under the old root key: then nothing is changed.
    let none_left = "UPDATE data_keys SET root_key_check = root_key_check WHERE root_key_check <> $1";
    statements.push(Statement::new(none_left, row![&new.check()[..]]).expecting(0));
    db.write(Area::Log, statements).await.map_err(changing)?;
    Ok(count)
}
