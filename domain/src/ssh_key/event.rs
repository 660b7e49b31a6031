//! What happens to a key. No event holds anything of a private half or a passphrase.

use serde::{Deserialize, Serialize};

use super::{Format, Intake, NotTaken, PublicKey, RsaReason, SshKeyName};
use crate::{
    display_text::DisplayText,
    id::{RepositoryId, SshKeyId},
    secret_ref::SecretRef,
    stored_events,
};

pub(super) const fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it like this")]
const fn is_yes(said: &bool) -> bool {
    *said
}

/// Stored events of the stream `ssh_key`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// Somebody gave a key, it was tried out, and is kept sealed.
    Added {
        /// What people call it.
        name: SshKeyName,
        /// What may be seen of it.
        public: PublicKey,
        /// How it came.
        intake: Intake,
        /// Whether it is offered where no key is associated, after a chosen one. Every key was, before this was said.
        #[serde(default = "yes", skip_serializing_if = "is_yes")]
        common: bool,
        /// Where its private half is sealed.
        secret: SecretRef,
    },
    /// The server made a key for itself, and keeps it sealed.
    Generated {
        /// What people call it.
        name: SshKeyName,
        /// What may be seen of it.
        public: PublicKey,
        /// Why it is of RSA, if it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rsa_because: Option<RsaReason>,
        /// As above.
        #[serde(default = "yes", skip_serializing_if = "is_yes")]
        common: bool,
        /// Where its private half is sealed.
        secret: SecretRef,
    },
    /// A key that lies in the folder of the server's account is used from there; nothing of it is sealed.
    Registered {
        /// What people call it.
        name: SshKeyName,
        /// What may be seen of it.
        public: PublicKey,
        /// How it is written.
        format: Format,
        /// As above.
        #[serde(default = "yes", skip_serializing_if = "is_yes")]
        common: bool,
        /// Where it was found.
        path: DisplayText,
    },
    /// It is called something else.
    Renamed {
        /// The new name.
        name: SshKeyName,
        /// The old one, which is free again.
        previous: SshKeyName,
    },
    /// It is offered where no key is associated, after a chosen one, from now on; or is not any more.
    Shared {
        /// Whether it is.
        common: bool,
    },
    /// It is the only key that is offered for these repositories from now on.
    Associated {
        /// Those that did not have it before.
        repositories: Vec<RepositoryId>,
    },
    /// It is not the key of these repositories any more.
    Dissociated {
        /// Those that had it.
        repositories: Vec<RepositoryId>,
    },
    /// Another key is tried at the repositories that are read with this one.
    RotationBegun {
        /// The other key.
        to: SshKeyId,
    },
    /// Not all of them took it: everything stays as it was.
    RotationRefused {
        /// The other key.
        to: SshKeyId,
        /// The first of those that did not.
        not_taken: Vec<NotTaken>,
        /// How many did not, besides.
        others: u64,
    },
    /// Somebody stopped it: everything stays as it was.
    RotationCancelled {},
    /// All of them took it: from now on it is offered wherever this one was.
    RotationAccepted {
        /// The other key.
        to: SshKeyId,
        /// The repositories that this one was associated with.
        repositories: Vec<RepositoryId>,
    },
    /// The other key has taken its place; it was taken away, and its private half forgotten.
    Rotated {
        /// The other key.
        to: SshKeyId,
        /// Its last name, which is free again.
        name: SshKeyName,
        /// Its SHA-256 fingerprint; it may be added again.
        sha256: String,
        /// The repositories that it was associated with when the other one was accepted.
        repositories: Vec<RepositoryId>,
    },
    /// It was taken away, and its private half forgotten where it was sealed. Repositories that it is associated with stay
    /// so, until somebody dissociates it.
    Retired {
        /// Its last name, which is free again.
        name: SshKeyName,
        /// Its SHA-256 fingerprint; it may be added again.
        sha256: String,
    },
}

stored_events!(Event {
    Added => "ssh_key.added" v "1",
    Generated => "ssh_key.generated" v "1",
    Registered => "ssh_key.registered" v "1",
    Renamed => "ssh_key.renamed" v "1",
    Shared => "ssh_key.shared" v "1",
    Associated => "ssh_key.associated" v "1",
    Dissociated => "ssh_key.dissociated" v "1",
    RotationBegun => "ssh_key.rotation_begun" v "1",
    RotationRefused => "ssh_key.rotation_refused" v "1",
    RotationCancelled => "ssh_key.rotation_cancelled" v "1",
    RotationAccepted => "ssh_key.rotation_accepted" v "1",
    Rotated => "ssh_key.rotated" v "1",
    Retired => "ssh_key.retired" v "1",
});
