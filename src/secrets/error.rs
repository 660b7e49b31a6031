//! Why a secret could not be sealed, opened or rotated.

use std::path::PathBuf;

use keytrail_domain::secret_ref::SecretRef;
use keytrail_projections::value::BadRow;
use uuid::Uuid;

use crate::store::StoreError;

/// Speaks to the operator: what happened, to what, what to do. No secret is in it.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// No file where the root key should be.
    #[error(
        "there is no root key at {}, and this database has secrets that need it: put back the file that belongs to this database; a backup never holds it",
        .path.display()
    )]
    RootKeyMissing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// Nodes that share a database must be given the same key.
    #[error(
        "no root key was given, and on PostgreSQL it is not made by itself: make one (openssl rand -base64 32), give the same one to every node, and keep it apart from the database's backups"
    )]
    RootKeyNotGiven,
    /// Others than the server could read it.
    #[error("the root key file {} can be read by others (mode {mode:04o}): run: chmod 600 '{}'", .path.display(), .path.display())]
    RootKeyExposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// Whoever copies the data would copy the key with it.
    #[error(
        "the root key file {} is inside the data folder, so a copy of the data would hold the key that opens it: move it, for example beside the configuration",
        .path.display()
    )]
    RootKeyMisplaced {
        /// The file.
        path: PathBuf,
    },
    /// The operating system did not do it.
    #[error("the root key file {} could not be {what}: check that its folder exists and belongs to the server's user", .path.display())]
    RootKeyFile {
        /// The file.
        path: PathBuf,
        /// `read`, `made` …
        what: &'static str,
        /// What the system says.
        source: std::io::Error,
    },
    /// It is something else.
    #[error(
        "the root key ({place}) is not 32 bytes in base64: give the one that belongs to this database; a new one is made with: openssl rand -base64 32"
    )]
    RootKeyMalformed {
        /// Which file, or that it was given as a value.
        place: String,
    },
    /// It is a root key, of another database or another time.
    #[error(
        "this root key (fingerprint {ours}) does not belong to this database, whose keys are wrapped with another one (fingerprint {theirs}): start with that one; to replace a root key, rotate it with the old and the new one at hand"
    )]
    WrongRootKey {
        /// The fingerprint of the one given.
        ours: String,
        /// The fingerprint of one that is needed.
        theirs: String,
    },
    /// The keys changed while they were being changed.
    #[error("the keys of this database are being changed by another process: nothing was changed; try again")]
    KeysChanging,
    /// A wrapped data key does not unwrap although the root key is right.
    #[error("the data key {key} is damaged: restore the table data_keys from a backup")]
    DataKeyDamaged {
        /// Which.
        key: Uuid,
    },
    /// A secret names a data key that is not there.
    #[error("the data key {key} of the secret {} is not in the database: restore the table data_keys from a backup", .secret.0)]
    DataKeyUnknown {
        /// Whose.
        secret: SecretRef,
        /// Which.
        key: Uuid,
    },
    /// No such secret.
    #[error("the secret {} is not in the database: enter it again", .secret.0)]
    SecretMissing {
        /// Which.
        secret: SecretRef,
    },
    /// It was altered, or moved to another owner or field.
    #[error(
        "the secret {} does not open as the {field} of this {kind}: its row was changed or moved; enter the secret again",
        .secret.0
    )]
    SecretDamaged {
        /// Which.
        secret: SecretRef,
        /// The kind of its owner.
        kind: String,
        /// Its field.
        field: String,
    },
    /// The store did not do it.
    #[error("the secrets could not be read or written")]
    Store(#[from] StoreError),
}

impl SecretsError {
    /// The stable word.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::RootKeyMissing { .. } => "root_key_missing",
            Self::RootKeyNotGiven => "root_key_not_given",
            Self::RootKeyExposed { .. } => "root_key_exposed",
            Self::RootKeyMisplaced { .. } => "root_key_misplaced",
            Self::RootKeyFile { .. } => "root_key_file",
            Self::RootKeyMalformed { .. } => "root_key_malformed",
            Self::WrongRootKey { .. } => "root_key_wrong",
            Self::KeysChanging => "keys_changing",
            Self::DataKeyDamaged { .. } => "data_key_damaged",
            Self::DataKeyUnknown { .. } => "data_key_unknown",
            Self::SecretMissing { .. } => "secret_missing",
            Self::SecretDamaged { .. } => "secret_damaged",
            Self::Store(_) => "secrets_store",
        }
    }
}

impl From<BadRow> for SecretsError {
    fn from(error: BadRow) -> Self {
        Self::Store(StoreError::Corrupt(error.to_string()))
    }
}
