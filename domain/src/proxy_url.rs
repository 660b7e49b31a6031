//! The address of an HTTP proxy: `http://host:port`. Called by whoever takes one in and by `git`, which connects to it.
//! It never holds a password.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::remote_url::{BadUrl, EmbeddedCredential, Host, authority};

/// A proxy that is spoken to in plain HTTP and asked for a tunnel.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProxyUrl {
    host: Host,
    port: u16,
}

impl ProxyUrl {
    const DEFAULT_PORT: u16 = 80;

    /// Reads `http://[user:password@]host[:port][/]`; the user and the password are taken out.
    pub fn parse(text: &str) -> Result<(Self, Option<EmbeddedCredential>), BadUrl> {
        if text.len() > 2048 {
            return Err(BadUrl::TooLong);
        }
        if text.bytes().any(|byte| byte < 0x21 || byte == 0x7f) {
            return Err(BadUrl::ControlCharacter);
        }
        let rest = text.split_once("://").filter(|(scheme, _)| scheme.eq_ignore_ascii_case("http"));
        let (_, rest) = rest.ok_or(BadUrl::UnknownScheme)?;
        let (credential, host, port) = authority(rest.strip_suffix('/').unwrap_or(rest))?;
        Ok((Self { host, port: port.unwrap_or(Self::DEFAULT_PORT) }, credential))
    }

    /// The host.
    pub const fn host(&self) -> &Host {
        &self.host
    }

    /// The port.
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}:{}", self.host, self.port)
    }
}

impl Serialize for ProxyUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ProxyUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)? {
            (url, None) => Ok(url),
            (_, Some(_)) => Err(de::Error::custom(BadUrl::HasCredential)),
        }
    }
}
