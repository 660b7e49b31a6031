//! A network: an address and how many of its first bits count. Called by the address policy and by whoever reads one
//! from a configuration.

use std::{fmt, net::IpAddr, str::FromStr};

/// Such as `10.0.0.0/8` or `fd00::/8`; a single address is a network of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// The text is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a network is an address with its number of bits, such as 10.0.0.0/8 or fd00::/8, and no bit after these is set"
)]
pub struct NotANetwork;

impl Network {
    /// Whether the address lies in it. An IPv4 address lies in no IPv6 network.
    pub const fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                same(own.to_bits() as u128, other.to_bits() as u128, 32 - self.bits)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => same(own.to_bits(), other.to_bits(), 128 - self.bits),
            _ => false,
        }
    }
}

const fn same(one: u128, other: u128, ignored: u8) -> bool {
    // A shift by all bits is none at all, so it is made in two steps.
    ignored == 128 || one >> ignored == other >> ignored
}

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NotANetwork)?;
        let (number, most) = match address {
            IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
            IpAddr::V6(address) => (address.to_bits(), 128),
        };
        let digits = |bits: &&str| !bits.is_empty() && bits.bytes().all(|byte| byte.is_ascii_digit());
        let bits = match bits {
            Some(bits) => Some(bits).filter(digits).and_then(|bits| bits.parse().ok()).ok_or(NotANetwork)?,
            None => most,
        };
        // Whoever writes 10.1.2.3/8 may mean another network than we would read.
        let loose = bits < most && number.trailing_zeros() < u32::from(most - bits) && number != 0;
        if bits > most || loose {
            return Err(NotANetwork);
        }
        Ok(Self { address, bits })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}
