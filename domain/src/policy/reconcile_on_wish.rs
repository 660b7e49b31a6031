//! What we wish of an app is driven to GitHub, and GitHub is asked what became of it.

use super::Intent;
use crate::{fact::Fact, id::IntegrationId, installation, integration, recorded::Recorded, service::Connection};

/// What we wish of an app is driven to GitHub, and GitHub is asked what became of it.
pub(super) fn reconcile_on_wish(recorded: &Recorded<Fact>) -> Option<Intent> {
    use installation::Event::{
        Adopted, AppRegistered, KeyRotated, SuspensionLifted, SuspensionWished, WebhookSecretRotated, WebhookWished,
    };
    let wished = match &recorded.fact {
        Fact::Installation(event) => matches!(
            event,
            AppRegistered { .. }
                | Adopted { .. }
                | SuspensionWished {}
                | SuspensionLifted {}
                | KeyRotated { .. }
                | WebhookSecretRotated { .. }
                | WebhookWished {}
        ),
        // Another way to its GitHub may end what stood in the way.
        Fact::Integration(
            integration::Event::Removed { connection, .. } | integration::Event::ConnectionChanged { connection, .. },
        ) => matches!(connection, Connection::GithubApp(_)),
        _ => false,
    };
    wished.then_some(Intent::ReconcileInstallation(IntegrationId(recorded.stream.id)))
}
