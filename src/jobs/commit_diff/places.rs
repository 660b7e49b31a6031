//! Places for what diffs make this node do: to read its own copies, and to ask servers and file systems of other people.
//! Taken by batches. Whoever waits for one of these takes none of the places to read, and of those to ask only as many as
//! that one may have: what says nothing keeps nobody else waiting. No wait is without an end.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::DiffTrouble;

/// How many batches are read at once from copies.
const READING: usize = 2;
/// How many servers and file systems are asked at once.
const ASKING: usize = 8;
/// How many of these may be asked of one server.
const OF_ONE_SERVER: usize = 2;
/// How long somebody waits for a place.
const WAITS: Duration = Duration::from_secs(30);

/// The places of this node.
pub(super) struct Places {
    waits: Duration,
    reading: Arc<Semaphore>,
    asking: Arc<Semaphore>,
    servers: Mutex<HashMap<String, Arc<Semaphore>>>,
}

/// A place to ask a server or a file system.
pub(super) struct Asking {
    _of_server: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

impl Places {
    pub(super) fn new() -> Self {
        Self::within(WAITS)
    }

    fn within(waits: Duration) -> Self {
        let places = |count| Arc::new(Semaphore::new(count));
        Self { waits, reading: places(READING), asking: places(ASKING), servers: Mutex::default() }
    }

    /// A place to read a copy; [`DiffTrouble::Busy`] when there is none for long.
    pub(super) async fn to_read(&self) -> Result<OwnedSemaphorePermit, DiffTrouble> {
        self.one_of(&self.reading).await
    }

    /// A place to ask this server, by its scheme, name and port, or this file system, by where it is mounted.
    pub(super) async fn to_ask(&self, server: &str) -> Result<Asking, DiffTrouble> {
        let of_server = {
            let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
            // One that nobody asks or waits for is known by the map alone.
            servers.retain(|_, places| Arc::strong_count(places) > 1);
            servers.entry(server.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(OF_ONE_SERVER))).clone()
        };
        // Its own first: who waits for that must not keep one of those for all.
        let _of_server = self.one_of(&of_server).await?;
        Ok(Asking { _of_server, _of_all: self.one_of(&self.asking).await? })
    }

    async fn one_of(&self, places: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, DiffTrouble> {
        match tokio::time::timeout(self.waits, places.clone().acquire_owned()).await {
            Ok(Ok(place)) => Ok(place),
            // Nobody closes them.
            Ok(Err(_)) | Err(_) => Err(DiffTrouble::Busy),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_that_keeps_its_places_keeps_nobody_elses() {
        let places = Places::within(Duration::from_millis(20));
        let mut kept = Vec::new();
        for silent in ["https://a", "https://b", "https://c"] {
            for _ in 0..OF_ONE_SERVER {
                kept.push(places.to_ask(silent).await.expect("a place of its own"));
            }
            assert_eq!(places.to_ask(silent).await.err(), Some(DiffTrouble::Busy), "it has no more");
        }
        for _ in 0..ASKING {
            drop(places.to_ask("https://well").await.expect("there are places left"));
            drop(places.to_read().await.expect("nobody reads"));
        }
        kept.truncate(1);
        drop(places.to_ask("https://c").await.expect("its places are free again"));
        assert!(places.servers.lock().expect("no panic").len() <= 2, "who is asked no more is forgotten");
    }

    #[tokio::test]
    async fn a_wait_for_a_place_ends() {
        let places = Places::within(Duration::from_millis(20));
        let _kept = (places.to_read().await.expect("a place"), places.to_read().await.expect("a place"));
        assert_eq!(places.to_read().await.err(), Some(DiffTrouble::Busy));
        let mut kept = Vec::new();
        for server in 0..ASKING {
            kept.push(places.to_ask(&server.to_string()).await.expect("a place"));
        }
        assert_eq!(places.to_ask("another").await.err(), Some(DiffTrouble::Busy));
        kept.pop();
        drop(places.to_ask("another").await.expect("one is free"));
    }
}
