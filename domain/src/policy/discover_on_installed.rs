//! An app that sees other repositories than before, sees them again, or may do something else there, is asked which.

use super::Intent;
use crate::{fact::Fact, id::IntegrationId, installation::Event, recorded::Recorded};

/// An app that sees other repositories than before, sees them again, or may do something else there, is asked which.
pub(super) fn discover_on_installed(recorded: &Recorded<Fact>) -> Option<Intent> {
    match &recorded.fact {
        Fact::Installation(
            Event::Installed { .. }
            | Event::Reinstalled { .. }
            | Event::Resumed {}
            | Event::KeyAccepted {}
            | Event::ConfirmationGiven { .. }
            | Event::PermissionsChanged { .. }
            | Event::SelectionChanged { .. },
        ) => Some(Intent::DiscoverRepositories(IntegrationId(recorded.stream.id))),
        _ => None,
    }
}
