//! The runs of an integration's repositories end when somebody does not want all of them indexed again any more.

use super::Intent;
use crate::{fact::Fact, id::IntegrationId, integration::Event, recorded::Recorded};

/// The runs of an integration's repositories end when somebody does not want all of them indexed again any more.
pub(super) fn stop_indexing_on_cancel(recorded: &Recorded<Fact>) -> Option<Intent> {
    match &recorded.fact {
        Fact::Integration(Event::IndexingCancelled { .. }) => {
            Some(Intent::CancelIndexing(IntegrationId(recorded.stream.id)))
        }
        _ => None,
    }
}
