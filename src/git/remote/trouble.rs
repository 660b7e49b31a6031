//! What can go wrong with a remote, in sentences for a person. Made by the client, the listing and the transports;
//! they name the host and what to do, and never a credential or anything that the remote said.

use std::{fmt, time::Duration};

use keytrail_domain::{
    index_run::FailureCode,
    remote_url::{Host, SchemeRefused},
};

/// A remote and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteError {
    /// The host, of the remote or of the proxy.
    pub host: Host,
    /// What is wrong.
    pub trouble: RemoteTrouble,
}

/// A host key that is none of the trusted ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherHostKey {
    /// Its kind, as `ssh` calls it.
    pub kind: String,
    /// Its fingerprint.
    pub sha256: String,
    /// The fingerprints of those that are trusted.
    pub trusted: Vec<String>,
}

/// What is wrong with a remote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemoteTrouble {
    /// Its name has no address.
    HostUnknown,
    /// Nothing listens there.
    ConnectionRefused,
    /// There is no way to it.
    Unreachable,
    /// The connection broke off before the answer was whole.
    ConnectionLost,
    /// Nobody whom we trust vouches for its certificate.
    TlsUntrusted,
    /// Its certificate is out of date, or not valid yet.
    TlsExpired,
    /// Its certificate is for another name.
    TlsWrongHost,
    /// Its key is another than the pinned one.
    TlsPinMismatch,
    /// TLS failed in another way.
    TlsFailed,
    /// The certificates that were given to trust cannot be read.
    BadAuthority,
    /// Over SSH: nobody said yet that a key of it is the right one.
    HostKeyUnknown,
    /// Over SSH: it shows another key than those that are trusted.
    HostKeyChanged,
    /// The same, with the key that `ssh` itself met.
    HostKeyDiffers(Box<OtherHostKey>),
    /// Over SSH: it takes none of the keys that may be offered.
    SshAuthFailed,
    /// Over SSH: there is no key to offer.
    SshNoKey,
    /// Over SSH: it speaks only algorithms that are not used any more.
    SshAlgorithms,
    /// Over SSH: this machine has no `ssh`.
    SshProgramMissing,
    /// 401: it wants to know who asks, or does not know the credential.
    Unauthorized,
    /// 403: it knows and refuses.
    Forbidden,
    /// 404 or 410: no such repository, or none that this credential may see.
    NotFound,
    /// 429: too many requests.
    RateLimited {
        /// How long it wants to be left alone, at most a day.
        retry_after: Option<Duration>,
    },
    /// Another status that says failure.
    ServerError {
        /// The status of HTTP.
        status: u16,
    },
    /// It answers, but not as a git server does.
    NotGit,
    /// It serves the files of a repository only.
    DumbServer,
    /// It accepts connections and says nothing, or stopped in the middle.
    Silent,
    /// It answers, but listing its refs takes longer than it may.
    Slow {
        /// How long it may take.
        bound: Duration,
    },
    /// It answers, but sends nothing of what was asked for.
    SlowToSend {
        /// How long it may take.
        bound: Duration,
    },
    /// It sends, but less than it must.
    Trickles {
        /// So many bytes must come
        bytes: u64,
        /// within each of these.
        window: Duration,
    },
    /// Its address is none that this server may reach.
    AddressDenied,
    /// It sends elsewhere.
    RedirectedAway,
    /// It redirects again and again.
    TooManyRedirects,
    /// The scheme is switched off.
    UrlNotAllowed {
        /// Why.
        reason: SchemeRefused,
    },
    /// What it says breaks git's protocol.
    Protocol {
        /// What is wrong, in our words.
        what: &'static str,
    },
    /// The proxy does not let us through.
    ProxyFailed,
    /// Its answer is larger than the bound.
    AnswerTooLarge {
        /// The bound in bytes.
        bound: u64,
    },
    /// It names objects by SHA-256.
    Sha256Unsupported,
    /// What it has is itself a shallow clone.
    Shallow,
}

impl RemoteTrouble {
    /// What a status of HTTP means that is not 200. How long to wait is said elsewhere in an answer.
    pub(in crate::git) const fn of_status(status: u16) -> Self {
        match status {
            300..=399 => Self::RedirectedAway,
            401 => Self::Unauthorized,
            403 => Self::Forbidden,
            404 | 410 => Self::NotFound,
            407 => Self::ProxyFailed,
            429 => Self::RateLimited { retry_after: None },
            200..=299 => Self::NotGit,
            _ => Self::ServerError { status },
        }
    }

