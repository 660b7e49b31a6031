//! A run that was cancelled is not worked on any longer.

use super::Intent;
use crate::{fact::Fact, id::IndexRunId, index_run::Event, recorded::Recorded};

/// A run that was cancelled is not worked on any longer.
pub(super) fn stop_on_cancel(recorded: &Recorded<Fact>) -> Option<Intent> {
    match &recorded.fact {
        Fact::IndexRun(Event::Cancelled { .. }) => Some(Intent::StopIndexing(IndexRunId(recorded.stream.id))),
        _ => None,
    }
}
