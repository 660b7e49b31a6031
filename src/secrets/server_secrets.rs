//! The server's own keys: made once per database, sealed in the vault, the same on every node.

use keytrail_domain::{secret_ref::SecretRef, timestamp::Timestamp};
use uuid::Uuid;

use super::{KeyedHash, Owner, PeopleKey, Secret, SecretsError, Vault};
use crate::{ids::random_bytes, store::Area};

/// Loaded at the start.
pub struct ServerSecrets {
    /// Turns e-mail addresses into ids of persons.
    pub people: PeopleKey,
    /// Hashes request bodies, so that a repeated request is known without keeping it.
    pub requests: KeyedHash,
    /// Signs cursors.
    pub cursors: KeyedHash,
    /// Makes fingerprints of keys that were configured, so that a shared secret is not found out by trying.
    pub fingerprints: KeyedHash,
}

impl ServerSecrets {
    /// The keys of this database; what is missing is made.
    pub async fn load_or_make(vault: &Vault, now: Timestamp) -> Result<Self, SecretsError> {
        Ok(Self {
            people: PeopleKey::new(key(vault, "people_key", now).await?),
            requests: KeyedHash::new(key(vault, "requests_key", now).await?),
            cursors: KeyedHash::new(key(vault, "cursors_key", now).await?),
            fingerprints: KeyedHash::new(key(vault, "fingerprints_key", now).await?),
        })
    }
}

/// The name of a key does not depend on who makes it: of two nodes that start together one makes it, and both read it.
fn name(field: &str) -> SecretRef {
    const SPACE: Uuid = Uuid::from_u128(0x6b65_7974_7261_696c_8000_0000_0000_0003);
    SecretRef(Uuid::new_v5(&SPACE, field.as_bytes()))
}

async fn key(vault: &Vault, field: &str, now: Timestamp) -> Result<Secret<[u8; 32]>, SecretsError> {
    let secret = name(field);
    let bytes = match vault.open(secret, Owner::SERVER, field).await {
        Err(SecretsError::SecretMissing { .. }) => {
            let made = Secret::new(random_bytes::<32>().to_vec());
            let row = vault.seal_as(secret, Owner::SERVER, field, &made, now);
            vault.db().write(Area::Log, vec![row.into_statement_unless_there()]).await?;
            vault.open(secret, Owner::SERVER, field).await?
        }
        known => known?,
    };
    let damaged = |_| SecretsError::SecretDamaged { secret, kind: Owner::SERVER.kind.into(), field: field.into() };
    bytes.expose().as_slice().try_into().map(Secret::new).map_err(damaged)
}
