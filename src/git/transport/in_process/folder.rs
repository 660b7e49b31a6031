//! A fetch from a folder of this machine: a pack is made of what is missing, and written as any other. Called on behalf
//! of the in-process transport; it reads the objects of the source and nothing else of it.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use git2::Oid;
use keytrail_domain::index_run::batch::CommitSha;

use super::{
    new_objects::{NewObjects, unreadable},
    pack_sink::{PackSink, Shared},
};
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
    let work = move || copy(&source.git_folder(shared.steps())?.join("objects"), &mirror, &missing, &shared);
    tokio::task::spawn_blocking(work).await.map_err(|error| GitError::transient("copying the objects", error))?
}

fn copy(
    source: &Path,
    mirror: &Mirror,
    missing: &BTreeSet<CommitSha>,
    shared: &Arc<Shared>,
) -> Result<Fetched, GitError> {
    let reading = |error| unreadable(shared, error);
    // A repository of objects only: no configuration is read, no hook or attribute exists.
    let repository = git2::Repository::from_odb(odb(source)?).map_err(reading)?;
    let mut pack = repository.packbuilder().map_err(reading)?;
    let told = shared.clone();
    let gets_on = move |_, _, _| {
        told.steps().step();
        told.check_stop().is_ok()
    };
    pack.set_progress_callback(gets_on).map_err(reading)?;
    let here = odb(&mirror.path().join("objects"))?;
    NewObjects::new(&repository, &here, shared).put_into(&mut pack, missing.iter().map(|sha| oid(*sha)))?;
    if pack.object_count() == 0 {
        // Whatever is wanted came with something else before.
        return Ok(Fetched::default());
    }
    let mut sink = PackSink::new(mirror, shared)?;
    let mut failed = None;
    let written = pack.foreach(|bytes| {
        failed = sink.write(bytes).err();
        failed.is_none()
    });
    if let Some(error) = failed {
        return Err(error);
    }
    written.map_err(reading)?;
    let tips: Vec<CommitSha> = missing.iter().copied().collect();
    sink.finish(&tips)
}

fn oid(sha: CommitSha) -> Oid {
    // Twenty bytes are a name.
    Oid::from_bytes(&sha.0).unwrap_or(Oid::ZERO_SHA1)
}

/// The objects in a folder, and in those that it names as alternates.
fn odb<'a>(objects: &Path) -> Result<git2::Odb<'a>, GitError> {
    let opening = |error: git2::Error| GitError::transient("opening the objects", error);
    let odb = git2::Odb::new().map_err(opening)?;
    let Some(path) = objects.to_str() else {
        let reason = "its path is not valid UTF-8; rename the folder".to_owned();
        return Err(GitError::Denied { path: objects.to_owned(), reason });
    };
    odb.add_disk_alternate(path).map_err(opening)?;
    Ok(odb)
}
