//! A key of SSH that somebody wants in the place of another is tried at all repositories.

use super::Intent;
use crate::{fact::Fact, id::SshKeyId, recorded::Recorded, ssh_key::Event};

/// A key of SSH that somebody wants in the place of another is tried at all repositories.
pub(super) fn rotate_on_request(recorded: &Recorded<Fact>) -> Option<Intent> {
    match &recorded.fact {
        Fact::SshKey(Event::RotationBegun { .. }) => Some(Intent::RotateSshKey(SshKeyId(recorded.stream.id))),
        _ => None,
    }
}
