//! A remote repository: where it is, whom to trust, as whom to ask, and what is too much. Called by jobs through the
//! listing of refs and by the transports that fetch. It never keeps a secret longer than the value that it came in.

pub mod address;
mod advertisement;
mod authority;
pub(in crate::git) mod classify;
pub(in crate::git) mod client;
pub(in crate::git) mod git_stream;
pub(in crate::git) mod ls_refs;
mod ls_refs_stream;
pub(in crate::git) mod pkt_line;
#[cfg(test)]
mod tests;
mod tls;
mod trouble;

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use keytrail_domain::{proxy_url::ProxyUrl, remote_url::RemoteUrl};
use zeroize::Zeroizing;

pub use self::{
    address::{AddressMode, AddressPolicy, Network},
    advertisement::ListedRef,
    authority::{BadCertificates, Certificates},
    ls_refs::{Listed, list_remote_refs},
    trouble::{OtherHostKey, RemoteError, RemoteTrouble},
};
use super::{GitError, ssh::SshAccess};

/// A remote repository and how to reach it.
#[derive(Clone, Debug)]
pub struct Remote {
    /// Where it is.
    pub url: RemoteUrl,
    /// As whom to ask; it is sent to the scheme, host and port of `url` and to no other.
    pub credential: Option<HttpCredential>,
    /// Which certificates are good.
    pub trust: Trust,
    /// Through what to connect; proxies of the environment are never used.
    pub proxy: Option<Proxy>,
    /// Over SSH: the keys to offer and the host's.
    pub ssh: Option<Arc<SshAccess>>,
    /// Which addresses and schemes may be used.
    pub addresses: Arc<AddressPolicy>,
    /// What is too much.
    pub limits: Limits,
}

/// A user and a password or token for HTTP. Neither can be printed or written out by accident.
#[derive(Clone)]
pub struct HttpCredential {
    user: String,
    password: Zeroizing<String>,
}

impl HttpCredential {
    /// Takes both in. A service that wants only a token takes any user's name with it.
    pub const fn new(user: String, password: Zeroizing<String>) -> Self {
        Self { user, password }
    }

    /// The value of an `Authorization` header (RFC 7617).
    pub fn authorization(&self) -> Zeroizing<String> {
        let plain = Zeroizing::new(format!("{}:{}", self.user, self.password.as_str()));
        let mut value = Zeroizing::new(String::with_capacity(6 + plain.len().div_ceil(3) * 4));
        value.push_str("Basic ");
        STANDARD.encode_string(plain.as_bytes(), &mut value);
        value
    }

    /// As it stands before the `@` of a URL, for a program that takes it in no other way. Never for one that is kept
    /// or shown.
    pub(in crate::git) fn in_url(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(3 * (self.user.len() + self.password.len()) + 2));
        for (part, end) in [(self.user.as_str(), ':'), (self.password.as_str(), '@')] {
            for byte in part.bytes() {
                if byte.is_ascii_alphanumeric() {
                    text.push(char::from(byte));
                } else {
                    text.push_str(&format!("%{byte:02X}"));
                }
            }
            text.push(end);
        }
        text
    }
}

impl fmt::Debug for HttpCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpCredential(..)")
    }
}

/// Which certificates are good. There is no way to accept any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// Those that lead to an authority that this machine trusts.
    #[default]
    WebPki,
    /// Those that lead to one of these authorities, and to no other.
    Authority {
        /// One or more certificates in PEM.
        pem: Arc<str>,
    },
    /// Exactly those with this key, whoever signed them, whatever name and dates they carry.
    Pinned {
        /// SHA-256 of the SubjectPublicKeyInfo in DER, as in RFC 7469 and in curl's `--pinnedpubkey`.
        spki_sha256: [u8; 32],
    },
}

/// An HTTP proxy.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// Where it is.
    pub url: ProxyUrl,
    /// As whom to ask it.
    pub credential: Option<HttpCredential>,
}

/// What is too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// To look a host's name up, and again to connect and to agree on TLS.
    pub connect: Duration,
    /// Without any new byte from the remote.
    pub silence: Duration,
    /// For listing the refs, from the first look-up to the last byte, however steadily they come, without what was waited
    /// for a place at the host; or for one answer of a service's API.
    pub listing: Duration,
    /// Of one answer, as it comes over the network.
    pub answer_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(15),
            silence: Duration::from_secs(60),
            listing: Duration::from_secs(900),
            answer_bytes: 256 << 20,
        }
    }
}

/// Checked addresses to connect to; the name is not to be looked up again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Those of the remote itself.
    Direct(Vec<SocketAddr>),
    /// Those of the proxy, which looks the remote up.
    Proxy(Vec<SocketAddr>),
}

impl Remote {
    /// Checks the scheme, looks the host (or the proxy) up once and checks every address.
    pub async fn reach(&self) -> Result<Reach, GitError> {
        self.addresses.allows_scheme(&self.url)?;
        match &self.proxy {
            None => {
                let found = self.addresses.resolve(self.url.host(), self.url.port(), self.limits.connect).await?;
                Ok(Reach::Direct(found))
            }
            Some(proxy) => {
                // An address needs no looking up, so it is checked in any case.
                if let Some(address) = self.url.host().address() {
                    self.addresses.allows(self.url.host(), address)?;
                }
                let found = self.addresses.resolve(proxy.url.host(), proxy.url.port(), self.limits.connect).await?;
                Ok(Reach::Proxy(found))
            }
        }
    }

    /// What comes of this work; nothing when it takes longer than `bound`. To wait for a place at the host is no part of it.
    pub(in crate::git) async fn within<T>(&self, bound: Duration, work: impl Future<Output = T>) -> Option<T> {
        match &self.ssh {
            Some(ssh) => ssh.waits().within(bound, work).await,
            None => tokio::time::timeout(bound, work).await.ok(),
        }
    }

    /// How long places at the host were waited for until now.
    pub fn waited(&self) -> Duration {
        self.ssh.as_ref().map_or(Duration::ZERO, |ssh| ssh.waited())
    }

    /// All connections over SSH that the host may have are in use.
    pub fn busy(&self) -> GitError {
        let host = format!("{}:{}", self.url.host(), self.url.port());
        GitError::HostBusy { host, most: self.ssh.as_ref().map_or(0, |ssh| ssh.places.of_each()) }
    }

    /// This trouble with this remote.
    pub fn trouble(&self, trouble: RemoteTrouble) -> GitError {
        GitError::of_remote(self.url.host(), trouble)
    }
}
