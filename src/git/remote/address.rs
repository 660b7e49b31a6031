//! Which addresses may be connected to. Called before every connection to a remote or a proxy; it looks a name up once
//! and never lets one address through because another of the same name is good.

pub mod network;
#[cfg(test)]
mod tests;

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use keytrail_domain::remote_url::{AllowedSchemes, Host, RemoteUrl};

pub use self::network::Network;
use super::{GitError, RemoteTrouble};

/// What an administrator lets this server reach.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressPolicy {
    /// Which addresses.
    pub mode: AddressMode,
    /// Whether `git://` may be used.
    pub allow_git_scheme: bool,
    /// Whether `http://` may be used.
    pub allow_http: bool,
}

/// Which addresses may be used. Addresses that lead nowhere sensible (unspecified, multicast, reserved) never may.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AddressMode {
    /// Those of the public internet.
    #[default]
    PublicOnly,
    /// These beside them.
    Listed {
        /// Private ranges; not this machine itself, nor link-local, metadata and shared addresses.
        private: bool,
        /// Every address of these hosts, loopback and link-local ones too.
        hosts: Vec<Host>,
        /// Every address in these networks, loopback and link-local ones too.
        networks: Vec<Network>,
    },
}

/// What an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Public,
    /// Of an organisation's own network.
    Private,
    /// This machine, its link, its cloud's metadata, or a range that nobody publishes a server in.
    Guarded,
    /// No address of a server at all.
    Never,
}

impl AddressPolicy {
    /// The schemes that are switched on.
    pub const fn schemes(&self) -> AllowedSchemes {
        AllowedSchemes { http: self.allow_http, git: self.allow_git_scheme }
    }

    /// Whether the URL's scheme is switched on.
    pub fn allows_scheme(&self, url: &RemoteUrl) -> Result<(), GitError> {
        url.allowed(self.schemes())
            .map_err(|reason| GitError::of_remote(url.host(), RemoteTrouble::UrlNotAllowed { reason }))
    }

    /// The addresses of a host, looked up once. All of them are allowed, or it is refused.
    pub async fn resolve(&self, host: &Host, port: u16, within: Duration) -> Result<Vec<SocketAddr>, GitError> {
        let unknown = || GitError::of_remote(host, RemoteTrouble::HostUnknown);
        let addresses: Vec<IpAddr> = match host {
            Host::V4(address) => vec![(*address).into()],
            Host::V6(address) => vec![(*address).into()],
            Host::Name(name) => {
                let lookup = tokio::time::timeout(within, tokio::net::lookup_host((name.as_str(), port))).await;
                let found = lookup.ok().and_then(Result::ok).ok_or_else(unknown)?;
                found.map(|address| address.ip()).collect()
            }
        };
        if addresses.is_empty() {
            return Err(unknown());
        }
        for address in &addresses {
            self.allows(host, *address)?;
        }
        Ok(addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect())
    }

    /// Whether this address of this host may be used.
    pub fn allows(&self, host: &Host, address: IpAddr) -> Result<(), GitError> {
        let address = plain(address);
        let (listed, private) = match &self.mode {
            AddressMode::Listed { private, hosts, networks } => {
                (hosts.contains(host) || networks.iter().any(|network| network.contains(address)), *private)
            }
            AddressMode::PublicOnly => (false, false),
        };
        let allowed = match class(address) {
            Class::Public => true,
            Class::Private => private || listed,
            Class::Guarded => listed,
            Class::Never => false,
        };
        if allowed { Ok(()) } else { Err(GitError::of_remote(host, RemoteTrouble::AddressDenied)) }
    }
}

/// An IPv4 address that is wrapped into an IPv6 one is itself: mapped, translated, compatible, 6to4, NAT64.
fn plain(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let s = v6.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match s {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0, 0, 0, 0, 0xffff, 0, high, low] => v4(high, low).into(),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => v4(high, low).into(),
        [0x2002, high, low, ..] => v4(high, low).into(),
        // `::` and `::1` are themselves.
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => v4(high, low).into(),
        _ => address,
    }
}

fn class(address: IpAddr) -> Class {
    match address {
        IpAddr::V4(address) => class_v4(address),
        IpAddr::V6(address) => class_v6(address),
    }
}

/// By the registry of special-purpose addresses (RFC 6890 and what followed it).
const fn class_v4(address: Ipv4Addr) -> Class {
    match address.octets() {
        [0 | 224..=255, ..] => Class::Never,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Class::Private,
        [127, ..] | [169, 254, ..] | [100, 64..=127, ..] => Class::Guarded,
        // Protocol assignments, documentation, relays, benchmarks.
        [192, 0, 0 | 2, _] | [192, 88, 99, _] | [198, 18 | 19, ..] | [198, 51, 100, _] | [203, 0, 113, _] => {
            Class::Guarded
        }
        // Azure answers virtual machines here, beside 169.254.169.254.
        [168, 63, 129, 16] => Class::Guarded,
        _ => Class::Public,
    }
}

const fn class_v6(address: Ipv6Addr) -> Class {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] | [0xff00..=0xffff, ..] => Class::Never,
        // The metadata service of AWS lies in a private range.
        [0xfd00, 0xec2, ..] => Class::Guarded,
        [0xfc00..=0xfdff, ..] => Class::Private,
        // Teredo (which wraps IPv4), benchmarks, ORCHID, documentation.
        [0x2001, 0 | 2 | 0x10..=0x3f | 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Class::Guarded,
        [0x2000..=0x3fff, ..] => Class::Public,
        _ => Class::Guarded,
    }
}
