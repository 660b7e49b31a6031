//! Reads the objects of a folder that is copied, one at a time and within a bound of memory. Called by the fetch from a
//! folder; what it gives is what the name stands for, however odd, and it takes nothing apart.

use std::{path::PathBuf, sync::Arc};

use gix::objs::{Find as _, FindHeader as _, Kind, compute_hash};
use keytrail_domain::index_run::batch::CommitSha;

use super::pack_sink::Shared;
use crate::git::{
    GitError,
    transport::{FetchError, room},
};

/// What is read may be there twice for a moment: while it grows.
const HELD: u64 = 2;
/// What is kept of objects that others are stored as differences to.
const DELTA_CACHE_BYTES: usize = 16 * 1024 * 1024;
/// More than this is not kept for the next object.
const KEPT: usize = 1024 * 1024;

pub(super) struct SourceObjects<'a> {
    objects: gix::odb::HandleArc,
    buffer: Vec<u8>,
    /// Bytes that one object may take, with what it is put together from.
    most: u64,
    shared: &'a Shared,
}

impl<'a> SourceObjects<'a> {
    /// Those in a folder of objects, and in the ones that it names as alternates.
    pub(super) fn open(folder: PathBuf, shared: &'a Shared) -> Result<Self, GitError> {
        let most = shared.limits.memory_bytes / HELD;
        let options = gix::odb::store::init::Options {
            alloc_limit_bytes: Some(usize::try_from(most).unwrap_or(usize::MAX)),
            ..Default::default()
        };
        let store = gix::odb::Store::at_opts(folder, gix::hash::Kind::Sha1, &mut std::iter::empty(), options)
            .map_err(|error| GitError::transient("opening the objects", error))?;
        let mut objects = Arc::new(store).to_cache_arc();
        objects.set_pack_cache(|| Box::new(gix::odb::pack::cache::lru::MemoryCappedHashmap::new(DELTA_CACHE_BYTES)));
        Ok(Self { objects, buffer: Vec::new(), most, shared })
    }

    /// The object's kind and its bytes.
    pub(super) fn read(&mut self, sha: CommitSha) -> Result<(Kind, &[u8]), GitError> {
        if self.buffer.capacity() > KEPT {
            self.buffer = Vec::new();
        }
        let (id, shared) = (gix::ObjectId::from(sha.0), self.shared);
        let found = self.objects.try_find(&id, &mut self.buffer).map_err(|error| unreadable(shared, error))?;
        let Some(object) = found else {
            // Git knows this one without having it.
            let is_known = id == gix::ObjectId::empty_tree(gix::hash::Kind::Sha1);
            return if is_known { Ok((Kind::Tree, &[])) } else { Err(FetchError::RefsMoved.into()) };
        };
        let (kind, bytes) = (object.kind, object.data);
        let name = compute_hash(gix::hash::Kind::Sha1, kind, bytes).map_err(|error| unreadable(shared, error))?;
        if name != id {
            return Err(FetchError::Incomplete.into());
        }
        Ok((kind, bytes))
    }

    /// That the object is there and may be read, as far as that can be told without reading it.
    pub(super) fn check(&self, sha: CommitSha) -> Result<(), GitError> {
        let found = self.objects.try_header(&gix::ObjectId::from(sha.0));
        let found = found.map_err(|error| unreadable(self.shared, error))?.ok_or(FetchError::Incomplete)?;
        if found.size > self.most { Err(too_much(self.shared)) } else { Ok(()) }
    }
}

fn unreadable(shared: &Shared, error: gix::Error) -> GitError {
    if error.is_resource_exhausted() { too_much(shared) } else { GitError::transient("reading the source", error) }
}

fn too_much(shared: &Shared) -> GitError {
    room::over_memory(shared.limits.memory_bytes).into()
}
