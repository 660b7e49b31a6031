//! A repository that was just discovered is indexed.

use super::Intent;
use crate::{fact::Fact, id::RepositoryId, recorded::Recorded, repository::Event};

/// A repository that was just discovered is indexed.
pub(super) fn index_on_discover(recorded: &Recorded<Fact>) -> Option<Intent> {
    match &recorded.fact {
        Fact::Repository(Event::Discovered { .. }) => Some(Intent::RequestIndex(RepositoryId(recorded.stream.id))),
        _ => None,
    }
}
