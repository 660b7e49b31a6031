//! What a run makes of known commits: those that no ref leads to any more, and those that one leads to again.

#[cfg(test)]
mod tests;

use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering},
};

use keytrail_domain::index_run::batch::{CommitSet, CommitSha, Event};
use keytrail_projections::{
    index_runs::{self, Filter, Order, RunState},
    issue_commits,
    view::Read,
};

use super::{Failure, Indexing, blocking};
use crate::{
    git::{GitError, Graph, NewCommits, Ref, RefList},
    jobs::JobError,
    views::ViewError,
};

/// Runs before this one whose late words are looked for.
const RUNS_LOOKED_AT: u32 = 20;
/// Commits in one event: 27 bytes each.
const COMMITS_PER_EVENT: usize = 10_000;

/// What the log says of refs and commits before a worker adds to it.
pub(super) struct Before {
    /// The refs at the end of the last run that completed.
    pub(super) refs: Vec<Ref>,
    /// The commits that count as superseded, in the order of their names.
    pub(super) superseded: Vec<CommitSha>,
    /// Whether a run that did not complete may have recorded something since: then what the log knows is compared with
    /// what is there, and not only the refs at two times.
    pub(super) is_unfinished: bool,
}

impl Indexing {
    /// Reads what the log says. Done before the walk: afterwards the views have all that it found to fold first, and a
    /// run that did not wait for them would walk again.
    pub(super) async fn before(&self) -> Result<Before, Failure> {
        let is_unfinished = self.recorder.is_taken_over() || self.follows_unfinished().await?;
        // Where nothing was recorded nothing can be superseded.
        let nothing_known = self.recorder.is_first() && !is_unfinished;
        let superseded = if nothing_known { Vec::new() } else { self.superseded().await? };
        Ok(Before { refs: self.recorder.refs_before().await?, superseded, is_unfinished })
    }

    /// Whether the run before this one did not come to its end, or one that did not recorded something after the last that
    /// did: a node that slept may write what it had begun to when nobody expects it any more.
    async fn follows_unfinished(&self) -> Result<bool, Failure> {
        let (run, repository) = (self.recorder.run, Some(self.recorder.repository));
        let latest = || {
            let filter = Filter { repository, ..Filter::default() };
            index_runs::page(filter, Order::NewestFirst, None, RUNS_LOOKED_AT)
        };
        let mut before = self.as_began(latest).await?;
        before.retain(|other| other.id != run);
        if before.first().is_some_and(|other| other.state != RunState::Completed) {
            return Ok(true);
        }
        for other in before.iter().filter(|other| other.state != RunState::Completed) {
            if self.recorder.was_added_to_since(other.id).await? {
                return Ok(true);
            }
        }
        Ok(false)
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
        let Before { refs, superseded: said, is_unfinished } = before;
        let is_said = |sha: &CommitSha| said.binary_search(sha).is_ok();
        let running = self.running.clone();
        let (graph, new, changes, reached) = blocking(move || {
            let changes = graph.changes(&new, &refs, &now.refs, &running.cancel)?;
            let reached = match is_unfinished || changes.unknown_before > 0 {
                true => Some(graph.reached(&new, &now.refs, &running.cancel)?),
                false => None,
            };
            Ok((graph, new, changes, reached))
        })
        .await?;
        let mut over: Vec<_> = changes.superseded.into_iter().filter(|sha| !is_said(sha)).collect();
        let mut again: Vec<_> = match said.is_empty() {
            true => Vec::new(),
            // A commit that was forgotten here, because the graph was lost, was met as new.
            false => changes.restored.into_iter().chain(new.shas()).filter(is_said).collect(),
        };
        if let Some(reached) = reached {
            if changes.unknown_before > 0 {
                tracing::warn!(
                    repository = %self.recorder.repository,
                    refs = changes.unknown_before,
                    "refs named commits that are gone; of what only they led to, commits that name no issue are not marked as superseded"
                );
            }
            let known: HashSet<CommitSha> = over.iter().copied().collect();
            let is_there = |sha: &CommitSha| reached.contains(sha) || is_said(sha) || known.contains(sha);
            self.add_unreachable(&mut over, is_there).await?;
            again = said.iter().filter(|sha| reached.contains(sha)).copied().collect();
        }
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

    /// Adds the commits that the log knows by their issues and that no ref leads to.
    async fn add_unreachable(
        &self,
        over: &mut Vec<CommitSha>,
        is_there: impl Fn(&CommitSha) -> bool,
    ) -> Result<(), Failure> {
        const PAGE: u32 = 10_000;
        let mut seen = HashSet::new();
        let mut after = None;
        loop {
            let number = self.recorder.number;
            let page = self.as_began(|| issue_commits::commits_of_repository(number, after.clone(), PAGE)).await?;
            let full = page.len() == PAGE as usize;
            after = page.last().cloned();
            let shas = page.into_iter().map(|naming| naming.sha);
            over.extend(shas.filter(|sha| !is_there(sha) && seen.insert(*sha)));
            if !full {
                return Ok(());
            }
        }
    }

    /// The commits that count as superseded by what any worker recorded before this one began.
    async fn superseded(&self) -> Result<Vec<CommitSha>, Failure> {
        const PAGE: u32 = 50_000;
        let mut found: Vec<CommitSha> = Vec::new();
        loop {
            let (number, after) = (self.recorder.number, found.last().copied());
            let page = self.as_began(|| issue_commits::superseded_of_repository(number, after, PAGE)).await?;
            let full = page.len() == PAGE as usize;
            found.extend(page);
            if !full {
                return Ok(found);
            }
        }
    }

    /// Reads a view that has all that was recorded before this worker began. Views that are behind catch up: it is waited
    /// for, as long as it takes.
    async fn as_began<T>(&self, read: impl Fn() -> Read<T>) -> Result<Vec<T>, Failure> {
        loop {
            if self.running.cancel.load(Ordering::Relaxed) {
                return Err(GitError::Cancelled.into());
            }
            match self.app.read_at_least(self.recorder.began(), read()).await {
                Ok(page) => return Ok(page),
                Err(ViewError::Behind { .. }) => {}
                Err(error) => return Err(JobError::from(error).into()),
            }
        }
    }
}
