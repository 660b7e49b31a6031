//! A new integration, or one that looks somewhere else or looks again, is asked which repositories it sees.

use super::Intent;
use crate::{fact::Fact, id::IntegrationId, integration::Event, recorded::Recorded};

/// A new integration, or one that looks somewhere else or looks again, is asked which repositories it sees.
pub(super) fn discover_on_add(recorded: &Recorded<Fact>) -> Option<Intent> {
    match &recorded.fact {
        Fact::Integration(Event::Added { .. } | Event::ConnectionChanged { .. } | Event::Resumed {}) => {
            Some(Intent::DiscoverRepositories(IntegrationId(recorded.stream.id)))
        }
        _ => None,
    }
}
