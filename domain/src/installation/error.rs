//! Why a wish about an installation is refused.

use crate::aggregate::Refusal;

/// In the user's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nobody set out to register it.
    #[error("nobody set out to connect this app; open the link of the integration first")]
    Unknown,
    /// What came back is not what went out.
    #[error(
        "this is not the way back of the registration that was opened last; open the link of the integration again"
    )]
    StateUnknown,
    /// It came back before.
    #[error("this way back was used before; the integration says what became of it")]
    StateUsed,
    /// It came back too late.
    #[error("this way back was good for a limited time, which is over; open the link of the integration again")]
    StateExpired,
    /// There is an app.
    #[error("an app is connected already; install it, or remove the integration first")]
    AlreadyRegistered,
    /// There is no app yet.
    #[error("no app is registered yet; finish connecting first")]
    NotRegistered,
    /// It is installed nowhere.
    #[error("the app is not installed; install it with the link that the status shows")]
    NotInstalled,
    /// GitHub knows it no more.
    #[error("the app was deleted at GitHub; remove the integration and connect a new app")]
    AppDeleted,
    /// The key opens another app.
    #[error(
        "this key belongs to another app than the one that is connected; take the key from the settings of this app"
    )]
    OtherApp,
    /// A delivery speaks of another organisation.
    #[error("this installation is in another organisation than the one that is connected")]
    OtherAccount,
    /// Two secrets are good already.
    #[error(
        "the last change of the webhook secret is not finished: the secret before it is taken for an hour, and until GitHub \
         took the new one; change it then"
    )]
    RotationUnfinished,
    /// Nobody was asked.
    #[error("nobody is asked to confirm anything of this integration; its repositories start by themselves")]
    NothingToConfirm,
    /// It was removed.
    #[error("this integration was removed; add a new one instead")]
    Removed,
}

impl Refusal for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "installation_unknown",
            Self::StateUnknown => "registration_state_unknown",
            Self::StateUsed => "registration_state_used",
            Self::StateExpired => "registration_state_expired",
            Self::AlreadyRegistered => "app_registered_already",
            Self::NotRegistered => "app_not_registered",
            Self::NotInstalled => "app_not_installed",
            Self::AppDeleted => "app_deleted",
            Self::OtherApp => "app_key_of_another_app",
            Self::OtherAccount => "installation_of_another_account",
            Self::RotationUnfinished => "webhook_secret_rotation_unfinished",
            Self::NothingToConfirm => "nothing_to_confirm",
            Self::Removed => "installation_removed",
        }
    }
}
