//! What can be wished of a key.

use super::{Format, Intake, PublicKey, RsaReason, SshKeyName};
use crate::{display_text::DisplayText, secret_ref::SecretRef};

/// In the API: AddSshKey, GenerateSshKey, RegisterSshKey, RenameSshKey, RetireSshKey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Take a key that somebody has, which was tried out.
    Add {
        /// Unique among the keys of the pool, whatever the case of its letters.
        name: SshKeyName,
        /// What may be seen of it.
        public: PublicKey,
        /// How it came.
        intake: Intake,
        /// Where its private half is sealed.
        secret: SecretRef,
    },
    /// Take one that the server made.
    Generate {
        /// As above.
        name: SshKeyName,
        /// What may be seen of it.
        public: PublicKey,
        /// Why it is of RSA, if it is.
        rsa_because: Option<RsaReason>,
        /// Where its private half is sealed.
        secret: SecretRef,
    },
    /// Take one that lies in the folder of the server's account. Its private half stays there and is never sealed.
    Register {
        /// As above.
        name: SshKeyName,
        /// What may be seen of it.
        public: PublicKey,
        /// How it is written.
        format: Format,
        /// Where it was found; it is known by its fingerprint.
        path: DisplayText,
    },
    /// Call it something else.
    Rename {
        /// The new name.
        name: SshKeyName,
    },
    /// Take it away for good; its private half is forgotten, or stays in its file and is not used any more.
    Retire,
}
