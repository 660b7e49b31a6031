//! One at a time for each app on this node: what GitHub said first is written down first. Taken by the reconciler, by who
//! lists repositories, and by who says goodbye, each for its own; nodes do not wait for each other.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use keytrail_domain::id::IntegrationId;
use tokio::sync::{Mutex as Lock, OwnedMutexGuard};

/// Who is asked after now.
#[derive(Default)]
pub(super) struct OneByOne(Mutex<HashMap<IntegrationId, Weak<Lock<()>>>>);

impl OneByOne {
    /// Waits until nobody else asks after this one; the turn ends with the value.
    pub(super) async fn turn(&self, id: IntegrationId) -> OwnedMutexGuard<()> {
        let lock = {
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // Nobody holds these.
            known.retain(|_, lock| lock.strong_count() > 0);
            known.get(&id).and_then(Weak::upgrade).unwrap_or_else(|| {
                let lock = Arc::new(Lock::new(()));
                known.insert(id, Arc::downgrade(&lock));
                lock
            })
        };
        lock.lock_owned().await
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[tokio::test]
    async fn the_same_waits_and_another_does_not() {
        let (all, [one, other]) = (OneByOne::default(), [1, 2].map(|id| IntegrationId(Uuid::from_u128(id))));
        let first = all.turn(one).await;
        let _other = all.turn(other).await;
        let mut second = std::pin::pin!(all.turn(one));
        assert!(futures::poll!(second.as_mut()).is_pending());
        drop(first);
        let _second = second.await;
        assert_eq!(all.0.lock().expect("nobody panicked").len(), 2);
    }
}
