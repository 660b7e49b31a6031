//! A fetch from a folder of this machine: a pack is made of what is missing, and written as any other. Called on behalf
//! of the in-process transport; it reads the objects of the source and nothing else of it.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use git2::{ObjectType, Oid};
use keytrail_domain::index_run::batch::CommitSha;

use super::pack_sink::{PackSink, Shared, odb};
use crate::git::{
    GitError,
    transport::{
        Connection, FetchError,
        fetch::{Brought, FetchRequest},
    },
};

pub(super) async fn fetch(
    source: &Connection,
    request: &FetchRequest<'_>,
    missing: &BTreeSet<CommitSha>,
    kept: &BTreeSet<CommitSha>,
    shared: &Arc<Shared>,
) -> Result<Brought, GitError> {
    let source = source.git_folder()?.join("objects");
    let mirror = request.mirror.path().to_owned();
    let (missing, kept, shared) = (missing.clone(), kept.clone(), shared.clone());
    let work = move || copy(&source, &mirror, &missing, &kept, &shared);
    tokio::task::spawn_blocking(work).await.map_err(|error| GitError::transient("copying the objects", error))?
}

fn copy(
    source: &Path,
    mirror: &Path,
    missing: &BTreeSet<CommitSha>,
    kept: &BTreeSet<CommitSha>,
    shared: &Arc<Shared>,
) -> Result<Brought, GitError> {
    let reading = |error: git2::Error| {
        shared.check_stop().err().unwrap_or_else(|| match error.code() {
            git2::ErrorCode::NotFound => FetchError::RefsMoved.into(),
            _ => GitError::transient("reading the source", error),
        })
    };
    // A repository of objects only: no configuration is read, no hook or attribute exists.
    let repository = git2::Repository::from_odb(odb(source)?).map_err(reading)?;
    let mut pack = repository.packbuilder().map_err(reading)?;
    let mut walk = repository.revwalk().map_err(reading)?;
    for sha in missing {
        let mut id = oid(*sha);
        // Tags lead to commits, or to single files and folders, which a walk does not reach.
        loop {
            let object = repository.find_object(id, None).map_err(reading)?;
            match object.kind() {
                Some(ObjectType::Commit) => walk.push(id).map_err(reading)?,
                Some(ObjectType::Tag) => {
                    pack.insert_object(id, None).map_err(reading)?;
                    let Some(tag) = object.as_tag() else { break };
                    id = tag.target_id();
                    continue;
                }
                Some(ObjectType::Tree) => pack.insert_tree(id).map_err(reading)?,
                _ => pack.insert_object(id, None).map_err(reading)?,
            }
            break;
        }
    }
    for sha in kept {
        // What a force push removed may be gone from the source, and is no boundary there.
        if repository.find_commit(oid(*sha)).is_ok() {
            walk.hide(oid(*sha)).map_err(reading)?;
        }
    }
    pack.insert_walk(&mut walk).map_err(reading)?;
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
    sink.finish()
}

fn oid(sha: CommitSha) -> Oid {
    // Twenty bytes are a name.
    Oid::from_bytes(&sha.0).unwrap_or(Oid::ZERO_SHA1)
}
