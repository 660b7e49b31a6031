//! Why a wish about host keys is refused.

use crate::aggregate::Refusal;

/// In the user's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing is known of this server.
    #[error("nothing is known of the keys of this server; look at them first")]
    Unknown,
    /// Somebody must decide first.
    #[error("this server shows another key than the one that is trusted; accept or refuse that change first")]
    Alarmed,
    /// Trust never moves in silence.
    #[error(
        "another key of the same kind is trusted for this server; where it has a new one, accept that change when it shows, \
         or forget the server and trust it anew"
    )]
    Differs,
    /// What was decided stays decided.
    #[error(
        "a key that was refused is among these; if it is right after all, forget the server first, and trust it anew"
    )]
    Refused,
    /// Nothing is in question.
    #[error("this server shows no other key than those that are trusted; there is no change to decide")]
    NoChange,
    /// What was seen is not what is in question.
    #[error("these are not the fingerprints of the keys that this server shows now; look at it again, and compare")]
    OtherFingerprints,
    /// More than a server has.
    #[error("a server has no more than 16 keys that are trusted; leave out those that it does not show")]
    TooMany,
}

impl Refusal for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "host_key_unknown",
            Self::Alarmed => "host_key_alarmed",
            Self::Differs => "host_key_differs",
            Self::Refused => "host_key_refused",
            Self::NoChange => "host_key_no_change",
            Self::OtherFingerprints => "host_key_other_fingerprints",
            Self::TooMany => "host_key_too_many",
        }
    }
}
