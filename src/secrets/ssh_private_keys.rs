//! Under which words the private half of a key of SSH is sealed. What is sealed is the key as it was tried out, in the form
//! of OpenSSH and without a passphrase; the one that it came with is not kept.

use keytrail_domain::id::SshKeyId;

use super::Owner;

/// The field of its owner.
pub const PRIVATE_KEY: &str = "private_key";

/// To whom it belongs.
pub const fn owner(key: SshKeyId) -> Owner {
    Owner::new("ssh_key", key.0)
}
