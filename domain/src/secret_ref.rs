//! The name of a secret. Events carry this, never the secret.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Names one sealed row of the vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretRef(pub Uuid);
