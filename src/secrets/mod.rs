//! Secrets, people and access tokens: what must never be in the log, and what the log says instead.
//!
//! Called by `app`, `intake` and `jobs`; it knows the store and nothing else of ours. Rows that belong to an event are
//! handed out as statements, which become durable with that event. Nothing here is shown by any interface.

pub mod app_secrets;
mod data_keys;
mod error;
mod http_login;
mod key_use;
mod keyed_hash;
mod openable;
mod owner;
mod people;
mod people_key;
mod people_list;
mod rekey;
mod reseal;
mod root_key;
mod seal;
mod sealed_row;
mod secret;
mod server_secrets;
pub mod ssh_private_keys;
#[cfg(test)]
mod tests;
mod token_uses;
mod tokens;
mod vault;

pub use self::{
    error::SecretsError,
    http_login::{HttpLogin, NoLogin},
    key_use::KeyUse,
    keyed_hash::KeyedHash,
    openable::Openable,
    owner::Owner,
    people::{People, Person},
    people_key::PeopleKey,
    people_list::{ListedPerson, PeopleCursor, PeopleFilter},
    rekey::rotate_root_key,
    reseal::Resealing,
    root_key::{RootKey, RootKeyPlace},
    sealed_row::SealedRow,
    secret::Secret,
    server_secrets::ServerSecrets,
    tokens::{Authenticated, NewToken, Tokens},
    vault::Vault,
};
