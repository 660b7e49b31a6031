//! What can be wished of a key.

use std::collections::BTreeSet;

use super::{Format, Intake, NotTaken, PublicKey, RsaReason, SshKeyName};
use crate::{
    display_text::DisplayText,
    id::{RepositoryId, SshKeyId},
    secret_ref::SecretRef,
};

/// In the API: AddSshKey, GenerateSshKey, RegisterSshKey, RenameSshKey, ShareSshKey, AssociateSshKey, DissociateSshKey,
/// RotateSshKey, RetireSshKey, CancelOperation.
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
        /// Whether it is offered where no key is associated, after a chosen one.
        common: bool,
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
        /// As above.
        common: bool,
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
        /// As above.
        common: bool,
        /// Where it was found; it is known by its fingerprint.
        path: DisplayText,
    },
    /// Call it something else.
    Rename {
        /// The new name.
        name: SshKeyName,
    },
    /// Offer it where no key is associated, after a chosen one, or not.
    Share {
        /// Whether it is.
        common: bool,
    },
    /// Offer it, and no other key, for these repositories.
    Associate {
        /// Those that have it already stay as they are.
        repositories: BTreeSet<RepositoryId>,
    },
    /// Take it from these repositories.
    Dissociate {
        /// Those that do not have it stay as they are.
        repositories: BTreeSet<RepositoryId>,
    },
    /// Try another key at all repositories that are read with this one, and let it take its place.
    Rotate {
        /// The other key.
        to: SshKeyId,
    },
    /// Not all repositories took the other key.
    RefuseRotation {
        /// The other key.
        to: SshKeyId,
        /// The first of those that did not.
        not_taken: Vec<NotTaken>,
        /// How many did not, besides.
        others: u64,
    },
    /// The other key is not to be tried any more.
    CancelRotation,
    /// All repositories took the other key.
    AcceptRotation {
        /// The other key.
        to: SshKeyId,
    },
    /// The other key has taken its place.
    FinishRotation,
    /// Take it away for good; its private half is forgotten, or stays in its file and is not used any more.
    Retire,
}
