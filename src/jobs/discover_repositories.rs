//! Looks which repositories an integration sees, and says what is new and what is gone.

use keytrail_domain::{
    display_text::DisplayText,
    id::{IntegrationId, RepositoryId},
    integration::Integration,
    recorded::StreamId,
    repository::{Command, Repository},
    service::Connection,
};
use keytrail_projections::repository_list;

use super::{JobError, TakenJob, forget_repositories::forget};
use crate::app::{App, Context};

const PART: &str = "discover_repositories";

pub(super) async fn discover_repositories(app: &App, job: &TakenJob) -> Result<(), JobError> {
    let Ok(id) = job.key.parse::<IntegrationId>() else { return Ok(()) };
    let (integration, _) = app.load::<Integration>(StreamId::new("integration", id.0)).await?;
    let connection = match integration {
        Integration::Active { connection, .. } => connection,
        Integration::Absent | Integration::Paused { .. } | Integration::Removed => return Ok(()),
    };
    let seen = RepositoryId::of(id, &connection.natural_key());
    let known = app.read_at_least(job.caused_by, repository_list::page(Some(id), None, None, 1_000)).await?;
    for listed in known.iter().map(|listed| &listed.repository) {
        if listed.id != seen && listed.state != repository_list::RepositoryState::Forgotten {
            forget(app, listed.id, PART, job.caused_by).await?;
        }
    }
    let name = name_of(&connection);
    let command = Command::Discover { integration: id, name, location: connection };
    let context = Context::server(PART, job.caused_by);
    match app.dispatch::<Repository>(seen.0, command, context, Vec::new()).await {
        Ok(_) => Ok(()),
        Err(error) => Err(JobError::Later(error.to_string())),
    }
}

/// What a person calls the repository at this place: the last part of its path, without `.git`.
fn name_of(connection: &Connection) -> DisplayText {
    let Connection::Path { path } = connection;
    let parts = || path.split('/').rev().filter(|part| !part.is_empty());
    // `/srv/git/shop/.git` is called shop.
    let last = parts().find(|part| *part != ".git").unwrap_or(path);
    DisplayText::clean(last.strip_suffix(".git").unwrap_or(last))
}
