//! How many connections are open to one host at once. Asked before each of them; who finds no place waits for one, and not
//! for ever.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long anybody waits for a place: a fetch may keep one for hours, and who waits keeps a worker.
const PATIENCE: Duration = Duration::from_secs(30);

/// The places of each host of this node.
#[derive(Debug)]
pub struct Places {
    of_each: usize,
    patience: Duration,
    hosts: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl Places {
    /// So many of each host; at least one.
    pub fn new(of_each: usize) -> Self {
        // Told from the beginning on, also where nothing is reached over SSH.
        metrics::counter!("keytrail_ssh_connections_total").increment(0);
        Self { of_each: of_each.clamp(1, Semaphore::MAX_PERMITS), patience: PATIENCE, hosts: Mutex::default() }
    }

    /// The same, where nobody waits for longer than this.
    #[cfg(test)]
    pub(in crate::git) fn patient_for(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// How many a host has.
    pub const fn of_each(&self) -> usize {
        self.of_each
    }

    /// How long to wait for a place, before it is left to others.
    pub(super) const fn patience(&self) -> Duration {
        self.patience
    }

    /// Waits for a place at `host`, which is given back when the permit goes. `None` only when the server ends.
    pub(super) async fn take(&self, host: &str) -> Option<OwnedSemaphorePermit> {
        self.take_up_to(1, host).await
    }

    /// The same for who opens several connections at once; a host that may not have as many is left to them alone.
    pub async fn take_up_to(&self, count: u32, host: &str) -> Option<OwnedSemaphorePermit> {
        let count = count.min(u32::try_from(self.of_each).unwrap_or(u32::MAX));
        let place = {
            let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
            // Where nobody is or waits, nothing needs to be remembered.
            hosts.retain(|_, place| Arc::strong_count(place) > 1 || place.available_permits() < self.of_each);
            hosts.entry(host.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(self.of_each))).clone()
        };
        let place = place.acquire_many_owned(count).await.ok()?;
        metrics::counter!("keytrail_ssh_connections_total").increment(count.into());
        Some(place)
    }

    /// Connections to `host` that are open now.
    pub fn open_at(&self, host: &str) -> usize {
        let hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.get(host).map_or(0, |place| self.of_each.saturating_sub(place.available_permits()))
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn a_host_has_so_many_places_and_no_other_waits_for_them() {
        let places = Places::new(2);
        let (first, second) = (places.take("one:22").await, places.take("one:22").await);
        assert!(first.is_some() && second.is_some());
        assert_eq!(places.open_at("one:22"), 2);
        assert!(places.take("one:22").now_or_never().is_none(), "it waits");
        assert!(places.take("two:22").now_or_never().flatten().is_some(), "another host");
        drop(first);
        assert!(places.take("one:22").now_or_never().flatten().is_some(), "one has gone");
        assert_eq!(places.open_at("one:22"), 1, "and that one, too");
        assert!(places.take_up_to(3, "one:22").now_or_never().is_none(), "all of them are not free");
        drop(second);
        let all = places.take_up_to(3, "one:22").now_or_never().flatten();
        assert!(all.is_some() && places.open_at("one:22") == 2, "never more than there are");
    }
}
