//! From an e-mail address to the id by which the log knows a person.

use keytrail_domain::person::PersonId;

use super::{KeyedHash, Secret};

/// Turns addresses into ids. Without it an id says nothing about its address, not even to somebody who guesses it.
pub struct PeopleKey(KeyedHash);

impl PeopleKey {
    /// With this key; it is the same on every node, and for ever.
    pub const fn new(key: Secret<[u8; 32]>) -> Self {
        Self(KeyedHash::new(key))
    }

    /// The id of who has this address. Blanks around it and the case of ASCII letters do not count.
    ///
    /// Only ASCII: the tables of Unicode change between versions, and ids must not.
    pub fn person_id(&self, email: &[u8]) -> PersonId {
        PersonId::of_keyed_hash(&self.0.of(&email.trim_ascii().to_ascii_lowercase()))
    }
}
