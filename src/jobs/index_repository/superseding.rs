//! What a run makes of known commits: those that no ref leads to any more, and those that one leads to again.

use std::sync::{Arc, atomic::Ordering};

use keytrail_domain::index_run::batch::{CommitSet, CommitSha, Event};
use keytrail_projections::issue_commits;

use super::{Failure, Indexing, blocking};
use crate::{
    git::{GitError, Graph, NewCommits, Ref, RefList},
    jobs::JobError,
    views::ViewError,
};

/// Commits in one event: 27 bytes each.
const COMMITS_PER_EVENT: usize = 10_000;

/// What the log says of refs and commits before a worker adds to it.
pub(super) struct Before {
    /// The refs at the end of the last run that completed.
    pub(super) refs: Vec<Ref>,
    /// The commits that count as superseded, in the order of their names.
    pub(super) superseded: Vec<CommitSha>,
}

impl Indexing {
    /// Reads what the log says. Done before the walk: afterwards the views have all that it found to fold first, and a
    /// run that did not wait for them would walk again.
    pub(super) async fn before(&self) -> Result<Before, Failure> {
        Ok(Before { refs: self.recorder.refs_before().await?, superseded: self.superseded().await? })
    }

    /// Records what changed for the commits that were known before the run.
    pub(super) async fn supersede(
        &mut self,
        graph: Graph,
        new: NewCommits,
        before: Before,
        now: Arc<RefList>,
    ) -> Result<(Graph, NewCommits), Failure> {
        // What was said already, perhaps by a worker before this one that came as far as here.
        let Before { refs, superseded: said } = before;
        let is_said = |sha: &CommitSha| said.binary_search(sha).is_ok();
        let running = self.running.clone();
        let (graph, new, changes) = blocking(move || {
            let changes = graph.changes(&new, &refs, &now.refs, &running.cancel)?;
            Ok((graph, new, changes))
        })
        .await?;
        if changes.unknown_before > 0 {
            tracing::info!(
                repository = %self.recorder.repository,
                refs = changes.unknown_before,
                "refs named commits that are not remembered; what only they led to is not marked as superseded"
            );
        }
        let over: Vec<_> = changes.superseded.into_iter().filter(|sha| !is_said(sha)).collect();
        let again: Vec<_> = match said.is_empty() {
            true => Vec::new(),
            // A commit that was forgotten here, because the graph was lost, was met as new.
            false => changes.restored.into_iter().chain(new.shas()).filter(is_said).collect(),
        };
        self.record_sets(&over, Event::CommitsSuperseded).await?;
        self.record_sets(&again, Event::CommitsRestored).await?;
        Ok((graph, new))
    }

    async fn record_sets(&mut self, commits: &[CommitSha], event: fn(CommitSet) -> Event) -> Result<(), JobError> {
        for commits in commits.chunks(COMMITS_PER_EVENT) {
            let (repository, number) = (self.recorder.repository, self.recorder.number);
            self.recorder.record(event(CommitSet { repository, number, commits: commits.to_vec() })).await?;
        }
        Ok(())
    }

    /// The commits that count as superseded by what any worker recorded before this one began. Views that are behind
    /// catch up: it is waited for, as long as it takes.
    async fn superseded(&self) -> Result<Vec<CommitSha>, Failure> {
        const PAGE: u32 = 50_000;
        let mut found: Vec<CommitSha> = Vec::new();
        if self.recorder.is_first() {
            // Nothing was known that could have been superseded.
            return Ok(found);
        }
        loop {
            if self.running.cancel.load(Ordering::Relaxed) {
                return Err(GitError::Cancelled.into());
            }
            let read = issue_commits::superseded_of_repository(self.recorder.number, found.last().copied(), PAGE);
            match self.app.read_at_least(self.recorder.began(), read).await {
                Ok(page) => {
                    let full = page.len() == PAGE as usize;
                    found.extend(page);
                    if !full {
                        return Ok(found);
                    }
                }
                Err(ViewError::Behind { .. }) => {}
                Err(error) => return Err(JobError::from(error).into()),
            }
        }
    }
}
