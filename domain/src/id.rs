//! Identifiers. Each kind is its own type, so that one is never passed for another.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Uuid {
                id.0
            }
        }
    )*};
}

ids! {
    /// An integration: one connection to a git service or folder.
    IntegrationId,
    /// A repository, whatever its name or address becomes.
    RepositoryId,
    /// One run of the indexer over one repository.
    IndexRunId,
    /// An access token; never the token itself.
    TokenId,
    /// A key of SSH in the pool.
    SshKeyId,
    /// The host keys of a server: one host and port.
    HostKeyId,
    /// An event in the log.
    EventId,
}

impl RepositoryId {
    /// The id of the repository with this natural key in this integration: discovering it twice names one stream.
    pub fn of(integration: IntegrationId, natural_key: &str) -> Self {
        Self(Uuid::new_v5(&integration.0, natural_key.as_bytes()))
    }
}
