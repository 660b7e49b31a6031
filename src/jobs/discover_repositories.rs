//! Looks which repositories an integration sees, and says what is new and what is gone.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use keytrail_domain::{
    display_text::DisplayText,
    git_remote::GitRemote,
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
};
use crate::{
    app::{App, Context},
    git::folder_scan::{self, FoundState, Refusal, ScanBounds, ScanDepth, ScanWatch, Scanned},
};

const PART: &str = "discover_repositories";

pub(super) async fn discover_repositories(app: &App, job: &TakenJob) -> Result<(), JobError> {
    let Ok(id) = job.key.parse::<IntegrationId>() else { return Ok(()) };
    match load(app, id).await? {
        Integration::Active { connection, .. } => discover(app, id, connection, job.caused_by).await.map(|_| ()),
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
    name: DisplayText,
    location: Connection,
    /// Why it cannot be indexed.
    refused: Option<(FailureCode, DisplayText)>,
}

/// Says what an integration sees that is connected to this place; how much of it is news. Writes nothing when nothing
/// is.
pub(super) async fn discover(
    app: &App,
    id: IntegrationId,
    connection: Connection,
    cause: Position,
) -> Result<usize, JobError> {
    let (seen, scanned) = look(app, connection.clone()).await?;
    // A scan may take long, and what it saw counts only while the integration still looks there.
    match load(app, id).await? {
        Integration::Active { connection: now, .. } | Integration::Paused { connection: now, .. }
            if now == connection => {}
        _ => return Ok(0),
    }
    let seen: HashMap<RepositoryId, Seen> =
        seen.into_iter().map(|seen| (RepositoryId::of(id, &seen.location.natural_key()), seen)).collect();
    let (mut news, mut known, mut after) = (0, HashMap::new(), None);
    loop {
        let page = app.read_at_least(cause, repository_list::page(Some(id), None, after, 1_000)).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.repository.added_position);
        for row in page.into_iter().map(|listed| listed.repository) {
            if row.state == RepositoryState::Forgotten {
                continue;
            }
            let gone = match &scanned {
                None => true,
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
            known.insert(row.id, (row.state, row.failure.map(|(code, _)| code)));
        }
    }
    let mut seen: Vec<_> = seen.into_iter().collect();
    seen.sort_by(|(_, one), (_, other)| one.location.location().cmp(&other.location.location()));
    for (repository, Seen { name, location, refused }) in seen {
        let as_known = match (known.get(&repository), &refused) {
            (Some((RepositoryState::Refused, said)), Some((code, _))) => said.as_ref() == Some(code),
            (Some((RepositoryState::Refused, _)), None) | (None, _) => false,
            (Some(_), _) => true,
        };
        if as_known {
            continue;
        }
        let command = match refused {
            None => Command::Discover { integration: id, name, location },
            Some((code, text)) => Command::Refuse { integration: id, name, location, code, text },
        };
        let context = Context::server(PART, cause);
        let said = app.dispatch::<Repository>(repository.0, command, context, Vec::new()).await?;
        news += 1;
        // Removed meanwhile: the job that forgets its repositories may have been and gone before this one was there. One
        // that is removed from here on finds it.
        if matches!(load(app, id).await?, Integration::Removed { .. }) {
            forget(app, repository, PART, said.last).await?;
        }
    }
    Ok(news)
}

/// What is at the place; of a folder, what the scan knows of what is not there.
async fn look(app: &App, connection: Connection) -> Result<(Vec<Seen>, Option<Scanned>), JobError> {
    let (path, depth) = match connection {
        Connection::Path { path, .. } => {
            let location = Connection::path(path);
            return Ok((vec![Seen { name: name_of(&location.location()), location, refused: None }], None));
        }
        Connection::Git(remote) => {
            let name = DisplayText::clean(&remote.url.name());
            // How it is reached is the integration's business, and may change.
            let location = Connection::git(GitRemote::at(remote.url));
            return Ok((vec![Seen { name, location, refused: None }], None));
        }
        Connection::Folder { path, depth, .. } => (PathBuf::from(path), depth),
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
        .filter_map(|found| {
            Some(Seen { name: found.name.clone(), location: Connection::path(found.path.to_str()?), refused: None })
        })
        .collect();
    for refused in &scanned.refused {
        let (Some(code), Some(path)) = (code_of(refused.reason), refused.path.to_str()) else {
            tracing::warn!(reason = refused.reason.code(), "{}", refused.sentence);
            continue;
        };
        let why = (code, DisplayText::clean(&refused.sentence));
        seen.push(Seen { name: name_of(path), location: Connection::path(path), refused: Some(why) });
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
