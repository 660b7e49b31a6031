//! Deliveries to be sent: what happens goes in here under the lock, and the courier takes it out.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;

use super::world::{App, Hook, World};

/// How deliveries are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sending {
    /// Whether at all. What is not sent is in the log as failed.
    pub on: bool,
    /// So long after what happened.
    pub delay: Duration,
    /// How often each: GitHub itself never does more than once unasked.
    pub copies: u8,
    /// Whether those that come within a moment are sent in another order.
    pub shuffled: bool,
    /// How long an answer may take; as GitHub has it where nothing is said.
    pub patience: Option<Duration>,
}

impl Default for Sending {
    fn default() -> Self {
        Self { on: true, delay: Duration::ZERO, copies: 1, shuffled: false, patience: None }
    }
}

/// One delivery on its way.
#[derive(Clone)]
pub(super) struct Parcel {
    pub(super) app: u64,
    /// As it was when it happened: the app may be gone when it is sent.
    pub(super) to: To,
    pub(super) guid: String,
    pub(super) event: String,
    pub(super) payload: Value,
    pub(super) redelivery: bool,
    pub(super) sending: Sending,
}

/// Where a delivery goes, and how it is signed.
#[derive(Clone)]
pub(super) struct To {
    pub(super) hook: u64,
    pub(super) url: String,
    pub(super) secret: Option<String>,
    pub(super) form: bool,
}

impl To {
    /// `None` while the hook has no address.
    pub(super) fn of(hook: &Hook) -> Option<Self> {
        let url = hook.url.clone().filter(|url| !url.is_empty())?;
        Some(Self { hook: hook.id, url, secret: hook.secret.clone(), form: hook.content_type == "form" })
    }
}

pub(super) struct Outbox {
    sender: UnboundedSender<Parcel>,
    /// How many are on their way.
    pub(super) under_way: Arc<AtomicUsize>,
    pub(super) sending: Sending,
}

impl Outbox {
    pub(super) fn new(sender: UnboundedSender<Parcel>) -> Self {
        Self { sender, under_way: Arc::default(), sending: Sending::default() }
    }

    pub(super) fn send(&self, parcel: Parcel) {
        self.under_way.fetch_add(1, Ordering::SeqCst);
        // Once the courier is gone nobody waits for anything.
        let _ = self.sender.send(parcel);
    }
}

/// As GitHub numbers deliveries: the same for every app that is told of one thing.
#[expect(clippy::disallowed_methods, reason = "tests make their own random ids")]
pub(super) fn guid() -> String {
    uuid::Uuid::new_v4().to_string()
}

impl World {
    /// Tells an app of something that concerns one of its installations, whatever it subscribed to.
    pub(super) fn tell(&self, app: u64, guid: &str, event: &str, payload: Value) {
        let Some(App { hook, .. }) = self.apps.get(&app) else { return };
        let Some(to) = To::of(hook) else { return };
        let (guid, event) = (guid.to_owned(), event.to_owned());
        self.outbox.send(Parcel { app, to, guid, event, payload, redelivery: false, sending: self.outbox.sending });
    }

    /// Tells every app that sees a repository and subscribed to the event. Each gets its own installation, under one id.
    pub(super) fn tell_of(&self, repository: u64, event: &str, payload: &Value) {
        let guid = guid();
        for one in self.installations.values() {
            let sees = self.sees(one).iter().any(|seen| seen.id == repository);
            if !sees || one.suspension().is_some() || !one.events.iter().any(|known| known == event) {
                continue;
            }
            let mut payload = payload.clone();
            payload["installation"] = serde_json::json!({ "id": one.id, "node_id": format!("I_{}", one.id) });
            self.tell(one.app, &guid, event, payload);
        }
    }
}
