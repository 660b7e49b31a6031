//! What this node keeps of repositories in its caches, and whether anything still reads it. Asked by the upkeep and by the
//! doctor; it only looks, and never at an original.

use std::{collections::BTreeMap, fs, io, path::Path};

use keytrail_domain::{
    id::{IntegrationId, RepositoryId},
    integration::{Integration, MirrorsAfter},
    recorded::{Position, StreamId},
    service::{Connection, Reading},
};
use keytrail_projections::repository_list::{self, RepositoryState};

use crate::{
    app::App,
    git::Mirror,
    jobs::{Caches, JobError},
};

/// What is kept of one repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// The copy of its commits.
    pub mirror: Option<Mirror>,
    /// Whether the making or the deletion of a copy was interrupted, or goes on.
    pub half_made: bool,
    /// Folders and files of commits that somebody looked at.
    pub objects: Option<Mirror>,
    /// Whether commits that were looked at are remembered.
    pub graph: bool,
}

/// What is in the caches of this node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// What is ours, by repository.
    pub repositories: BTreeMap<RepositoryId, Kept>,
    /// How many entries of the folder of mirrors are not ours; nobody touches them.
    pub foreign: usize,
}

/// Whether anything reads a repository's copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Index runs do.
    Needed {
        /// The number of the repository.
        number: Position,
        /// Where the list of repositories stood.
        position: Position,
        /// The end of the last run that completed.
        indexed: Option<Position>,
    },
    /// The repository is read where it lies, and what is remembered of its commits is needed.
    ReadInPlace,
    /// Its integration was removed, and whoever did that wished to keep it.
    KeptOnRemoval(IntegrationId),
    /// Nothing: the repository is forgotten, refused or unknown, or its integration is gone.
    Unneeded,
}

impl Survey {
    /// Lists the caches. It blocks.
    pub fn of(caches: &Caches) -> io::Result<Self> {
        let mut survey = Self::default();
        let id = |name: &str, ending: &str| {
            let text = name.strip_suffix(ending)?;
            // Only as it is written by us.
            text.parse::<RepositoryId>().ok().filter(|id| id.to_string() == text)
        };
        for entry in entries(caches.folder())? {
            let name = entry?.file_name();
            if let Some(id) = name.to_str().and_then(|name| id(name, ".graph")) {
                survey.repositories.entry(id).or_default().graph = true;
            }
        }
        for entry in entries(&caches.objects())? {
            let entry = entry?;
            let of = entry.file_name().to_str().and_then(|name| id(name, ".git"));
            if let Some((id, objects)) = of.zip(Mirror::recognised(&entry.path())) {
                survey.repositories.entry(id).or_default().objects = Some(objects);
            }
        }
        for entry in entries(&caches.mirrors())? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_str().unwrap_or_default();
            let mirror = id(name, ".git").zip(Mirror::recognised(&entry.path()));
            if let Some((id, mirror)) = mirror {
                survey.repositories.entry(id).or_default().mirror = Some(mirror);
            } else if let Some(id) = id(name, ".git.making") {
                survey.repositories.entry(id).or_default().half_made = true;
            } else {
                survey.foreign += 1;
            }
        }
        Ok(survey)
    }
}

/// What is in a folder that may not be there.
fn entries(folder: &Path) -> io::Result<impl Iterator<Item = io::Result<fs::DirEntry>>> {
    match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None.into_iter().flatten()),
        other => Ok(Some(other?).into_iter().flatten()),
    }
}

/// How a repository stands, as of the head of the log or later.
pub async fn standing_of(app: &App, repository: RepositoryId) -> Result<Standing, JobError> {
    let head = app.log.feed().head().position;
    let rows = app.read_at_least(head, repository_list::by_id(repository)).await?;
    let Some(row) = rows.into_iter().next().map(|listed| listed.repository) else { return Ok(Standing::Unneeded) };
    let (integration, _) = app.load::<Integration>(StreamId::new("integration", row.integration.0)).await?;
    let connection = match integration {
        Integration::Removed { mirrors: MirrorsAfter::Kept, .. } => {
            return Ok(Standing::KeptOnRemoval(row.integration));
        }
        Integration::Active { connection, .. } | Integration::Paused { connection, .. }
            if !matches!(row.state, RepositoryState::Forgotten | RepositoryState::Refused) =>
        {
            connection
        }
        _ => return Ok(Standing::Unneeded),
    };
    Ok(match connection {
        Connection::Path { reading: Reading::InPlace, .. } | Connection::Folder { reading: Reading::InPlace, .. } => {
            Standing::ReadInPlace
        }
        Connection::Path { reading: Reading::Mirrored, .. }
        | Connection::Folder { reading: Reading::Mirrored, .. }
        | Connection::Git(_)
        | Connection::GithubApp(_) => {
            Standing::Needed { number: row.number, position: head, indexed: row.indexed_position }
        }
    })
}
