//! The values that events, commands and states of an installation are made of.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::{
    display_text::DisplayText,
    github::{KeyFingerprint, Login},
    secret_ref::SecretRef,
};

/// SHA-256, in hexadecimal, of the secret that travels to GitHub and back with the person who registers an app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StateDigest(pub String);

/// A private key of an app: where it is sealed, and how a person recognises it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// The sealed PEM.
    pub secret: SecretRef,
    /// As GitHub shows it.
    pub fingerprint: KeyFingerprint,
}

/// The organisation that an app is installed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Host and port of its GitHub.
    pub host: String,
    /// Its id there, for ever.
    pub id: u64,
    /// Its name, which may change.
    pub login: Login,
}

/// Which repositories of an organisation an installation sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Selection {
    /// All, also those to come.
    All,
    /// Those that an owner chose.
    Selected,
}

/// Why deliveries of GitHub's do not come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebhookDoubt {
    /// No address is set at which GitHub could reach us.
    NoAddress,
    /// The address is one that only our own network knows.
    PrivateAddress,
    /// GitHub does not accept our certificate.
    Tls,
    /// GitHub cannot connect; often a list of allowed addresses.
    Unreachable,
    /// GitHub waited too long for an answer.
    Timeout,
    /// We, or something before us, refused a delivery.
    Refused,
    /// GitHub has sent none.
    NoneSent,
}

/// What stands in the way of an installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A person set out to register an app and has not come back.
    NotRegistered,
    /// GitHub answers with troubles of its own.
    WaitingForService,
    /// GitHub cannot be reached.
    Unreachable,
    /// The app is there, and nobody installed it.
    NotInstalled,
    /// Our clock and GitHub's differ by more than can be made good.
    ClockSkew,
    /// GitHub wants us to ask less often.
    RateLimited,
    /// GitHub lets only certain addresses in, and ours is none of them.
    AddressNotAllowed {
        /// Ours, as GitHub sees it, if it said so.
        address: Option<IpAddr>,
    },
    /// It is suspended at GitHub by somebody whose doing we cannot undo.
    SuspendedThere,
    /// The key cannot be opened here.
    SecretUnreadable,
    /// The login of the proxy that GitHub is reached through cannot be opened here.
    ProxyCredentialUnreadable,
    /// What deliveries are signed with cannot be opened here. The rest goes on.
    WebhookSecretUnreadable,
    /// Another integration has the organisation: it was renamed, and connected twice by that.
    OrganisationTaken,
    /// The filter of repositories answers something that is no list of repositories.
    FilterInvalid,
    /// The app may not do what it needs to.
    PermissionMissing,
    /// The app may not read the pull requests of its repositories. The rest goes on.
    PullRequestsDenied,
    /// The organisation wants a person to sign in once more before it answers an app.
    SignInDemanded,
    /// GitHub understands what is asked, and refuses it.
    Refused,
    /// The app is registered at another GitHub than the one that the integration leads to now.
    AppElsewhere,
}

/// One of the things that must stay as they were set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Property {
    /// What the app is called.
    Name,
    /// Where a person goes after installing.
    PostInstallation,
    /// Where deliveries go, and how they are written.
    Webhook,
    /// The private key.
    PrivateKey,
    /// What the app may do, and what it is told of.
    PermissionsAndEvents,
    /// What the installation may do, and where.
    InstallationSettings,
}

impl Property {
    /// Every one of them, in the order in which they are told.
    pub const ALL: [Self; 6] = [
        Self::Name,
        Self::PostInstallation,
        Self::Webhook,
        Self::PrivateKey,
        Self::PermissionsAndEvents,
        Self::InstallationSettings,
    ];

    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::PostInstallation => "post_installation",
            Self::Webhook => "webhook",
            Self::PrivateKey => "private_key",
            Self::PermissionsAndEvents => "permissions_and_events",
            Self::InstallationSettings => "installation_settings",
        }
    }
}

/// A property that is not as it was set up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Which.
    pub property: Property,
    /// As it was set up.
    pub expected: DisplayText,
    /// As it is.
    pub actual: DisplayText,
}

/// So many repositories that a person is asked before anything of them starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "confirmation", rename_all = "snake_case")]
pub enum Confirmation {
    /// A person is asked.
    Wanted {
        /// How many there are.
        repositories: u64,
        /// How large they are together, as GitHub reckons.
        kilobytes: u64,
        /// A filter that leaves out what is seldom wanted.
        proposed: DisplayText,
    },
    /// A person said yes to so many.
    Given {
        /// How many there were.
        repositories: u64,
    },
}

/// What could not be taken away at GitHub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remainder {
    /// Whether the app is still installed, as far as is known.
    pub installed: bool,
    /// Where a person finds the app and deletes it: the list of its owner's apps, for its own page moves with its name.
    pub link: DisplayText,
    /// Who can: its owner, or a manager of its apps.
    pub owner: Option<Login>,
    /// What it is called there, as far as is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<DisplayText>,
}
