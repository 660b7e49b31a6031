//! What the deliveries of an app may be signed with, kept opened for a moment so that a delivery costs no read of its own.
//! Asked by the route that takes deliveries in. An opened secret stays in this node's memory for two seconds after the log
//! went on, so also after its integration was changed or removed, whether another delivery comes or not.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use keytrail_domain::{
    id::IntegrationId,
    installation::{Installation, Webhooks},
    recorded::Position,
};

use super::app_access::{self, AskError};
use crate::{
    app::App,
    secrets::{Secret, SecretsError, app_secrets},
    store::StoreError,
};

/// After so long the log is looked at again, if it went on since.
const KEPT: Duration = Duration::from_secs(2);

/// The secrets of an app that are good, the newest first.
pub type LiveSecrets = Arc<Vec<Secret<Vec<u8>>>>;

struct Known {
    /// Nothing, when they would have to be looked at again anyway.
    secrets: Option<LiveSecrets>,
    /// Where the log stood, and when that was.
    seen: (Position, Instant),
    /// Whether it is known that deliveries come in.
    is_proven: bool,
}

/// The opened secrets of this node.
#[derive(Default)]
pub struct WebhookSecrets(Mutex<HashMap<IntegrationId, Known>>);

impl WebhookSecrets {
    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<IntegrationId, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether deliveries of this integration were taken a moment ago.
    pub fn knows(&self, id: IntegrationId) -> bool {
        self.known().contains_key(&id)
    }

    /// Whether it is known of this integration that deliveries come in, as far as this node was told.
    pub(super) fn is_proven(&self, id: IntegrationId) -> bool {
        self.known().get(&id).is_some_and(|known| known.is_proven)
    }

    /// That is so now, or is not.
    pub(super) fn set_proven(&self, id: IntegrationId, is_proven: bool) {
        if let Some(known) = self.known().get_mut(&id) {
            known.is_proven = is_proven;
        }
    }

    fn kept(&self, id: IntegrationId, head: Position, anew: bool) -> Option<LiveSecrets> {
        let known = self.known();
        let Known { secrets, seen: (position, at), .. } = known.get(&id)?;
        let good = *position == head || !anew && at.elapsed() < KEPT;
        secrets.as_ref().filter(|_| good).cloned()
    }

    /// Lets go of what is opened and good for no delivery any more, now that the log is at `head`. Called at each tick of the
    /// schedule.
    pub fn let_go(&self, head: Position) {
        for known in self.known().values_mut() {
            let (position, at) = known.seen;
            if position != head && at.elapsed() >= KEPT {
                known.secrets = None;
            }
        }
    }
}

/// What deliveries to this integration may be signed with; nothing when there is no such app. `anew` looks again where
/// the log went on: a secret may have been changed a moment ago.
pub async fn webhook_secrets(app: &App, id: IntegrationId, anew: bool) -> Result<Option<LiveSecrets>, AskError> {
    let head = app.log.feed().head().position;
    if let Some(secrets) = app.jobs.webhook_secrets.kept(id, head, anew) {
        return Ok(Some(secrets));
    }
    let at = Instant::now();
    let Installation::Registered(registered) = app_access::installation(app, id).await? else {
        app.jobs.webhook_secrets.known().remove(&id);
        return Ok(None);
    };
    let mut secrets = Vec::new();
    for secret in registered.webhook_secrets() {
        match app.vault.open(secret, app_secrets::owner(id), app_secrets::WEBHOOK_SECRET).await {
            Ok(opened) => secrets.push(opened),
            Err(SecretsError::Store(error)) if !matches!(error, StoreError::Corrupt(_)) => return Err(error.into()),
            // The other one may be good.
            Err(error) => tracing::error!(%error, integration = %id, "a webhook secret cannot be opened"),
        }
    }
    let secrets = Arc::new(secrets);
    let is_proven = registered.webhooks == Webhooks::Proven;
    let known = Known { secrets: Some(Arc::clone(&secrets)), seen: (head, at), is_proven };
    app.jobs.webhook_secrets.known().insert(id, known);
    Ok(Some(secrets))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const ID: IntegrationId = IntegrationId(Uuid::from_u128(7));

    /// Opened when the log was at 5, longer ago than is kept.
    fn opened() -> (WebhookSecrets, std::sync::Weak<Vec<Secret<Vec<u8>>>>) {
        let secrets: LiveSecrets = Arc::new(vec![Secret::new(b"a secret".to_vec())]);
        let weak = Arc::downgrade(&secrets);
        let at = Instant::now().checked_sub(KEPT).expect("this machine runs for longer");
        let all = WebhookSecrets::default();
        all.known().insert(ID, Known { secrets: Some(secrets), seen: (5, at), is_proven: false });
        (all, weak)
    }

    #[test]
    fn what_is_opened_is_let_go_of_once_the_log_went_on_and_its_sender_stays_known() {
        let (all, held) = opened();
        all.let_go(5);
        assert!(held.upgrade().is_some() && all.kept(ID, 5, true).is_some(), "nothing was changed since");
        all.let_go(6);
        assert!(held.upgrade().is_none(), "nobody has it any more");
        assert!(all.knows(ID) && all.kept(ID, 5, false).is_none());
    }
}
