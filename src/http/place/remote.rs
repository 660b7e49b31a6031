//! One repository of a git server as the API takes it: every part of it is looked at before anything is made. No name is
//! looked up and nothing is connected to.

use keytrail_domain::{
    git_remote::{GitRemote, ProxySetting},
    id::SshKeyId,
    proxy_url::ProxyUrl,
    remote_url::{BadUrl, EmbeddedCredential, Host, Parsed, RemoteUrl, Scheme},
    secret_ref::SecretRef,
    service::Connection,
};
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    credential::{Credential, Given, Wish},
    refs::Refs,
    trust::Trust,
};
use crate::{
    git::remote::AddressPolicy,
    http::error::{ApiError, Code, sentence},
    secrets::{HttpLogin, Secret},
};

/// One repository of a git server.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Remote {
    /// Its address: `https://`, `ssh://` or `user@host:path`, or `http://` and `git://` where an administrator switched them
    /// on. A user and a password in it are taken out and sealed; over SSH there are no passwords.
    #[schema(value_type = String, example = "https://git.example.com/shop/api.git")]
    url: Secret<String>,
    /// As whom to ask. Left out of a change it stays what it is as long as scheme, host and port do, and is forgotten
    /// otherwise; `null` takes it away.
    #[serde(default)]
    #[schema(value_type = Option<Credential>)]
    credential: Given,
    /// Over SSH, the key of the pool that is offered first, by its id; the common keys come after it. Left out of a change it
    /// stays what it is; `null` lets the common keys alone be offered.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<Uuid>)]
    ssh_key: Option<Option<Uuid>>,
    /// Whose certificates are good.
    #[serde(default)]
    trust: Trust,
    /// Through what it is reached; proxies of the server's environment are never used.
    #[serde(default)]
    proxy: Option<Proxy>,
    /// Which refs are looked at.
    #[serde(default)]
    refs: Refs,
}

/// An HTTP proxy.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewProxy)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Proxy {
    /// `http://host:port`
    #[schema(value_type = String, example = "http://proxy.example.com:3128")]
    url: Secret<String>,
    /// As whom to ask it. Left out of a change it stays what it is as long as the address does; `null` takes it away.
    #[serde(default)]
    #[schema(value_type = Option<Credential>)]
    credential: Given,
}

/// A remote whose credentials are still to be sealed.
pub(super) struct Checked {
    remote: GitRemote,
    login: Wish,
    proxy_login: Wish,
    /// Nothing: the one that is there stays, if it is reached over SSH still.
    ssh_key: Option<Option<SshKeyId>>,
}

/// What stands there was said, also when it is `null`.
fn said<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<Uuid>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl Remote {
    pub(super) fn checked(&self, policy: &AddressPolicy) -> Result<Checked, ApiError> {
        let Parsed { url, credential } = parsed(policy, &self.url)?;
        let embedded = match (url.scheme(), credential) {
            (Scheme::Ssh, Some(embedded)) => return Err(embedded_refused(embedded)),
            (_, embedded) => embedded,
        };
        let login = self.credential.checked(embedded)?;
        let trust = self.trust.checked()?;
        let refs = self.refs.checked()?;
        let (proxy, proxy_login) = match &self.proxy {
            Some(proxy) => {
                let (url, login) = proxy.checked(policy)?;
                (Some(ProxySetting { url, credential: None }), login)
            }
            None => (None, Wish::Drop),
        };
        // What could not be kept is not promised.
        match url.scheme() {
            Scheme::Https => {}
            Scheme::Http | Scheme::Git | Scheme::Ssh if !trust.is_usual() => {
                let detail = "Only https:// has certificates, so there is nothing to trust here. Leave `trust` out.";
                return Err(ApiError::new(Code::TrustInvalid, detail));
            }
            Scheme::Git if matches!(login, Wish::Seal(_)) => {
                let detail = "git:// knows no users. Leave `credential` out, or give the https:// address.";
                return Err(ApiError::new(Code::CredentialInvalid, detail));
            }
            Scheme::Git if proxy.is_some() => {
                let detail =
                    "git:// does not go through an HTTP proxy. Leave `proxy` out, or give the https:// address.";
                return Err(ApiError::new(Code::ProxyInvalid, detail));
            }
            Scheme::Ssh if matches!(login, Wish::Seal(_)) => {
                let detail = "Over SSH nobody comes in with a password. Leave `credential` out, and choose a key of the \
                              pool as `ssh_key`, or none for the common keys.";
                return Err(ApiError::new(Code::CredentialInvalid, detail));
            }
            Scheme::Ssh if proxy.is_some() => {
                let detail = "SSH does not go through an HTTP proxy. Leave `proxy` out, or give the https:// address.";
                return Err(ApiError::new(Code::ProxyInvalid, detail));
            }
            Scheme::Http | Scheme::Git | Scheme::Ssh => {}
        }
        let ssh_key = self.ssh_key.map(|key| key.map(SshKeyId));
        if url.scheme() != Scheme::Ssh && ssh_key.flatten().is_some() {
            let detail = "A key is offered over SSH only. Leave `ssh_key` out, or give the ssh:// address.";
            return Err(ApiError::new(Code::CredentialInvalid, detail));
        }
        let remote = GitRemote { trust, proxy, refs, ..GitRemote::at(url) };
        Ok(Checked { remote, login, proxy_login, ssh_key })
    }
}

