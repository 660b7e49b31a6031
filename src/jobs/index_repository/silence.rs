//! Runs that read a file system of this machine which answers no more, such as a share whose server is away: one that makes
//! no step for too long is given up, and its worker is free. Called by index runs; it keeps nothing itself, and ends no thread.

use std::sync::{PoisonError, atomic::Ordering};

use super::{Failure, Indexing, Source};
use crate::git::GitError;

impl Indexing {
    /// Learns which file system is read from here on, if one of this machine is. An error when a try would only hang.
    pub(super) fn reads(&mut self, source: &Source) -> Result<(), GitError> {
        let path = match source {
            Source::InPlace(local) | Source::Copied(local) => local.path(),
            Source::Remote(_) | Source::Held(_) => return Ok(()),
        };
        let jobs = &self.app.jobs;
        self.share = Some(jobs.left_behind.admit(path, self.recorder.repository, jobs.git.limits.silence)?);
        Ok(())
    }

    /// Waits for this work for as long as it gets on. What it left to threads is told to stop when it does not: nothing that
    /// they do later is recorded.
    pub(super) async fn heed<T>(&self, work: impl Future<Output = T>) -> Result<T, GitError> {
        let Some(share) = &self.share else { return Ok(work.await) };
        let steps = || self.progress.is_reading().then(|| self.progress.steps());
        share.heed(steps, work).await.inspect_err(|_| self.running.cancel.store(true, Ordering::Relaxed))
    }

    /// Whatever a run that did not come to its end has left to threads may hang; when it does not, nobody holds its steps in a
    /// moment.
    pub(super) fn leave_behind(&self, why: &Failure) {
        let Some(share) = &self.share else { return };
        // Who shows how far it is holds them as well.
        *self.running.progress.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let why = match why {
            Failure::Git(error) => Some(error),
            Failure::Job(_) => None,
        };
        self.app.jobs.left_behind.note(share, self.recorder.repository, self.progress.fetching.steps(), why);
    }
}
