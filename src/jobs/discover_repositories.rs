//! Looks which repositories an integration sees, and says what is new and what is gone.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use keytrail_domain::{
    display_text::DisplayText,
    git_remote::GitRemote,
    github::GithubConnection,
    id::{IntegrationId, RepositoryId},
    index_run::FailureCode,
    integration::Integration,
    recorded::{Position, StreamId},
    repository::{Command, Repository},
    service::Connection,
};
use keytrail_projections::repository_list::{self, RepositoryState};

use super::{
    JobError, TakenJob,
    forget_repositories::{forget, forget_all},
    installation_listing::{self, Listing},
    list_pull_requests,
};
use crate::{
    app::{App, Context},
    git::{
        folder_scan::{self, FoundState, Refusal, ScanBounds, ScanDepth, ScanWatch, Scanned},
        services::github::ListedRepository,
    },
};

const PART: &str = "discover_repositories";

pub(super) async fn discover_repositories(app: &App, job: &TakenJob) -> Result<(), JobError> {
    let Ok(id) = job.key.parse::<IntegrationId>() else { return Ok(()) };
    match load(app, id).await? {
        Integration::Active { connection, .. } => {
            discover(app, id, connection, job.caused_by).await?;
            list_pull_requests::ask_where_due(app, id).await
        }
        // An earlier try may have discovered something when nobody looked for it any more.
        Integration::Removed { .. } => forget_all(app, id, PART, app.log.feed().head().position).await,
        Integration::Absent | Integration::Paused { .. } => Ok(()),
    }
}

async fn load(app: &App, id: IntegrationId) -> Result<Integration, JobError> {
    Ok(app.load::<Integration>(StreamId::new("integration", id.0)).await?.0)
}

/// What an integration sees at one place.
struct Seen {
    /// What makes it the same one whatever it is called.
    key: String,
    name: DisplayText,
    location: Connection,
    /// Why it cannot be indexed.
    refused: Option<(FailureCode, DisplayText)>,
    /// Whether its service lets nobody change it, where a service says so.
    archived: Option<bool>,
}

impl Seen {
    /// One that is named by where it is.
    fn at(name: DisplayText, location: Connection, refused: Option<(FailureCode, DisplayText)>) -> Self {
        Self { key: location.natural_key(), name, location, refused, archived: None }
    }
}

/// The repositories that an app sees.
fn of_installation(github: &GithubConnection, listed: &[ListedRepository]) -> Vec<Seen> {
    let seen = listed.iter().map(|one| Seen {
        key: format!("github_app:{}/id:{}", github.host.name(), one.id),
        name: one.name.clone(),
        location: Connection::git(GitRemote::at(one.clone_url.clone())),
        refused: None,
        archived: Some(one.archived),
    });
    seen.collect()
}

/// Says what an integration sees that is connected to this place; how much of it is news. Writes nothing when nothing
/// is.
pub(super) async fn discover(
    app: &App,
    id: IntegrationId,
    connection: Connection,
    cause: Position,
) -> Result<usize, JobError> {
    // One after the other: who looked later, and so knows better, has the last word.
    let _turn = match &connection {
        Connection::GithubApp(_) => Some(app.jobs.listings.turn(id).await),
        Connection::Path { .. } | Connection::Folder { .. } | Connection::Git(_) => None,
    };
    let began = app.log.feed().head().position;
    let mut listed = None;
    let (seen, scanned) = match &connection {
        Connection::GithubApp(github) => match installation_listing::list(app, id, github, cause).await? {
            Listing::Seen(all) => {
                let seen = of_installation(github, &all.repositories);
                listed = Some(all);
                (seen, None)
            }
            // What it saw before stays as it is, and will be told when it is seen again.
            Listing::Unseen | Listing::AsBefore | Listing::Held => return Ok(0),
        },
        other => look(app, other.clone()).await?,
    };
    let complete = listed.as_ref().is_none_or(|all| all.complete);
    let only_known = listed.as_ref().is_some_and(|all| all.held);
    // A scan may take long, and what it saw counts only while the integration still looks there.
    match load(app, id).await? {
        Integration::Active { connection: now, .. } | Integration::Paused { connection: now, .. }
            if now == connection => {}
        _ => return Ok(0),
    }
    let mut seen: HashMap<RepositoryId, Seen> =
        seen.into_iter().map(|seen| (RepositoryId::of(id, &seen.key), seen)).collect();
    let (mut news, mut known, mut after) = (0, HashMap::new(), None);
    loop {
        let page = app.read_at_least(cause, repository_list::page(Some(id), None, after, 1_000)).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.repository.added_position);
        for row in page.into_iter().map(|listed| listed.repository) {
            if row.state == RepositoryState::Forgotten {
                continue;
            }
            // Another node has looked since.
            if listed.is_some() && row.seen_position > began {
                seen.remove(&row.id);
                continue;
            }
            let gone = match &scanned {
                None => complete,
                // A share that is not mounted looks empty: only what is shown to be gone is forgotten.
                Some(scanned) => {
                    let path = Path::new(&row.location);
                    // One that is covered no more (the depth was lowered) goes, unless a link still leads to it.
                    let linked = scanned.cut.is_some() || scanned.found.iter().any(|found| found.path == path);
                    scanned.shows_absent(path) || !scanned.covers(path) && !linked
                }
            };
            if !seen.contains_key(&row.id) && gone {
                forget(app, row.id, PART, cause).await?;
                news += 1;
                continue;
            }
            let failure = row.failure.map(|(code, _)| code);
            known.insert(row.id, (row.state, failure, (row.name, row.location), row.archived));
        }
    }
    let mut seen: Vec<_> = seen.into_iter().filter(|(id, _)| !only_known || known.contains_key(id)).collect();
    seen.sort_by(|(_, one), (_, other)| one.location.location().cmp(&other.location.location()));
    for (repository, Seen { name, location, refused, archived, .. }) in seen {
        let was_archived = known.get(&repository).is_some_and(|(.., archived)| *archived);
        let archived = archived.filter(|archived| *archived != was_archived);
        let as_known = match (known.get(&repository), &refused) {
            (Some((RepositoryState::Refused, said, ..)), Some((code, _))) => said.as_ref() == Some(code),
            (Some((RepositoryState::Refused, ..)), None) | (None, _) => false,
            // What has an id of its service's is the same one under another name.
            (Some((_, _, (called, at), _)), None) => called == name.as_str() && *at == location.location(),
            (Some(_), Some(_)) => true,
        };
        let context = || Context::server(PART, cause);
        if as_known {
            if let Some(archived) = archived {
                let command = Command::ReportArchived { archived };
                app.dispatch::<Repository>(repository.0, command, context(), Vec::new()).await?;
                news += 1;
            }
            continue;
        }
        let command = match refused {
            None => Command::Discover { integration: id, name, location },
            Some((code, text)) => Command::Refuse { integration: id, name, location, code, text },
        };
        let said = app.dispatch::<Repository>(repository.0, command, context(), Vec::new()).await?;
        if let Some(archived) = archived {
            let command = Command::ReportArchived { archived };
            app.dispatch::<Repository>(repository.0, command, context(), Vec::new()).await?;
        }
        news += 1;
        // Removed meanwhile: the job that forgets its repositories may have been and gone before this one was there. One
        // that is removed from here on finds it.
        if matches!(load(app, id).await?, Integration::Removed { .. }) {
            forget(app, repository, PART, said.last).await?;
        }
    }
    if let Some(seen) = listed {
        app.jobs.passes.taken_in(id, *seen);
    }
    Ok(news)
}

