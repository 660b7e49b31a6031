//! When this node asks after each app of ours next, for whoever is shown how it is. Kept by the schedule; in memory.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use keytrail_domain::{id::IntegrationId, timestamp::Timestamp};

/// The next turns of the apps that this node looks after.
#[derive(Default)]
pub struct InstallationTurns(Mutex<HashMap<IntegrationId, Timestamp>>);

impl InstallationTurns {
    /// When it is asked after next; `None` when another node does that.
    pub fn of(&self, id: IntegrationId) -> Option<Timestamp> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&id).copied()
    }

    pub(super) fn set(&self, id: IntegrationId, at: Timestamp) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id, at);
    }

    pub(super) fn forget(&self, id: IntegrationId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }
}
