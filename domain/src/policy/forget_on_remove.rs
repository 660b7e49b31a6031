//! The repositories of a removed integration are forgotten.

use super::Intent;
use crate::{fact::Fact, id::IntegrationId, integration::Event, recorded::Recorded};

/// The repositories of a removed integration are forgotten.
pub(super) fn forget_on_remove(recorded: &Recorded<Fact>) -> Option<Intent> {
    match &recorded.fact {
        Fact::Integration(Event::Removed { .. }) => Some(Intent::ForgetRepositories(IntegrationId(recorded.stream.id))),
        _ => None,
    }
}
