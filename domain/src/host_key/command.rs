//! What can be wished of the host keys of a server.

use super::{HostPublicKey, How};
use crate::remote_url::Host;

/// In the API: TrustHostKeys and ImportKnownHosts, ScanHostKeys and every connection, AcceptHostKeyChange,
/// RefuseHostKeyChange, ForgetHostKeys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// From now on a server with one of these keys is the one that is meant.
    Trust {
        /// Of which host.
        host: Host,
        /// At which port.
        port: u16,
        /// All that it has.
        keys: Vec<HostPublicKey>,
        /// Who vouches for them.
        how: How,
    },
    /// Somebody connected, and saw these keys.
    ReportOffered {
        /// To which host.
        host: Host,
        /// At which port.
        port: u16,
        /// What it showed; not all that it has, maybe.
        keys: Vec<HostPublicKey>,
    },
    /// The server has other keys by right: they are trusted instead.
    AcceptChanged {
        /// The SHA-256 fingerprints that the person saw: those of all keys that are in question.
        fingerprints: Vec<String>,
    },
    /// It has no right to them: what was trusted stays.
    RefuseChanged,
    /// Nothing is known of it any more, and nothing trusted.
    Forget,
}
