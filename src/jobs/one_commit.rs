//! What is known of one commit beside the views: what its object says, and which refs lead to it. Asked by routes; it
//! fetches nothing, and writes nothing.

use std::sync::Arc;

use keytrail_domain::index_run::batch::CommitSha;
use keytrail_projections::{
    issue_branches::{self, CurrentRef},
    repository_list::Repository,
};

use super::{JobError, RUN_ENDS, Source, source_of};
use crate::{
    app::{App, Busy},
    git::{CommitDetails, GitError, Graph, Mirror, commit_details},
    views::ViewError,
};

/// Refs of a repository that are asked whether they lead to a commit.
const MOST_REFS: usize = 100_000;
/// Refs that are read at once.
const PAGE: u32 = 10_000;

/// The refs that lead to a commit.
#[derive(Debug, Default)]
pub struct RefsOfCommit {
    /// In the bytewise order of their names.
    pub refs: Vec<CurrentRef>,
    /// Refs of which it is not known whether they lead there: no run has looked at their commits yet, or there are more
    /// than are asked.
    pub undecided: u64,
}

/// Why refs cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum RefsTrouble {
    /// What runs remember cannot be read.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The refs cannot be read.
    #[error(transparent)]
    View(#[from] ViewError),
    /// Others are told of other commits, and no turn came in time.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The server stops, or made a mistake that its log has.
    #[error("the server stopped looking before it was done; try again")]
    Stopped,
}

/// Whether a completed run has seen the commit.
pub async fn is_walked(app: &Arc<App>, repository: &Repository, sha: CommitSha) -> bool {
    let knows = || {
        let (graph, number) = (app.caches.graph(repository.id), repository.number);
        let looked = tokio::task::spawn_blocking(move || Graph::knows(&graph, number, sha));
        async { looked.await.unwrap_or_default() }
    };
    if knows().await {
        return true;
    }
    // A run's end is known a moment before its commits are remembered, and who saw it may ask at once.
    let lock = app.jobs.graph_of(repository.id);
    drop(tokio::time::timeout(RUN_ENDS, lock.lock()).await);
    knows().await
}

/// What the commit's object says. `None` when nobody has it here, or it cannot be read now: then less is shown.
pub async fn details_of(app: &Arc<App>, repository: &Repository, sha: CommitSha) -> Option<CommitDetails> {
    match try_details(app, repository, sha).await {
        Ok(found) => found,
        Err(error) => {
            tracing::debug!(%sha, error, "a commit is shown without its object");
            None
        }
    }
}

async fn try_details(app: &App, repository: &Repository, sha: CommitSha) -> Result<Option<CommitDetails>, String> {
    let source = source_of(app, repository).await.map_err(|error| match error {
        JobError::Later(text) | JobError::Panicked(text) | JobError::NotBefore(_, text) | JobError::Failed(_, text) => {
            text
        }
        JobError::Left => "the server stops".to_owned(),
    })?;
    let Some(source) = source else { return Ok(None) };
    let mirror = app.caches.mirror(repository.id);
    let look = move || -> Result<_, GitError> {
        let opened = match &source.source {
            Source::InPlace(connection) => connection.open()?,
            Source::Copied(_) | Source::Remote(_) => match Mirror::recognised(&mirror) {
                Some(mirror) => mirror.open()?,
                None => return Ok(None),
            },
        };
        commit_details(&opened, sha)
    };
    let looked = tokio::task::spawn_blocking(look).await.map_err(|error| error.to_string())?;
    looked.map_err(|error| error.to_string())
}

/// Which refs lead to the commit, as runs have seen it. A graph is loaded for it, one at a time on this node:
/// neither that nor the refs are in memory for those who wait.
pub async fn refs_of_commit(
    app: &Arc<App>,
    repository: &Repository,
    sha: CommitSha,
) -> Result<RefsOfCommit, RefsTrouble> {
    let turn = app.jobs.graph_loads.take().await?;
    let mut refs: Vec<CurrentRef> = Vec::new();
    let mut is_cut = false;
    loop {
        let after = refs.last().map(|last| last.name.as_str());
        let page = app.read(issue_branches::refs_of_repository(repository.number, None, after, PAGE)).await?;
        let is_last = page.len() < PAGE as usize;
        refs.extend(page);
        if is_last {
            break;
        }
        if refs.len() >= MOST_REFS {
            is_cut = true;
            break;
        }
    }
    let (path, number) = (app.caches.graph(repository.id), repository.number);
    let ask = move || -> Result<RefsOfCommit, GitError> {
        // Until it is done, also when nobody waits for it any more.
        let _turn = turn;
        let graph = Graph::load(&path, number);
        let Some(descendants) = graph.descendants(sha)? else {
            return Ok(RefsOfCommit { undecided: refs.len() as u64, refs: Vec::new() });
        };
        let mut found = RefsOfCommit { refs: Vec::new(), undecided: u64::from(is_cut) };
        for known in refs {
            match descendants.lead_from(known.sha) {
                Some(true) => found.refs.push(known),
                Some(false) => {}
                None => found.undecided += 1,
            }
        }
        Ok(found)
    };
    let asked = tokio::task::spawn_blocking(ask).await.map_err(|error| {
        tracing::error!(%error, "asking which refs lead to a commit failed");
        RefsTrouble::Stopped
    })?;
    Ok(asked?)
}
