//! The closed list of words that say how an installation is: the same in the API, at the command line, in documents.

use serde::{Deserialize, Serialize};

use super::{Diagnosis, Installation, Registration, Service};
use crate::id::IntegrationId;

/// How it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// A person is registering the app at GitHub.
    Registering,
    /// The app is registered and not installed yet.
    Installing,
    /// A member asked, and an owner has to say yes.
    ApprovalRequested,
    /// It works.
    Active,
    /// Somebody stopped it, here or at GitHub.
    Suspended,
    /// GitHub refuses the key.
    KeyRejected,
    /// Installing has not come on for too long.
    Stuck,
    /// It was taken away at GitHub.
    Uninstalled,
    /// The app was deleted at GitHub.
    AppDeleted,
    /// The integration was removed here.
    Removed,
}

impl Status {
    /// Every word, in the order of a life.
    pub const ALL: [Self; 10] = [
        Self::Registering,
        Self::Installing,
        Self::ApprovalRequested,
        Self::Active,
        Self::Suspended,
        Self::KeyRejected,
        Self::Stuck,
        Self::Uninstalled,
        Self::AppDeleted,
        Self::Removed,
    ];

    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Registering => "registering",
            Self::Installing => "installing",
            Self::ApprovalRequested => "approval_requested",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::KeyRejected => "key_rejected",
            Self::Stuck => "stuck",
            Self::Uninstalled => "uninstalled",
            Self::AppDeleted => "app_deleted",
            Self::Removed => "removed",
        }
    }
}

impl Installation {
    /// Which integration has what this one wants, where that stands in the way.
    pub fn holder(&self) -> Option<IntegrationId> {
        match self {
            Self::Registering(Registration { diagnosis: Some(diagnosis), .. }) => diagnosis.holder,
            Self::Registered(registered) => match registered.diagnosis {
                Some(diagnosis) => diagnosis.holder,
                None => None,
            },
            Self::Registering(_) | Self::Absent | Self::Removed { .. } => None,
        }
    }

    /// How it is; `registering` before anything happened, for that is what is awaited.
    pub fn status(&self) -> Status {
        let stuck = |diagnosis: &Option<Diagnosis>| diagnosis.is_some_and(|diagnosis| diagnosis.stuck);
        match self {
            Self::Absent => Status::Registering,
            Self::Registering(opened) if stuck(&opened.diagnosis) => Status::Stuck,
            Self::Registering(_) => Status::Registering,
            Self::Removed { .. } => Status::Removed,
            Self::Registered(registered) => match &registered.service {
                Service::AppDeleted => Status::AppDeleted,
                // Nothing that was reported before can be asked again.
                _ if registered.key_rejected => Status::KeyRejected,
                Service::Uninstalled => Status::Uninstalled,
                // Waiting for a person is no fault, however long it takes.
                Service::ApprovalRequested { .. } => Status::ApprovalRequested,
                Service::NotInstalled if stuck(&registered.diagnosis) => Status::Stuck,
                Service::NotInstalled => Status::Installing,
                Service::Installed { .. } if registered.is_suspended() => Status::Suspended,
                Service::Installed { .. } => Status::Active,
            },
        }
    }
}
