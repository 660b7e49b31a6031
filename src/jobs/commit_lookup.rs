//! Finds a commit by its name or the beginning of it, and reads it, for who asks about this one alone. Called by routes and
//! by explanations; it fetches nothing, and tells of no commit that was not indexed unless it says so.

use std::sync::Arc;

use keytrail_domain::{
    index_run::batch::{CommitName, CommitSha},
    ref_selection::RefSelection,
};
use keytrail_projections::{issue_search, repository_list::Repository};

use super::{DiffTrouble, RUN_ENDS, Source, commit_diff::blocking, source_of};
use crate::{
    app::App,
    git::{CommitText, Graph, Mirror, OpenedRepository, commit_text},
    views::ViewError,
};

/// Commits that share a beginning, of which a person is told.
const MOST: usize = 5;

/// Which commits of a repository a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Called {
    /// No run has seen one.
    None,
    /// This one.
    One(CommitSha),
    /// These, and perhaps more.
    Several(Vec<CommitSha>),
}

/// What is read of a commit at the place where its repository is read.
#[derive(Clone, Debug)]
pub struct LookedUp {
    /// The commit, when it is there.
    pub text: Option<CommitText>,
    /// Which refs of the repository are looked at.
    pub refs: RefSelection,
}

/// The commits of this repository that runs have seen and that the name may stand for.
pub async fn commit_called(app: &Arc<App>, repository: &Repository, name: CommitName) -> Result<Called, ViewError> {
    let called = commit_called_in(app, std::slice::from_ref(repository), name).await?;
    Ok(called.into_iter().next().unwrap_or(Called::None))
}

/// The same of each of these repositories, in their order. It waits once at most, whatever it is asked for.
pub async fn commit_called_in(
    app: &Arc<App>,
    repositories: &[Repository],
    name: CommitName,
) -> Result<Vec<Called>, ViewError> {
    let mut found = Vec::with_capacity(repositories.len());
    let mut ending = Vec::new();
    for (place, repository) in repositories.iter().enumerate() {
        // A run's end is known a moment before its commits are remembered, and who saw it may ask at once.
        if app.jobs.graph_of(repository.id).try_lock().is_err() {
            ending.push(place);
        }
        found.push(seen(app, repository, name).await?);
    }
    if ending.is_empty() || found.iter().any(|called| *called != Called::None) {
        return Ok(found);
    }
    let remembered = async {
        for place in &ending {
            drop(app.jobs.graph_of(repositories[*place].id).lock().await);
        }
    };
    drop(tokio::time::timeout(RUN_ENDS, remembered).await);
    for place in ending {
        found[place] = seen(app, &repositories[place], name).await?;
    }
    Ok(found)
}

async fn seen(app: &Arc<App>, repository: &Repository, name: CommitName) -> Result<Called, ViewError> {
    let (graph, number) = (app.caches.graph(repository.id), repository.number);
    let most = if name.whole().is_some() { 1 } else { MOST };
    let looked = tokio::task::spawn_blocking(move || Graph::called(&graph, number, &name, most));
    let mut found = looked.await.unwrap_or_default();
    if found.len() < most {
        // Of a run that goes on, or on a node that did not index it, only those that name an issue are known.
        let holders = app.read(issue_search::holders_of_commit(name, Some(number), MOST as u32)).await?;
        found.extend(holders.into_iter().map(|holder| holder.sha));
    }
    found.sort_unstable();
    found.dedup();
    Ok(match found[..] {
        [] => Called::None,
        [one] => Called::One(one),
        _ => Called::Several(found),
    })
}

/// Reads a commit where its repository lies, or from its copy. The caller knows that it may be told of. A file system that
/// hangs is waited for as long as it gets on.
pub async fn look_up(app: &Arc<App>, repository: &Repository, sha: CommitSha) -> Result<LookedUp, DiffTrouble> {
    let found = source_of(app, repository).await?.ok_or(DiffTrouble::Forgotten)?;
    let (source, refs) = (found.source, found.refs);
    let (jobs, people) = (&app.jobs, app.clone());
    let text_in = move |opened: &OpenedRepository| {
        let identify = |email: &[u8]| people.keys.people.person_id(email);
        Ok::<_, DiffTrouble>(commit_text(opened, sha, &identify)?)
    };
    let text = match source {
        Source::InPlace(local) => {
            let turn = jobs.left_behind.turn(local.path(), repository.id, jobs.git.limits.silence).await?;
            turn.read(move |steps| text_in(&local.open_telling(steps)?)).await?
        }
        Source::Copied(_) | Source::Remote(_) | Source::Held(_) => {
            let mirror = app.caches.mirror(repository.id);
            blocking(move || match Mirror::recognised(&mirror) {
                Some(mirror) => text_in(&mirror.open()?),
                None => Ok(None),
            })
            .await?
        }
    };
    Ok(LookedUp { text, refs })
}
