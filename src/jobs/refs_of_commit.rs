//! Which refs lead to a commit. Asked by routes; it fetches nothing, and writes nothing.

use std::sync::Arc;

use keytrail_domain::index_run::batch::CommitSha;
use keytrail_projections::{
    issue_branches::{self, CurrentRef},
    repository_list::Repository,
};

use crate::{
    app::{App, Busy},
    git::{GitError, Graph},
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
