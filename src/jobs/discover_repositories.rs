//! Looks which repositories an integration sees, and says what is new and what is gone.

use keytrail_domain::{
    display_text::DisplayText,
    id::{IntegrationId, RepositoryId},
    integration::Integration,
    recorded::{Position, StreamId},
    repository::{Command, Repository},
    service::Connection,
};
use keytrail_projections::repository_list;

use super::{
    JobError, TakenJob,
    forget_repositories::{forget, forget_all},
};
use crate::app::{App, Context};

const PART: &str = "discover_repositories";

pub(super) async fn discover_repositories(app: &App, job: &TakenJob) -> Result<(), JobError> {
    let Ok(id) = job.key.parse::<IntegrationId>() else { return Ok(()) };
    match load(app, id).await? {
        Integration::Active { connection, .. } => discover(app, id, connection, job.caused_by).await,
        // An earlier try may have discovered something when nobody looked for it any more.
        Integration::Removed => forget_all(app, id, PART, app.log.feed().head().position).await,
        Integration::Absent | Integration::Paused { .. } => Ok(()),
    }
}

async fn load(app: &App, id: IntegrationId) -> Result<Integration, JobError> {
    Ok(app.load::<Integration>(StreamId::new("integration", id.0)).await?.0)
}

/// Says what an integration sees that was connected to this place a moment ago.
pub(super) async fn discover(
    app: &App,
    id: IntegrationId,
    connection: Connection,
    cause: Position,
) -> Result<(), JobError> {
    let seen = RepositoryId::of(id, &connection.natural_key());
    let known = app.read_at_least(cause, repository_list::page(Some(id), None, None, 1_000)).await?;
    for listed in known.iter().map(|listed| &listed.repository) {
        if listed.id != seen && listed.state != repository_list::RepositoryState::Forgotten {
            forget(app, listed.id, PART, cause).await?;
        }
    }
    let name = name_of(&connection);
    let command = Command::Discover { integration: id, name, location: connection };
    let discovered = app.dispatch::<Repository>(seen.0, command, Context::server(PART, cause), Vec::new()).await;
    let discovered = discovered.map_err(|error| JobError::Later(error.to_string()))?;
    // Removed meanwhile: the job that forgets its repositories may have been and gone before this one was there. One
    // that is removed from here on finds it.
    if load(app, id).await? == Integration::Removed {
        forget(app, seen, PART, discovered.last).await?;
    }
    Ok(())
}

/// What a person calls the repository at this place: the last part of its path, without `.git`.
fn name_of(connection: &Connection) -> DisplayText {
    let path = connection.location();
    let parts = || path.split('/').rev().filter(|part| !part.is_empty());
    // `/srv/git/shop/.git` is called shop.
    let last = parts().find(|part| *part != ".git").unwrap_or(&path);
    DisplayText::clean(last.strip_suffix(".git").unwrap_or(last))
}
