//! The host of a URL: a name or an address, in the one form that every program reads alike. Called by the parser.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::BadUrl;

/// A host. Its text is what stands in a URL: names in lower case, IPv6 addresses in brackets.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Host {
    /// An ASCII name, in lower case.
    Name(String),
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address.
    V6(Ipv6Addr),
}

impl Host {
    const LONGEST_NAME: usize = 253;
    const LONGEST_LABEL: usize = 63;

    /// Reads a host as it stands in a URL.
    pub fn parse(text: &str) -> Result<Self, BadUrl> {
        if let Some(inside) = text.strip_prefix('[') {
            let inside = inside.strip_suffix(']').ok_or(BadUrl::BadHost)?;
            if inside.contains('%') {
                return Err(BadUrl::ZoneId);
            }
            return inside.parse().map(Self::V6).map_err(|_| BadUrl::BadHost);
        }
        if text.starts_with('-') {
            return Err(BadUrl::LeadingDash);
        }
        if text.contains('%') {
            return Err(BadUrl::PercentInHost);
        }
        if !text.is_ascii() {
            return Err(BadUrl::HostNotAscii);
        }
        let name = text.to_ascii_lowercase();
        // Programs read `127.1`, `0177.0.0.1`, `2130706433` and `0x7f000001` as addresses, each in its own way.
        let last = name.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
        let hex = last.strip_prefix("0x");
        let number = !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit());
        if number || hex.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit())) {
            return name.parse().map(Self::V4).map_err(|_| BadUrl::OddAddress);
        }
        let good = |label: &str| {
            (1..=Self::LONGEST_LABEL).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        };
        if name.len() > Self::LONGEST_NAME || !name.split('.').all(good) {
            return Err(BadUrl::BadHost);
        }
        Ok(Self::Name(name))
    }

    /// The address, when it is one and no name.
    pub const fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Name(_) => None,
            Self::V4(address) => Some(IpAddr::V4(*address)),
            Self::V6(address) => Some(IpAddr::V6(*address)),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::V4(address) => address.fmt(f),
            Self::V6(address) => write!(f, "[{address}]"),
        }
    }
}

impl Serialize for Host {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Host {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}
