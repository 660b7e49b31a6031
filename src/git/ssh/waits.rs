//! How long who works over SSH has waited for a place at the host, which is busy because of us: who bounds the work leaves
//! that out. Told by the attempts at the host, asked through the remote by the listing and the fetch.

use std::{
    pin::pin,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// How often the time that is left is looked at while work waits.
const LOOK: Duration = Duration::from_millis(50);

/// The waits of one purpose.
#[derive(Debug, Default)]
pub(in crate::git) struct Waits(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    /// What was waited until nobody waited any more.
    over: Duration,
    waiting: u32,
    /// Since when somebody waits.
    since: Option<Instant>,
}

impl Waits {
    /// What comes of this, which is a wait.
    pub(super) async fn during<T>(&self, wait: impl Future<Output = T>) -> T {
        let _waiting = Waiting::begin(self);
        wait.await
    }

    /// In all until now; of several at once it counts once.
    pub(in crate::git) fn total(&self) -> Duration {
        let told = self.told();
        told.over + told.since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// What comes of this work; nothing when it takes longer than `bound` beside its waits.
    pub(in crate::git) async fn within<T>(&self, bound: Duration, work: impl Future<Output = T>) -> Option<T> {
        let (begun, before) = (Instant::now(), self.total());
        let used = || begun.elapsed().saturating_sub(self.total().saturating_sub(before));
        let mut work = pin!(work);
        loop {
            let left = bound.saturating_sub(used());
            let pause = if self.told().since.is_some() { left.max(LOOK) } else { left };
            match tokio::time::timeout(pause, work.as_mut()).await {
                Ok(done) => return Some(done),
                Err(_) if used() >= bound => return None,
                Err(_) => {}
            }
        }
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody waits; whoever drops the wait ends it.
struct Waiting<'a>(&'a Waits);

impl<'a> Waiting<'a> {
    fn begin(waits: &'a Waits) -> Self {
        let mut told = waits.told();
        told.waiting += 1;
        told.since = told.since.or_else(|| Some(Instant::now()));
        Self(waits)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut told = self.0.told();
        told.waiting -= 1;
        if told.waiting == 0
            && let Some(since) = told.since.take()
        {
            told.over += since.elapsed();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: Duration = Duration::from_millis(500);

    /// Waits until so much was waited in all.
    async fn until(waits: &Waits, total: Duration) {
        while waits.total() < total {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn what_is_waited_for_a_place_is_no_part_of_a_bound() {
        let waits = Waits::default();
        let waiting = waits.during(until(&waits, 2 * BOUND));
        assert_eq!(waits.within(BOUND, waiting).await, Some(()));
        assert!(waits.total() >= 2 * BOUND);
        let work = async {
            waits.during(tokio::task::yield_now()).await;
            std::future::pending::<()>().await;
        };
        assert_eq!(waits.within(BOUND, work).await, None, "what follows a wait has a bound");
    }

    #[tokio::test]
    async fn a_wait_that_is_dropped_is_over() {
        let waits = Waits::default();
        let waiting = tokio::time::timeout(Duration::ZERO, waits.during(std::future::pending::<()>()));
        assert!(waiting.await.is_err());
        assert!(waits.told().since.is_none() && waits.told().waiting == 0);
    }
}
