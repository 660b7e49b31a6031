//! What happens to the host keys of a server. All of it is public: whoever connects is shown it.

use serde::{Deserialize, Serialize};

use super::{Endpoint, HostPublicKey, How};
use crate::stored_events;

/// Stored events of the stream `host_key`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A server that nobody vouched for yet showed these keys.
    Seen {
        /// Which.
        at: Endpoint,
        /// What was not seen of it before.
        keys: Vec<HostPublicKey>,
    },
    /// Somebody vouches for these.
    Trusted {
        /// Of which server.
        at: Endpoint,
        /// What was not trusted before.
        keys: Vec<HostPublicKey>,
        /// Who.
        how: How,
    },
    /// The server showed other keys than those that are trusted. Nothing is read from it until a person decides.
    Changed {
        /// Which.
        at: Endpoint,
        /// What was trusted.
        expected: Vec<HostPublicKey>,
        /// What it showed instead.
        offered: Vec<HostPublicKey>,
        /// Whether it showed a trusted one beside them each time.
        #[serde(default)]
        proved: bool,
    },
    /// A person says that it has them by right.
    ChangeAccepted {
        /// Which.
        at: Endpoint,
        /// What is trusted from now on.
        keys: Vec<HostPublicKey>,
        /// What is not any more.
        replaced: Vec<HostPublicKey>,
    },
    /// A person says that it does not.
    ChangeRefused {
        /// Which.
        at: Endpoint,
        /// What is not trusted, and raises no alarm again.
        keys: Vec<HostPublicKey>,
    },
    /// Nothing is trusted of this server any more.
    Revoked {
        /// Which.
        at: Endpoint,
        /// What was trusted.
        keys: Vec<HostPublicKey>,
    },
}

stored_events!(Event {
    Seen => "host_key.seen" v "1",
    Trusted => "host_key.trusted" v "1",
    Changed => "host_key.changed" v "1",
    ChangeAccepted => "host_key.change_accepted" v "1",
    ChangeRefused => "host_key.change_refused" v "1",
    Revoked => "host_key.revoked" v "1",
});

impl Event {
    /// Of which server.
    pub const fn at(&self) -> &Endpoint {
        match self {
            Self::Seen { at, .. }
            | Self::Trusted { at, .. }
            | Self::Changed { at, .. }
            | Self::ChangeAccepted { at, .. }
            | Self::ChangeRefused { at, .. }
            | Self::Revoked { at, .. } => at,
        }
    }
}
