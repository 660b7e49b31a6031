//! Verifications of the views that somebody asked this node for: one at a time, and what came of the last ones. In memory:
//! a verification that its process does not outlive has no result.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use keytrail_domain::timestamp::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::App;
use crate::{
    clock::Clock,
    ids,
    views::{Verdict, VerifyError},
};

/// How many are remembered.
const MOST: usize = 20;

/// A verification of all views.
#[derive(Debug)]
pub struct Verification {
    /// Which.
    pub id: Uuid,
    /// When it began.
    pub began_at: Timestamp,
    /// How many views it compares.
    pub views: usize,
    compared: AtomicUsize,
    cancel: CancellationToken,
    ended: watch::Sender<Option<VerificationEnd>>,
}

/// What came of a verification.
#[derive(Clone, Debug)]
pub struct VerificationEnd {
    /// When.
    pub at: Timestamp,
    /// View by view, or why nothing came of it.
    pub verdicts: Result<Arc<[Verdict]>, Arc<VerifyError>>,
}

impl Verification {
    /// How many views were compared.
    pub fn compared(&self) -> usize {
        self.compared.load(Ordering::Relaxed)
    }

    /// How it ended; `None` while it goes on.
    pub fn ended(&self) -> Option<VerificationEnd> {
        self.ended.borrow().clone()
    }

    /// Waits until it has ended.
    pub async fn end(&self) -> Option<VerificationEnd> {
        let mut ended = self.ended.subscribe();
        ended.wait_for(Option::is_some).await.ok().and_then(|end| end.clone())
    }

    /// Stops it soon.
    pub fn cancel(&self) {
        self.cancel.cancel();
    }
}

/// Ends a verification when it is dropped, with what came of it: also when what does it panics or is given up. Otherwise
/// no other could ever begin.
struct Ending {
    clock: Clock,
    of: Arc<Verification>,
    verdicts: Result<Arc<[Verdict]>, Arc<VerifyError>>,
}

impl Ending {
    fn new(clock: Clock, of: Arc<Verification>) -> Self {
        Self { clock, of, verdicts: Err(VerifyError::Broken.into()) }
    }

    /// It was done.
    fn with(mut self, verdicts: Result<Arc<[Verdict]>, Arc<VerifyError>>) {
        self.verdicts = verdicts;
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        let end = VerificationEnd { at: self.clock.now(), verdicts: self.verdicts.clone() };
        self.of.ended.send_replace(Some(end));
    }
}

/// The verifications of this node.
#[derive(Debug, Default)]
pub(super) struct Verifications(Mutex<VecDeque<Arc<Verification>>>);

impl Verifications {
    fn all(&self) -> MutexGuard<'_, VecDeque<Arc<Verification>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl App {
    /// Begins to verify the views; the verification that is under way will do.
    pub fn verify_views(self: &Arc<Self>) -> Arc<Verification> {
        let mut all = self.verifications.all();
        if let Some(running) = all.iter().find(|known| known.ended().is_none()) {
            return running.clone();
        }
        let names = self.views.names();
        let verification = Arc::new(Verification {
            id: ids::new_id(),
            began_at: self.clock.now(),
            views: names.len(),
            compared: AtomicUsize::new(0),
            cancel: self.stop.child_token(),
            ended: watch::channel(None).0,
        });
        all.push_front(verification.clone());
        all.truncate(MOST);
        let (app, doing) = (self.clone(), verification.clone());
        let ending = Ending::new(self.clock.clone(), verification.clone());
        self.jobs.keep(tokio::spawn(async move {
            let mut verdicts = Vec::with_capacity(names.len());
            let mut failed = None;
            for name in names {
                match app.views.verify_one(name, &doing.cancel).await {
                    Ok(verdict) => verdicts.push(verdict),
                    Err(error) => {
                        failed = Some(Arc::new(error));
                        break;
                    }
                }
                doing.compared.fetch_add(1, Ordering::Relaxed);
            }
            ending.with(failed.map_or_else(|| Ok(verdicts.into()), Err));
        }));
        verification
    }

    /// The verification with this id; `None` when this node does not remember it.
    pub fn verification(&self, id: Uuid) -> Option<Arc<Verification>> {
        self.verifications.all().iter().find(|known| known.id == id).cloned()
    }

    /// Those that this node remembers, newest first.
    pub fn verifications(&self) -> Vec<Arc<Verification>> {
        self.verifications.all().iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun() -> Arc<Verification> {
        Arc::new(Verification {
            id: ids::new_id(),
            began_at: Clock::System.now(),
            views: 1,
            compared: AtomicUsize::new(0),
            cancel: CancellationToken::new(),
            ended: watch::channel(None).0,
        })
    }

    #[tokio::test]
    async fn a_verification_that_panics_or_is_given_up_has_ended() {
        let (panics, given_up, done) = (begun(), begun(), begun());
        let ending = Ending::new(Clock::System, panics.clone());
        let task = tokio::spawn(async move {
            let _ending = ending;
            panic!("as a mistake of ours would");
        });
        assert!(task.await.is_err());
        let ending = Ending::new(Clock::System, given_up.clone());
        let task = tokio::spawn(async move {
            let _ending = ending;
            std::future::pending::<()>().await;
        });
        task.abort();
        for broken in [panics, given_up] {
            let end = broken.end().await.expect("it has ended");
            assert!(matches!(end.verdicts.as_deref(), Err(error) if matches!(**error, VerifyError::Broken)));
        }
        let ending = Ending::new(Clock::System, done.clone());
        assert!(done.ended().is_none(), "it goes on");
        ending.with(Ok(Vec::new().into()));
        assert!(done.ended().is_some_and(|end| end.verdicts.is_ok()));
    }
}
