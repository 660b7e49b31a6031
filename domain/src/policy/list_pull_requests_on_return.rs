//! While an app may not read, nobody tells of pull requests; when it may again, or may read more, they are listed at once.

use super::Intent;
use crate::{fact::Fact, id::IntegrationId, installation::Event, recorded::Recorded};

/// While an app may not read, nobody tells of pull requests; when it may again, or may read more, they are listed at once.
pub(super) fn list_pull_requests_on_return(recorded: &Recorded<Fact>) -> Option<Intent> {
    match &recorded.fact {
        Fact::Installation(
            Event::Reinstalled { .. }
            | Event::Resumed {}
            | Event::KeyAccepted {}
            | Event::KeyRotated { .. }
            | Event::PermissionsChanged { .. },
        ) => Some(Intent::ListPullRequests(IntegrationId(recorded.stream.id))),
        _ => None,
    }
}
