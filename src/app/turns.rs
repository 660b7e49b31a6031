//! Turns for what may be done only so often at once on this node. Taken by reads that look at much, before they begin. No
//! wait is without an end, and whoever got none has done nothing yet.

use std::{sync::Arc, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::views::ViewError;

/// The turns of one kind of work.
#[derive(Debug)]
pub struct Turns {
    places: Arc<Semaphore>,
    waits: Duration,
}

/// A turn; over when it is dropped. It goes with the work, also where nobody waits for that any more.
#[derive(Debug)]
pub struct Turn {
    _place: OwnedSemaphorePermit,
}

/// There was no turn in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("as much of this is asked for at once as this node does; try again in a moment")]
pub struct Busy;

impl From<Busy> for ViewError {
    fn from(Busy: Busy) -> Self {
        Self::Busy
    }
}

impl Turns {
    /// So many at once; whoever comes then waits so long.
    pub fn new(at_once: usize, waits: Duration) -> Self {
        Self { places: Arc::new(Semaphore::new(at_once)), waits }
    }

    /// A turn; [`Busy`] when there is none in time.
    pub async fn take(&self) -> Result<Turn, Busy> {
        match tokio::time::timeout(self.waits, self.places.clone().acquire_owned()).await {
            Ok(Ok(place)) => Ok(Turn { _place: place }),
            // Nobody closes them.
            Ok(Err(_)) | Err(_) => Err(Busy),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_wait_for_a_turn_ends_and_a_turn_that_is_over_is_anothers() {
        let turns = Turns::new(2, Duration::from_millis(20));
        let (first, _second) = (turns.take().await.expect("a turn"), turns.take().await.expect("a turn"));
        assert_eq!(turns.take().await.err(), Some(Busy));
        drop(first);
        drop(turns.take().await.expect("it is free"));
    }
}