impl Proxy {
    pub(super) fn checked(&self, policy: &AddressPolicy) -> Result<(ProxyUrl, Wish), ApiError> {
        let (url, embedded) = ProxyUrl::parse(self.url.expose()).map_err(|bad| match bad {
            BadUrl::UnknownScheme => {
                let detail = "The address of a proxy is written http://host:port; other kinds of proxies are not used.";
                ApiError::new(Code::ProxyInvalid, detail).with("reason", bad.code())
            }
            bad => bad_url(Code::ProxyInvalid, bad),
        })?;
        may_be_reached(policy, url.host())?;
        Ok((url, self.credential.checked(embedded)?))
    }
}

impl Checked {
    /// Who changes to SSH says which keys may be offered: what was chosen before is forgotten, and all common keys are
    /// offered to nobody by accident.
    pub(super) fn says_its_keys(&self, before: Option<&Connection>) -> Result<(), ApiError> {
        let was_without = matches!(before, Some(Connection::Git(before)) if before.url.scheme() != Scheme::Ssh);
        if !was_without || self.remote.url.scheme() != Scheme::Ssh || self.ssh_key.is_some() {
            return Ok(());
        }
        let detail = "The connection comes to SSH from another scheme, and says nothing of keys. Name a key of the pool as \
                      `ssh_key`, or give `null` to offer the common keys.";
        Err(ApiError::new(Code::SshKeyNotSaid, detail))
    }

    /// What is left, where this is another repository over SSH, and nothing is said of keys.
    pub(super) fn leaves_in_silence<'a>(&self, before: Option<&'a Connection>) -> Option<&'a Connection> {
        let Self { remote: GitRemote { url, .. }, ssh_key, .. } = self;
        let is_left = |before: &RemoteUrl| url.scheme() == Scheme::Ssh && before.natural_key() != url.natural_key();
        before.filter(|before| matches!(before, Connection::Git(before) if ssh_key.is_none() && is_left(&before.url)))
    }

    /// With the credentials that are new, sealed by `seal` under a field, and those that stay. A credential goes to the
    /// scheme, host and port that it was given for, and to no other.
    pub(super) fn sealed(
        self,
        before: Option<&Connection>,
        mut seal: impl FnMut(&'static str, &HttpLogin) -> SecretRef,
    ) -> Connection {
        let Self { mut remote, login, proxy_login, ssh_key } = self;
        let before = match before {
            Some(Connection::Git(before)) => Some(before),
            Some(Connection::Path { .. } | Connection::Folder { .. } | Connection::GithubApp(_)) | None => None,
        };
        remote.credential = match login {
            Wish::Seal(login) => Some(seal(HttpLogin::FIELD, &login)),
            Wish::Drop => None,
            Wish::Keep => before.filter(|before| is_kept(before, &remote)).and_then(|before| before.credential),
        };
        if remote.url.scheme() == Scheme::Ssh {
            remote.ssh_key = ssh_key.unwrap_or_else(|| before.and_then(|before| before.ssh_key));
        }
        if let Some(proxy) = &mut remote.proxy {
            let known = before.and_then(|before| before.proxy.as_ref()).filter(|known| known.url == proxy.url);
            proxy.credential = match proxy_login {
                Wish::Seal(login) => Some(seal(HttpLogin::PROXY_FIELD, &login)),
                Wish::Drop => None,
                Wish::Keep => known.and_then(|known| known.credential),
            };
        }
        Connection::Git(Box::new(remote))
    }
}

/// An address without any user's password, as far as it can be told without a look that it may be reached.
pub(super) fn reachable(policy: &AddressPolicy, url: &Secret<String>) -> Result<RemoteUrl, ApiError> {
    let Parsed { url, credential } = parsed(policy, url)?;
    match credential {
        None => Ok(url),
        Some(embedded) => Err(embedded_refused(embedded)),
    }
}

fn parsed(policy: &AddressPolicy, url: &Secret<String>) -> Result<Parsed, ApiError> {
    let parsed = RemoteUrl::parse(url.expose()).map_err(|bad| bad_url(Code::UrlInvalid, bad))?;
    let allowed = parsed.url.allowed(policy.schemes());
    allowed.map_err(|refused| ApiError::new(Code::UrlNotAllowed, sentence(&refused.to_string())))?;
    may_be_reached(policy, parsed.url.host())?;
    Ok(parsed)
}

fn embedded_refused(EmbeddedCredential { user, password }: EmbeddedCredential) -> ApiError {
    // Only to be cleared.
    let _ = (Secret::new(user), Secret::new(password));
    bad_url(Code::UrlInvalid, BadUrl::HasCredential)
}

/// Whether what was given for one is shown to nobody else by the other. What is not encrypted is read by its proxy.
fn is_kept(before: &GitRemote, now: &GitRemote) -> bool {
    let proxy = |remote: &GitRemote| remote.proxy.as_ref().map(|proxy| proxy.url.clone());
    let unread = now.url.scheme() == Scheme::Https || now.proxy.is_none() || proxy(now) == proxy(before);
    now.url.origin() == before.url.origin() && unread
}

/// The text is not repeated: it may hold a secret in the wrong place.
fn bad_url(code: Code, bad: BadUrl) -> ApiError {
    ApiError::new(code, sentence(&bad.to_string())).with("reason", bad.code())
}

/// An address is what it is; what a name means is looked up, and held to the same, whenever it is connected to.
pub(super) fn may_be_reached(policy: &AddressPolicy, host: &Host) -> Result<(), ApiError> {
    match host.address() {
        Some(address) if policy.allows(host, address).is_err() => {
            let detail = "This server may not connect to the address in the URL. An administrator can list it in `hosts` \
                          or `networks` in the section [git] of the configuration, or set `allow_private` there.";
            Err(ApiError::new(Code::AddressDenied, detail))
        }
        Some(_) | None => Ok(()),
    }
}
