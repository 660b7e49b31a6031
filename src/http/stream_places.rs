//! Places for streams that are open at once: so many on this node, and of those so many for one caller, that nobody takes
//! all of them from the others. Taken by `outlet`. Nobody waits for one.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use keytrail_domain::metadata::Actor;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::{ApiError, Code};

/// Streams that one token or one service may keep open on a node.
const OF_ONE_CALLER: usize = 8;
/// When whoever was refused may try again, in seconds.
const LATER: u32 = 30;

/// The places of this node.
pub(super) struct StreamPlaces {
    all: Arc<Semaphore>,
    callers: Mutex<HashMap<String, Arc<Semaphore>>>,
}

/// A place; free again when it is dropped.
pub(super) struct StreamPlace {
    _of_caller: Option<OwnedSemaphorePermit>,
    _of_all: OwnedSemaphorePermit,
}

impl StreamPlaces {
    pub(super) fn new(all: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(all)), callers: Mutex::default() }
    }

    /// A place for this caller, when there is one.
    pub(super) fn take(&self, caller: &Actor) -> Result<StreamPlace, ApiError> {
        let of_caller = match self.of(caller) {
            Some(places) => Some(places.try_acquire_owned().map_err(|_| {
                let detail =
                    format!("You keep {OF_ONE_CALLER} streams open, as many as one caller may. End one first.");
                ApiError::new(Code::RateLimited, detail).retry_after(LATER)
            })?),
            None => None,
        };
        let of_all = self.all.clone().try_acquire_owned().map_err(|_| {
            let detail = "As many streams are open as this server keeps. Try again later.";
            ApiError::new(Code::Busy, detail).retry_after(LATER)
        })?;
        Ok(StreamPlace { _of_caller: of_caller, _of_all: of_all })
    }

    /// The places of one caller; nothing of who is not counted, as elsewhere: who can read the data folder.
    fn of(&self, caller: &Actor) -> Option<Arc<Semaphore>> {
        let name = match caller {
            Actor::Token { id, .. } => id.to_string(),
            // It begins with a word, as no id does.
            Actor::Service { name } => name.clone(),
            Actor::Local | Actor::Server { .. } => return None,
        };
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        // One that keeps no stream is known by the map alone.
        callers.retain(|_, places| Arc::strong_count(places) > 1);
        Some(callers.entry(name).or_insert_with(|| Arc::new(Semaphore::new(OF_ONE_CALLER))).clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_caller_takes_its_own_places_only_and_is_forgotten_with_its_last_stream() {
        let places = StreamPlaces::new(2 * OF_ONE_CALLER);
        let (one, other) = (Actor::service("one"), Actor::service("other"));
        let mut kept: Vec<_> = (0..OF_ONE_CALLER).map(|_| places.take(&one).expect("a place")).collect();
        assert_eq!(places.take(&one).err().map(|error| error.code()), Some(Code::RateLimited));
        drop(places.take(&other).expect("it has its own"));
        kept.pop();
        kept.push(places.take(&one).expect("one is free"));
        kept.extend((0..OF_ONE_CALLER).map(|_| places.take(&Actor::Local).expect("a place")));
        assert_eq!(places.take(&other).err().map(|error| error.code()), Some(Code::Busy));
        drop(kept);
        drop(places.take(&other).expect("all are free"));
        assert!(places.callers.lock().expect("no panic").len() <= 1, "who keeps none is forgotten");
    }
}
