//! Where a remote repository is: scheme, user, host, port and path, each checked. Called by whoever takes a URL in and
//! by `git`, which reaches for it. It never holds a password, and never says whether the place may be reached.

mod bad_url;
mod host;
mod parse;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub use self::{bad_url::BadUrl, host::Host};

pub(crate) use self::parse::{authority, decode};

/// How a remote is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scheme {
    /// Smart HTTP over TLS.
    Https,
    /// Smart HTTP, readable by everybody on the way.
    Http,
    /// Git's own protocol: neither encrypted nor proved.
    Git,
    /// A program at the end of an SSH connection.
    Ssh,
}

impl Scheme {
    /// As it stands before `://`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Http => "http",
            Self::Git => "git",
            Self::Ssh => "ssh",
        }
    }

    /// The port when a URL names none.
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Https => 443,
            Self::Http => 80,
            Self::Git => 9418,
            Self::Ssh => 22,
        }
    }
}

/// Which schemes an administrator switched on beside `https` and `ssh`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AllowedSchemes {
    /// `http://`.
    pub http: bool,
    /// `git://`.
    pub git: bool,
}

/// Why a well-formed URL may not be used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemeRefused {
    /// `http://` is switched off.
    #[error("http:// sends everything readable for all on the way and is switched off; use the https:// address")]
    Http,
    /// `git://` is switched off.
    #[error("git:// is neither encrypted nor proved and is switched off; use the https:// address")]
    Git,
}

/// The address of a remote repository, without any password.
///
/// Its text is canonical: two equal places written alike are one text. Over `http` and `https` it holds no user
/// either, since tokens are often written in the user's place.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RemoteUrl {
    scheme: Scheme,
    user: Option<String>,
    host: Host,
    /// `None` for the scheme's own.
    port: Option<u16>,
    /// Percent-encoded, with its leading slash. Without one only in the form `user@host:path`, where it begins at the
    /// user's home and nothing is percent-encoded.
    path: String,
}

/// What was embedded in a URL. An empty password says that there was only a name, which may be a token.
#[derive(Clone, PartialEq, Eq)]
pub struct EmbeddedCredential {
    /// Percent-decoded.
    pub user: String,
    /// Percent-decoded.
    pub password: String,
}

/// Neither of them is shown: the name may be a token.
impl fmt::Debug for EmbeddedCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmbeddedCredential(..)")
    }
}

/// A URL taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// The place.
    pub url: RemoteUrl,
    /// What stood before its `@`, for the vault.
    pub credential: Option<EmbeddedCredential>,
}

impl RemoteUrl {
    /// The bound in bytes of a URL's text.
    pub const MAX_BYTES: usize = 2048;

    /// Reads `https://`, `http://`, `git://` and `ssh://` URLs (also `git+ssh://` and `ssh+git://`), and the form
    /// `user@host:path` of SSH. A user with or without a password is taken out of the URL.
    ///
    /// The refusals name no part of the text, which may hold a secret.
    pub fn parse(text: &str) -> Result<Parsed, BadUrl> {
        parse::parse(text)
    }

    /// How it is spoken to.
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The user of an SSH address.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The host.
    pub const fn host(&self) -> &Host {
        &self.host
    }

    /// The port, the scheme's own when the URL names none.
    pub const fn port(&self) -> u16 {
        match self.port {
            Some(port) => port,
            None => self.scheme.default_port(),
        }
    }

    /// Percent-encoded and with its leading slash; without one only where it begins at an SSH user's home.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The path as a protocol other than HTTP says it: percent-decoded, with its leading slash.
    pub fn decoded_path(&self) -> Result<String, BadUrl> {
        if self.path.starts_with('/') { decode(&self.path) } else { Ok(self.path.clone()) }
    }

    /// `scheme://host[:port]`, without user, path and the scheme's own port.
    pub fn origin(&self) -> String {
        format!("{}://{}", self.scheme.word(), self.host_and_port())
    }

    /// Whether an administrator's choice of schemes lets it be used.
    pub const fn allowed(&self, schemes: AllowedSchemes) -> Result<(), SchemeRefused> {
        match self.scheme {
            Scheme::Https | Scheme::Ssh => Ok(()),
            Scheme::Http if schemes.http => Ok(()),
            Scheme::Git if schemes.git => Ok(()),
            Scheme::Http => Err(SchemeRefused::Http),
            Scheme::Git => Err(SchemeRefused::Git),
        }
    }

    /// What is the same for all ways of writing one place: `host[:port]/path` without user, scheme, `.git` and
    /// slashes at the end. So the https and the ssh address of one path of one host are one.
    pub fn natural_key(&self) -> String {
        let path = self.path.trim_matches('/');
        let path = path.strip_suffix(".git").unwrap_or(path).trim_end_matches('/');
        let mut key = self.host_and_port();
        key.push('/');
        parse::encode_into(&mut key, path);
        key
    }

    /// What people call it: the last two segments of the path at most, such as `apache/kafka`.
    pub fn name(&self) -> String {
        let path = self.path.trim_end_matches('/');
        let path = path.strip_suffix(".git").unwrap_or(path);
        // `_git` stands in every address of Azure DevOps and says nothing.
        let segments: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != "_git").collect();
        let last = &segments[segments.len().saturating_sub(2)..];
        let name = last.join("/");
        if self.path.starts_with('/') { decode(&name).unwrap_or(name) } else { name }
    }

    fn host_and_port(&self) -> String {
        self.port.map_or_else(|| self.host.to_string(), |port| format!("{}:{port}", self.host))
    }
}

impl fmt::Display for RemoteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let from_home = !self.path.starts_with('/');
        if !from_home {
            write!(f, "{}://", self.scheme.word())?;
        }
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        write!(f, "{}{}{}", self.host_and_port(), if from_home { ":" } else { "" }, self.path)
    }
}

impl fmt::Debug for RemoteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RemoteUrl({self})")
    }
}

impl Serialize for RemoteUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RemoteUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let parsed = Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)?;
        match parsed.credential {
            None => Ok(parsed.url),
            Some(_) => Err(de::Error::custom(BadUrl::HasCredential)),
        }
    }
}
