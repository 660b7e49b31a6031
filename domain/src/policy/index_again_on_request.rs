//! The repositories of an integration are looked at again, or from their beginning, when somebody asked for that.

use super::Intent;
use crate::{fact::Fact, id::IntegrationId, integration::Event, recorded::Recorded};

/// The repositories of an integration are looked at again, or from their beginning, when somebody asked for that.
pub(super) fn index_again_on_request(recorded: &Recorded<Fact>) -> Option<Intent> {
    let integration = IntegrationId(recorded.stream.id);
    match &recorded.fact {
        Fact::Integration(Event::ReindexRequested {}) => Some(Intent::ReindexIntegration(integration)),
        Fact::Integration(Event::ResetRequested {}) => Some(Intent::ResetIntegration(integration)),
        _ => None,
    }
}
