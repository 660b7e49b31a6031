//! A fetch from a folder of this machine: a pack is made of what is missing, and written as any other. Called on behalf
//! of the in-process transport; it reads the objects of the source and nothing else of it.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

use git2::Odb;
use keytrail_domain::index_run::batch::CommitSha;

use super::{new_objects::NewObjects, pack_sink::Shared, pack_writer::PackWriter, source_objects::SourceObjects};
use crate::git::{
    GitError, Mirror,
    transport::{
        LocalRepository,
        fetch::{FetchRequest, Fetched},
    },
};

pub(super) async fn fetch(
    source: &LocalRepository,
    request: &FetchRequest<'_>,
    missing: &BTreeSet<CommitSha>,
    shared: &Arc<Shared>,
) -> Result<Fetched, GitError> {
    let (source, mirror) = (source.clone(), request.mirror.clone());
    let (missing, shared) = (missing.clone(), shared.clone());
    let work = move || copy(source.git_folder(shared.steps())?.join("objects"), &mirror, &missing, &shared);
    tokio::task::spawn_blocking(work).await.map_err(|error| GitError::transient("copying the objects", error))?
}

fn copy(
    source: PathBuf,
    mirror: &Mirror,
    missing: &BTreeSet<CommitSha>,
    shared: &Arc<Shared>,
) -> Result<Fetched, GitError> {
    let here = mirror_objects(mirror)?;
    let mut source = SourceObjects::open(source, shared)?;
    let mut new = Vec::new();
    NewObjects::new(&mut source, &here, shared).put_into(&mut new, missing.iter().copied())?;
    if new.is_empty() {
        // Whatever is wanted came with something else before.
        return Ok(Fetched::default());
    }
    let mut pack = PackWriter::new(mirror, shared, new.len())?;
    for sha in new {
        let (kind, bytes) = source.read(sha)?;
        pack.object(kind, bytes)?;
    }
    let tips: Vec<CommitSha> = missing.iter().copied().collect();
    pack.finish(&tips)
}

/// What the mirror has.
fn mirror_objects<'a>(mirror: &Mirror) -> Result<Odb<'a>, GitError> {
    let opening = |error: git2::Error| GitError::transient("opening the objects", error);
    let odb = Odb::new().map_err(opening)?;
    let objects = mirror.path().join("objects");
    let Some(path) = objects.to_str() else {
        let reason = "its path is not valid UTF-8; rename the folder".to_owned();
        return Err(GitError::Denied { path: objects, reason });
    };
    odb.add_disk_alternate(path).map_err(opening)?;
    Ok(odb)
}
