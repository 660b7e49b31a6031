//! Where a server of SSH listens: a host and a port, in the one form that all ways of writing them have.

use std::{fmt, net::Ipv6Addr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    id::HostKeyId,
    remote_url::{BadUrl, Host},
};

/// The port of SSH.
pub const SSH_PORT: u16 = 22;

/// What the ids of streams are derived from.
const NAMESPACE: Uuid = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0003);

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Endpoint {
    /// A name in lower case, or an address.
    pub host: Host,
    /// Where it listens.
    pub port: u16,
}

impl Endpoint {
    /// Reads a host as people write it: an IPv6 address with or without brackets.
    pub fn host_of(text: &str) -> Result<Host, BadUrl> {
        match text.parse::<Ipv6Addr>() {
            Ok(address) => Ok(Host::V6(address)),
            Err(_) => Host::parse(text),
        }
    }

    /// As known_hosts calls it: the host alone at the usual port, else `[host]:port`.
    pub fn known_hosts_name(&self) -> String {
        let host = match &self.host {
            Host::V6(address) => address.to_string(),
            named @ (Host::Name(_) | Host::V4(_)) => named.to_string(),
        };
        if self.port == SSH_PORT { host } else { format!("[{host}]:{}", self.port) }
    }

    /// The id of its stream.
    pub fn id(&self) -> HostKeyId {
        HostKeyId(Uuid::new_v5(&NAMESPACE, self.to_string().as_bytes()))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl HostKeyId {
    /// The id of the stream of this host and port, however the host is written.
    pub fn of(host: &str, port: u16) -> Self {
        match Endpoint::host_of(host) {
            Ok(host) => Endpoint { host, port }.id(),
            // No server can be called so: a stream that stays empty.
            Err(_) => Self(Uuid::new_v5(&NAMESPACE, format!("{}:{port}", host.to_ascii_lowercase()).as_bytes())),
        }
    }
}