/// What is at the place; of a folder, what the scan knows of what is not there.
async fn look(app: &App, connection: Connection) -> Result<(Vec<Seen>, Option<Scanned>), JobError> {
    let (path, depth) = match connection {
        Connection::Path { path, .. } => {
            let location = Connection::path(path);
            let name = name_of(&location.location());
            return Ok((vec![Seen::at(name, location, None)], None));
        }
        Connection::Git(remote) => {
            let name = DisplayText::clean(&remote.url.name());
            // How it is reached is the integration's business, and may change.
            let location = Connection::git(GitRemote::at(remote.url));
            return Ok((vec![Seen::at(name, location, None)], None));
        }
        Connection::Folder { path, depth, .. } => (PathBuf::from(path), depth),
        Connection::GithubApp(_) => return Ok((Vec::new(), None)),
    };
    let depth = ScanDepth::new(depth).ok_or_else(|| JobError::Later("the depth of the folder is not 1 to 5".into()))?;
    let now = i128::from(app.clock.now().0) * 1_000;
    let (root, patience) = (path.clone(), app.jobs.git.limits.silence);
    // A scan looks at half a million entries at most.
    let scan = move |watch: &ScanWatch| folder_scan::scan(&root, depth, ScanBounds::default(), now, watch);
    let scanned = app.jobs.folder_scans.run(&path, patience, app.stopping(), scan).await??;
    if let Some(cut) = scanned.cut {
        tracing::warn!(?cut, "a tracked folder holds more than is looked at; what was not looked at stays as it is");
    }
    let ready = scanned.found.iter().filter(|found| found.state == FoundState::Ready);
    let mut seen: Vec<Seen> = ready
        .filter_map(|found| Some(Seen::at(found.name.clone(), Connection::path(found.path.to_str()?), None)))
        .collect();
    for refused in &scanned.refused {
        let (Some(code), Some(path)) = (code_of(refused.reason), refused.path.to_str()) else {
            let (reason, why) = (refused.reason.code(), &refused.sentence);
            tracing::warn!(reason, %why, "a place of a tracked folder is left out");
            continue;
        };
        let why = (code, DisplayText::clean(&refused.sentence));
        seen.push(Seen::at(name_of(path), Connection::path(path), Some(why)));
    }
    Ok((seen, Some(scanned)))
}

/// The recorded word for a refusal; `None` for what is no repository, or may be another time.
const fn code_of(refusal: Refusal) -> Option<FailureCode> {
    match refusal {
        Refusal::OutsideRoot => Some(FailureCode::OutsideRoots),
        Refusal::Denied => Some(FailureCode::Denied),
        Refusal::Sha256Unsupported => Some(FailureCode::Sha256Unsupported),
        Refusal::FormatUnsupported | Refusal::NotARepository => Some(FailureCode::NotARepository),
        Refusal::Shallow => Some(FailureCode::Shallow),
        Refusal::PathInvalid | Refusal::RootIsRepository | Refusal::Unreadable => None,
    }
}

/// What a person calls the repository at this path: its last part, without `.git`.
fn name_of(path: &str) -> DisplayText {
    let parts = || path.split('/').rev().filter(|part| !part.is_empty());
    // `/srv/git/shop/.git` is called shop.
    let last = parts().find(|part| *part != ".git").unwrap_or(path);
    DisplayText::clean(last.strip_suffix(".git").unwrap_or(last))
}
