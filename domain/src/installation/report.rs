//! What GitHub says of an installation: read from its API, or heard in a delivery.

use std::collections::BTreeMap;

use crate::{
    display_text::DisplayText,
    github::{App, Login},
    installation::{Account, Selection},
    timestamp::Timestamp,
};

/// What the API said, all of it at one time. It outweighs whatever was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "made once for each reading and never kept in numbers")]
pub enum Report {
    /// There is no such app.
    AppDeleted,
    /// The key is refused.
    KeyRejected,
    /// The app, and what became of installing it.
    Read {
        /// The app.
        app: App,
        /// In the organisation.
        there: There,
    },
}

/// What an app is in an organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum There {
    /// Nothing.
    NotInstalled,
    /// A member asked for it.
    ApprovalRequested {
        /// Who.
        by: Option<Login>,
    },
    /// It is installed.
    Installed(Seen),
}

/// An installation as GitHub describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its id.
    pub installation: u64,
    /// Where.
    pub account: Account,
    /// Of which repositories.
    pub selection: Selection,
    /// What it may do.
    pub permissions: BTreeMap<String, String>,
    /// Whether it is suspended, and by whom.
    pub suspended: Option<Suspension>,
}

/// A suspension as GitHub reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspension {
    /// By whom.
    pub by: Option<DisplayText>,
    /// Since when, by GitHub's clock.
    pub since: Option<Timestamp>,
}

/// What a delivery said. It may be late, doubled, or of an installation that is no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Something that has just come in, with a good signature.
    Anything,
    /// The same, which came in a while ago: whatever was doubted since stays doubted.
    Earlier,
    /// It was installed.
    Installed(Seen),
    /// This installation was taken away.
    Uninstalled {
        /// Its id.
        installation: u64,
    },
    /// This installation was suspended.
    Suspended {
        /// Its id.
        installation: u64,
        /// By whom, since when.
        suspension: Suspension,
    },
    /// This installation runs again.
    Resumed {
        /// Its id.
        installation: u64,
    },
    /// An owner accepted other permissions.
    PermissionsAccepted {
        /// Of which installation.
        installation: u64,
        /// All of them now.
        permissions: BTreeMap<String, String>,
    },
    /// An owner chose other repositories.
    SelectionChanged {
        /// Of which installation.
        installation: u64,
        /// All, or some.
        selection: Selection,
    },
    /// The organisation is called something else.
    AccountRenamed {
        /// Its id.
        account: u64,
        /// Its new name.
        login: Login,
    },
}
