//! A fetch from a folder of this machine: a pack is made of what is missing, and written as any other. Called on behalf
//! of the in-process transport; it reads the objects of the source and nothing else of it.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc, time::Duration};

use git2::Odb;
use keytrail_domain::index_run::batch::CommitSha;

use super::{
    new_objects::NewObjects, pack_gauge::PER_OBJECT, pack_sink::Shared, pack_writer::PackWriter, pulse::Pulse,
    source_objects::SourceObjects,
};
use crate::git::{
    GitError, Mirror,
    transport::{
        LocalRepository,
        fetch::{FetchRequest, Fetched},
    },
};

/// How often it is looked whether the thread gets on beside the steps that it tells.
const LOOK: Duration = Duration::from_secs(1);

pub(super) async fn fetch(
    source: &LocalRepository,
    request: &FetchRequest<'_>,
    missing: &BTreeSet<CommitSha>,
    shared: &Arc<Shared>,
) -> Result<Fetched, GitError> {
    let (source, mirror) = (source.clone(), request.mirror.clone());
    let (missing, theirs) = (missing.clone(), shared.clone());
    let pulse = Arc::new(Pulse::default());
    let its_pulse = pulse.clone();
    let work = move || {
        its_pulse.begin();
        copy(source.git_folder(theirs.steps())?.join("objects"), &mirror, &missing, &theirs)
    };
    let mut working = tokio::task::spawn_blocking(work);
    loop {
        tokio::select! {
            done = &mut working => return done.map_err(|error| GitError::transient("copying the objects", error))?,
            () = tokio::time::sleep(LOOK) => {}
        }
        // The first step is the thread's own: it has come to the folder then.
        if pulse.has_beaten() && shared.steps().count() > 0 {
            shared.steps().step();
        }
    }
}

fn copy(
    source: PathBuf,
    mirror: &Mirror,
    missing: &BTreeSet<CommitSha>,
    shared: &Arc<Shared>,
) -> Result<Fetched, GitError> {
    let here = mirror_objects(mirror)?;
    let mut from = SourceObjects::open(source.clone(), shared)?;
    let mut new = Vec::new();
    NewObjects::new(&mut from, &here, shared).put_into(&mut new, missing.iter().copied())?;
    if new.is_empty() {
        // Whatever is wanted came with something else before.
        return Ok(Fetched::default());
    }
    // Beside each object is the list, and what is kept of all until the pack is whole; no more what was looked at for it.
    from = SourceObjects::open(source, shared)?;
    from.leave(new.len() as u64 * PER_OBJECT)?;
    let mut pack = PackWriter::new(mirror, shared, new.len())?;
    for sha in new {
        let (kind, bytes) = from.read(sha)?;
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