    /// The code to record.
    pub const fn failure_code(&self) -> FailureCode {
        match self {
            Self::HostUnknown => FailureCode::HostUnknown,
            Self::ConnectionRefused => FailureCode::ConnectionRefused,
            Self::Unreachable => FailureCode::Unreachable,
            Self::ConnectionLost => FailureCode::ConnectionLost,
            Self::TlsUntrusted => FailureCode::TlsUntrusted,
            Self::TlsExpired => FailureCode::TlsExpired,
            Self::TlsWrongHost => FailureCode::TlsWrongHost,
            Self::TlsPinMismatch => FailureCode::TlsPinMismatch,
            Self::TlsFailed | Self::BadAuthority => FailureCode::TlsFailed,
            Self::HostKeyUnknown => FailureCode::HostKeyUnknown,
            Self::HostKeyChanged | Self::HostKeyDiffers(_) => FailureCode::HostKeyChanged,
            Self::SshAuthFailed => FailureCode::SshAuthFailed,
            Self::SshNoKey => FailureCode::SshNoKey,
            Self::SshAlgorithms => FailureCode::SshAlgorithms,
            Self::SshProgramMissing => FailureCode::SshProgramMissing,
            Self::Unauthorized => FailureCode::Unauthorized,
            Self::Forbidden => FailureCode::Forbidden,
            Self::NotFound => FailureCode::RemoteNotFound,
            Self::RateLimited { .. } => FailureCode::RateLimited,
            Self::ServerError { .. } => FailureCode::RemoteError,
            Self::NotGit => FailureCode::NotGit,
            Self::DumbServer => FailureCode::DumbServer,
            Self::Silent => FailureCode::RemoteSilent,
            Self::Slow { .. } | Self::SlowToSend { .. } | Self::Trickles { .. } => FailureCode::RemoteSlow,
            Self::AddressDenied => FailureCode::AddressDenied,
            Self::RedirectedAway | Self::TooManyRedirects => FailureCode::RedirectedAway,
            Self::UrlNotAllowed { .. } => FailureCode::UrlNotAllowed,
            Self::Protocol { .. } => FailureCode::Protocol,
            Self::ProxyFailed => FailureCode::ProxyFailed,
            Self::AnswerTooLarge { .. } => FailureCode::AnswerTooLarge,
            Self::Sha256Unsupported => FailureCode::Sha256Unsupported,
            Self::Shallow => FailureCode::Shallow,
        }
    }

    /// Whether trying again may help, without anybody doing anything.
    pub const fn is_transient(&self) -> bool {
        match self {
            // A resolver that is down looks like a name that is not there.
            Self::HostUnknown
            | Self::ConnectionRefused
            | Self::Unreachable
            | Self::ConnectionLost
            | Self::RateLimited { .. }
            | Self::Silent
            | Self::Slow { .. }
            | Self::SlowToSend { .. }
            | Self::Trickles { .. }
            | Self::ProxyFailed => true,
            Self::ServerError { status } => *status >= 500,
            _ => false,
        }
    }
}

impl std::error::Error for RemoteError {}

