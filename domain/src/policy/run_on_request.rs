//! A run that was asked for is done.

use super::Intent;
use crate::{fact::Fact, id::IndexRunId, index_run::Event, recorded::Recorded};

/// A run that was asked for is done.
pub(super) fn run_on_request(recorded: &Recorded<Fact>) -> Option<Intent> {
    match &recorded.fact {
        Fact::IndexRun(Event::Requested { repository, .. }) => {
            Some(Intent::IndexRepository(IndexRunId(recorded.stream.id), *repository))
        }
        _ => None,
    }
}
