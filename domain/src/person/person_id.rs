//! A person as the log knows one: a keyed hash of an e-mail address, never the address.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::{Builder, Uuid};

/// UUIDv8 of HMAC-SHA-256(people key, lower-cased e-mail). The same on every node and in every replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PersonId(pub Uuid);

impl PersonId {
    /// The id made of a keyed hash; the first 16 bytes count. Who computes it holds the people key.
    pub fn of_keyed_hash(hash: &[u8; 32]) -> Self {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash[..16]);
        Self(Builder::from_custom_bytes(bytes).into_uuid())
    }
}

impl fmt::Display for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Variant;

    use super::*;

    #[test]
    fn a_person_is_a_uuid_of_version_8_made_of_the_first_half_of_the_hash() {
        let mut hash = [0xab; 32];
        let id = PersonId::of_keyed_hash(&hash);
        assert_eq!((id.0.get_version_num(), id.0.get_variant()), (8, Variant::RFC4122));
        // Ids stand in the log: how they are made never changes.
        assert_eq!(id.to_string(), "abababab-abab-8bab-abab-abababababab");
        hash[16] = 0;
        assert_eq!(PersonId::of_keyed_hash(&hash), id);
        hash[15] = 0;
        assert_ne!(PersonId::of_keyed_hash(&hash), id);
    }
}