impl fmt::Display for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = &self.host;
        match &self.trouble {
            RemoteTrouble::HostUnknown => {
                write!(f, "the host {host} is not known; check its name, and this machine's resolver")
            }
            RemoteTrouble::ConnectionRefused => {
                write!(f, "{host} refused the connection; check the port, and that the server runs")
            }
            RemoteTrouble::Unreachable => {
                write!(f, "{host} cannot be reached from this machine; check the network and its firewall")
            }
            RemoteTrouble::ConnectionLost => {
                write!(f, "{host} broke off before its answer was whole; it will be tried again")
            }
            RemoteTrouble::TlsUntrusted => write!(
                f,
                "nobody whom this server trusts vouches for the certificate of {host}; give the certificate of its \
                 authority with the integration, or pin its key"
            ),
            RemoteTrouble::TlsExpired => {
                write!(f, "the certificate of {host} is out of date or not valid yet; renew it, or check the clock")
            }
            RemoteTrouble::TlsWrongHost => {
                write!(f, "the certificate of {host} is for another name; use the name that it was made for")
            }
            RemoteTrouble::TlsPinMismatch => write!(
                f,
                "{host} has another key than the pinned one; find out why, and pin the new one only if it is right"
            ),
            RemoteTrouble::TlsFailed => {
                write!(f, "{host} could not agree on an encrypted connection; it must speak TLS 1.2 or 1.3")
            }
            RemoteTrouble::BadAuthority => {
                write!(f, "the authority's certificate given for {host} cannot be read; give it in PEM")
            }
            RemoteTrouble::HostKeyUnknown => write!(
                f,
                "nobody has said yet that a host key of {host} is the right one; scan its keys, compare their \
                 fingerprints with those that its administrator publishes, and trust them"
            ),
            RemoteTrouble::HostKeyChanged => write!(
                f,
                "{host} shows another host key than the trusted one: somebody may be in the way, or the server was set \
                 up anew; nothing is sent to it until a person compares the fingerprints and accepts or refuses the new \
                 key"
            ),
            RemoteTrouble::HostKeyDiffers(met) => write!(
                f,
                "{host} shows the {} host key {}, and trusted is {}: somebody may be in the way, or the server was set up \
                 anew; nothing is sent to it until a person compares the fingerprints and accepts or refuses the new key",
                met.kind,
                met.sha256,
                met.trusted.join(", ")
            ),
            RemoteTrouble::SshAuthFailed => write!(
                f,
                "{host} takes none of the SSH keys that were offered; give it the public half of one of them, and check \
                 the user in the URL; an RSA key is refused, too, by a server that knows only signatures with SHA-1: offer \
                 an Ed25519 key there, or give the https:// address of the repository"
            ),
            RemoteTrouble::SshNoKey => write!(
                f,
                "there is no SSH key to offer to {host}; generate or add one, or choose another key for this connection"
            ),
            RemoteTrouble::SshAlgorithms => write!(
                f,
                "{host} offers only SSH algorithms that are not used any more, such as signatures with SHA-1; update its \
                 SSH server, or give the https:// address of the repository"
            ),
            RemoteTrouble::SshProgramMissing => write!(
                f,
                "{host} cannot be reached over SSH, because this machine has no ssh program that runs for the server's user, \
                 and this process does not speak SSH itself; install OpenSSH's client, name it as ssh.program, give the \
                 user a name in /etc/passwd if it has none, or give the https:// address"
            ),
            RemoteTrouble::Unauthorized => {
                write!(f, "{host} does not accept the credential, or wants one; check the user and the token")
            }
            RemoteTrouble::Forbidden => {
                write!(f, "{host} refuses access to the repository; grant the token's owner the right to read it")
            }
            RemoteTrouble::NotFound => write!(
                f,
                "{host} has no such repository, or none that this credential may see; check the path and the rights"
            ),
            RemoteTrouble::RateLimited { retry_after: Some(after) } => {
                write!(f, "{host} gets too many requests and wants to be left alone for {} seconds", after.as_secs())
            }
            RemoteTrouble::RateLimited { retry_after: None } => {
                write!(f, "{host} gets too many requests; it will be tried again later")
            }
            RemoteTrouble::ServerError { status } => {
                write!(f, "{host} answered with the status {status}; look into its own log")
            }
            RemoteTrouble::NotGit => write!(
                f,
                "{host} answers with something else than git, such as a page to sign in; check the URL and the \
                 credential"
            ),
            RemoteTrouble::DumbServer => {
                write!(f, "{host} is not a smart HTTP git server; let it serve the repository by git http-backend")
            }
            RemoteTrouble::Silent => {
                write!(f, "{host} accepted the connection and then said nothing for too long; it will be tried again")
            }
            RemoteTrouble::Slow { bound } => write!(
                f,
                "{host} took longer than {} seconds to list its branches and tags; it will be tried again, and \
                 git.listing_seconds can be raised",
                bound.as_secs()
            ),
            RemoteTrouble::SlowToSend { bound } => write!(
                f,
                "{host} took longer than {} seconds to begin to send what it was asked for; it will be tried again, and \
                 git.listing_seconds can be raised",
                bound.as_secs()
            ),
            RemoteTrouble::Trickles { bytes, window } => write!(
                f,
                "{host} sent less than {} KiB of the repository within {} seconds; it will be tried again; check the \
                 way to it",
                bytes / 1024,
                window.as_secs()
            ),
            RemoteTrouble::AddressDenied => write!(
                f,
                "{host} has an address that this server may not reach; an administrator can list the host or its \
                 network"
            ),
            RemoteTrouble::RedirectedAway => {
                write!(f, "{host} redirects to another scheme, host or port; give the address that it redirects to")
            }
            RemoteTrouble::TooManyRedirects => {
                write!(f, "{host} redirects again and again; give the address that it leads to at last")
            }
            RemoteTrouble::UrlNotAllowed { reason } => write!(f, "the URL at {host} may not be used: {reason}"),
            RemoteTrouble::Protocol { what } => {
                write!(f, "{host} breaks git's protocol: {what}; check what answers at this URL")
            }
            RemoteTrouble::ProxyFailed => {
                write!(
                    f,
                    "the proxy does not let us through to {host}; check its address, its credential and its rules"
                )
            }
            RemoteTrouble::AnswerTooLarge { bound } => {
                write!(f, "{host} sent more than {bound} bytes as one answer; raise the bound if that is right")
            }
            RemoteTrouble::Sha256Unsupported => write!(
                f,
                "the repository at {host} names its objects by SHA-256, which is not supported yet; only SHA-1 \
                 repositories can be indexed"
            ),
            RemoteTrouble::Shallow => write!(
                f,
                "the repository at {host} is a shallow clone, which lacks a part of its history; complete it there with \
                 `git fetch --unshallow`"
            ),
        }
    }
}
