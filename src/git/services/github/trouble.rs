//! What GitHub refuses, in sentences for a person. Made by the client from statuses, headers and known beginnings of
//! messages; they name the host and what to do, and never a secret or what GitHub said.

use std::{fmt, net::IpAddr, time::Duration};

use keytrail_domain::github::Edition;

use crate::git::GitError;

/// What went wrong at a GitHub.
#[derive(Debug)]
pub struct GithubError {
    /// Its host.
    pub host: String,
    /// What.
    pub trouble: GithubTrouble,
}

/// What went wrong.
#[derive(Debug)]
pub enum GithubTrouble {
    /// It could not be asked.
    Unreachable(Box<GitError>),
    /// It answers, but not as a GitHub does.
    NotGithub,
    /// It is a GitHub, and another one than its address was taken for.
    OtherEdition {
        /// Which one it is.
        is: Edition,
    },
    /// It has troubles of its own, or took too long.
    Service {
        /// The status of HTTP.
        status: u16,
    },
    /// There is no such app.
    AppDeleted,
    /// The key is not one of this app.
    KeyRejected,
    /// Our clock is wrong by more than a second try could make good.
    ClockSkew {
        /// Seconds that GitHub's clock is ahead of ours.
        ahead: i64,
    },
    /// The installation is suspended.
    Suspended,
    /// A token that is over or was taken back.
    TokenRejected,
    /// What was asked for is not there, or not for us.
    NotFound,
    /// The app may not do this.
    MissingPermission {
        /// What it would have to have, in GitHub's words: `contents=write`.
        wanted: Option<String>,
    },
    /// The organisation lets only certain addresses in.
    AddressNotAllowed {
        /// Ours, as it sees it.
        address: Option<IpAddr>,
    },
    /// The organisation wants a person to sign in once more.
    SignInDemanded,
    /// Too many requests.
    RateLimited {
        /// How long to leave it alone.
        wait: Duration,
    },
    /// It understood, and refuses.
    Refused {
        /// The status of HTTP.
        status: u16,
    },
    /// The sealed key is none any more.
    KeyUnreadable,
}

impl GithubTrouble {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "github_unreachable",
            Self::NotGithub => "not_github",
            Self::OtherEdition { .. } => "other_edition",
            Self::Service { .. } => "github_troubled",
            Self::AppDeleted => "app_deleted",
            Self::KeyRejected => "app_key_rejected",
            Self::ClockSkew { .. } => "clock_skew",
            Self::Suspended => "installation_suspended",
            Self::TokenRejected => "token_rejected",
            Self::NotFound => "github_not_found",
            Self::MissingPermission { .. } => "permission_missing",
            Self::AddressNotAllowed { .. } => "address_not_allowed",
            Self::SignInDemanded => "sign_in_demanded",
            Self::RateLimited { .. } => "rate_limited",
            Self::Refused { .. } => "github_refused",
            Self::KeyUnreadable => "app_key_unreadable",
        }
    }
}

impl GithubError {
    /// How long to leave it alone, if it said so.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self.trouble {
            GithubTrouble::RateLimited { wait } => Some(wait),
            _ => None,
        }
    }

    /// Whether asking again later may help without anybody doing anything.
    pub const fn passes(&self) -> bool {
        matches!(
            self.trouble,
            GithubTrouble::Unreachable(_)
                | GithubTrouble::Service { .. }
                | GithubTrouble::RateLimited { .. }
                | GithubTrouble::TokenRejected
        )
    }

    /// Whether it took us for whom we are, and does not tell or do what was asked for.
    pub const fn withholds(&self) -> bool {
        matches!(
            self.trouble,
            GithubTrouble::NotFound | GithubTrouble::MissingPermission { .. } | GithubTrouble::Refused { .. }
        )
    }
}

impl fmt::Display for GithubError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = &self.host;
        match &self.trouble {
            GithubTrouble::Unreachable(error) => error.fmt(f),
            GithubTrouble::NotGithub => write!(
                f,
                "{host} answers, but not as GitHub does; check the host, and whether a gateway or a page to sign in \
                 stands before it"
            ),
            GithubTrouble::OtherEdition { is } => write!(
                f,
                "{host} is {is}, and not what its address was taken for; connect github.com, NAME.ghe.com, or the \
                 address of your own GitHub Enterprise Server itself"
            ),
            GithubTrouble::Service { status } => {
                write!(f, "{host} has troubles of its own (status {status}); it is asked again by itself")
            }
            GithubTrouble::AppDeleted => write!(
                f,
                "{host} knows no such app; it was deleted there, or the id is another one's; remove the integration \
                 and connect a new app"
            ),
            GithubTrouble::KeyRejected => write!(
                f,
                "{host} refuses the key: it is not one of this app, or was deleted there; make a new key in the \
                 settings of the app and give it here"
            ),
            GithubTrouble::ClockSkew { ahead } => write!(
                f,
                "the clock of {host} is {ahead} seconds ahead of the clock of this server, and it refuses what is \
                 signed by ours; set the clock of this server right"
            ),
            GithubTrouble::Suspended => {
                write!(f, "the installation is suspended at {host}; whoever suspended it can let it run again")
            }
            GithubTrouble::TokenRejected => {
                write!(f, "{host} takes the token of the installation no more; a new one is asked for by itself")
            }
            GithubTrouble::NotFound => {
                write!(f, "{host} has no such thing, or the app may not see it; check the name and what the app sees")
            }
            GithubTrouble::MissingPermission { wanted: Some(wanted) } => write!(
                f,
                "the app may not do this at {host}: it lacks the permission {wanted}; grant it in the settings of the \
                 app, and have an owner accept it"
            ),
            GithubTrouble::MissingPermission { wanted: None } => write!(
                f,
                "the app may not do this at {host}; compare its permissions with those that it was set up with"
            ),
            GithubTrouble::AddressNotAllowed { address } => {
                write!(f, "the organisation at {host} lets only certain addresses in; an owner adds ")?;
                match address {
                    Some(address) => write!(f, "{address}, from which this server comes,")?,
                    None => f.write_str("the address of this server")?,
                }
                f.write_str(" to the list of allowed addresses in the settings of the organisation")
            }
            GithubTrouble::SignInDemanded => {
                write!(f, "the organisation at {host} wants a person to sign in once more before it answers an app")
            }
            GithubTrouble::RateLimited { wait } => {
                write!(f, "{host} wants to be asked less often; it is left alone for {} seconds", wait.as_secs())
            }
            GithubTrouble::Refused { status } => {
                write!(f, "{host} refuses this (status {status}); look at the settings of the app there")
            }
            GithubTrouble::KeyUnreadable => {
                f.write_str("what is sealed as the key of the app is no key any more; give the key of the app again")
            }
        }
    }
}

impl std::error::Error for GithubError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.trouble {
            GithubTrouble::Unreachable(error) => std::error::Error::source(error.as_ref()),
            _ => None,
        }
    }
}
