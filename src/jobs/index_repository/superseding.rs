//! What a run makes of known commits: those that no ref leads to any more, and those that one leads to again.

use std::{collections::HashSet, sync::Arc};

use keytrail_domain::index_run::batch::{CommitSet, CommitSha, Event};
use keytrail_projections::issue_commits;

use super::{Failure, Indexing, blocking};
use crate::{
    git::{Graph, NewCommits, Ref, RefList},
    jobs::JobError,
};

/// Commits in one event: 27 bytes each.
const COMMITS_PER_EVENT: usize = 10_000;

impl Indexing {
    /// Records what changed for the commits that were known before the run.
    pub(super) async fn supersede(
        &mut self,
        graph: Graph,
        new: NewCommits,
        before: Vec<Ref>,
        now: Arc<RefList>,
        said: HashSet<CommitSha>,
    ) -> Result<(Graph, NewCommits), Failure> {
        let running = self.running.clone();
        let (graph, new, changes) = blocking(move || {
            let changes = graph.changes(&new, &before, &now.refs, &running.cancel)?;
            Ok((graph, new, changes))
        })
        .await?;
        // Not what the log says already: a worker before this one may have come as far as here.
        let mut over: Vec<_> = changes.superseded.into_iter().filter(|sha| !said.contains(sha)).collect();
        if changes.unknown_before > 0 {
            tracing::warn!(
                repository = %self.recorder.repository,
                refs = changes.unknown_before,
                "refs named commits that are gone; of what only they led to, commits that name no issue are not marked as superseded"
            );
            self.add_unreachable(&mut over, &graph, &new, &said).await?;
        }
        let again: Vec<_> = match said.is_empty() {
            true => Vec::new(),
            // A commit that was forgotten here, because the graph was lost, was met as new.
            false => changes.restored.into_iter().chain(new.shas()).filter(|sha| said.contains(sha)).collect(),
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

    /// Adds the commits that the log knows by their issues and that are not among those which are there: no ref can lead
    /// to them.
    async fn add_unreachable(
        &self,
        over: &mut Vec<CommitSha>,
        graph: &Graph,
        new: &NewCommits,
        said: &HashSet<CommitSha>,
    ) -> Result<(), JobError> {
        const PAGE: u32 = 10_000;
        let new: HashSet<CommitSha> = new.shas().collect();
        let mut seen = HashSet::new();
        let mut after = None;
        loop {
            let read = issue_commits::commits_of_repository(self.recorder.number, after, PAGE);
            let page = self.app.read_at_least(self.recorder.last(), read).await?;
            let full = page.len() == PAGE as usize;
            after = page.last().cloned();
            let shas = page.into_iter().map(|naming| naming.sha);
            over.extend(
                shas.filter(|sha| {
                    !graph.contains(*sha) && !new.contains(sha) && !said.contains(sha) && seen.insert(*sha)
                }),
            );
            if !full {
                return Ok(());
            }
        }
    }

    /// The commits that count as superseded by what was recorded so far.
    pub(super) async fn superseded(&self) -> Result<HashSet<CommitSha>, JobError> {
        const PAGE: u32 = 50_000;
        let mut found = HashSet::new();
        let mut after = None;
        loop {
            let read = issue_commits::superseded_of_repository(self.recorder.number, after, PAGE);
            let page = self.app.read_at_least(self.recorder.last(), read).await?;
            let full = page.len() == PAGE as usize;
            after = page.last().copied();
            found.extend(page);
            if !full {
                return Ok(found);
            }
        }
    }
}
