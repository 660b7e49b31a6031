//! A repository whose objects can be read on this machine. Made by a transport; read by the listing of refs and by
//! the walk. It never follows grafts or replacement refs: what is recorded is what was committed.

use std::path::{Path, PathBuf};

use gix::objs::{Exists as _, Find as _, Kind};
use keytrail_domain::index_run::batch::CommitSha;

use super::GitError;

/// The most bytes that one object may take in memory: what a packed object claims to be is no fact.
const MAX_OBJECT_BYTES: usize = 256 * 1024 * 1024;

/// What each reader keeps of objects that others are stored as differences to.
const DELTA_CACHE_BYTES: usize = 16 * 1024 * 1024;

/// An opened repository. Opening reads no object.
pub struct OpenedRepository {
    path: PathBuf,
    common_dir: PathBuf,
    default_branch: Option<Vec<u8>>,
    objects: std::sync::Arc<gix::odb::Store>,
}

impl OpenedRepository {
    /// `path` is what a person calls it, `common_dir` the folder with its objects and refs.
    pub(super) fn at(path: &Path, common_dir: PathBuf, default_branch: Option<Vec<u8>>) -> Result<Self, GitError> {
        let options =
            gix::odb::store::init::Options { alloc_limit_bytes: Some(MAX_OBJECT_BYTES), ..Default::default() };
        let objects = gix::odb::Store::at_opts(
            common_dir.join("objects"),
            gix::hash::Kind::Sha1,
            &mut std::iter::empty(),
            options,
        )
        .map_err(|error| GitError::of_path(path, "opening the objects", error))?;
        Ok(Self { path: path.to_owned(), common_dir, default_branch, objects: objects.into() })
    }

    /// What it was opened as.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The full name of the default branch, such as `refs/heads/main`; it need not have a commit yet. `None` when
    /// HEAD names no branch.
    pub fn default_branch(&self) -> Option<String> {
        self.default_branch.as_ref().map(|name| String::from_utf8_lossy(name).into_owned())
    }

    /// The same, byte for byte.
    pub(super) fn default_branch_bytes(&self) -> Option<&[u8]> {
        self.default_branch.as_deref()
    }

    /// Where refs are.
    pub(super) fn common_dir(&self) -> &Path {
        &self.common_dir
    }

    /// A reader for one thread.
    pub(super) fn reader(&self) -> ObjectReader {
        let mut objects = self.objects.to_cache_arc();
        objects.set_pack_cache(|| Box::new(gix::odb::pack::cache::lru::MemoryCappedHashmap::new(DELTA_CACHE_BYTES)));
        ObjectReader { objects, buffer: Vec::new(), read: 0 }
    }
}

/// Reads objects, one at a time, and counts them.
pub(super) struct ObjectReader {
    objects: gix::odb::HandleArc,
    buffer: Vec<u8>,
    read: u64,
}

impl ObjectReader {
    /// The object's kind and its bytes; `None` when it is not there.
    pub(super) fn read(&mut self, sha: CommitSha) -> Result<Option<(Kind, &[u8])>, GitError> {
        self.read += 1;
        // One huge message must not be paid for until the end.
        const KEPT: usize = 1024 * 1024;
        if self.buffer.capacity() > KEPT {
            self.buffer = Vec::new();
        }
        match self.objects.try_find(&gix::ObjectId::from(sha.0), &mut self.buffer) {
            Ok(found) => Ok(found.map(|object| (object.kind, object.data))),
            Err(error) => Err(unreadable(sha, error)),
        }
    }

    /// Whether the object is there, without reading it.
    pub(super) fn exists(&self, sha: CommitSha) -> bool {
        self.objects.exists(&gix::ObjectId::from(sha.0))
    }

    /// How many objects were read.
    pub(super) const fn objects_read(&self) -> u64 {
        self.read
    }
}

fn unreadable(sha: CommitSha, error: gix::Error) -> GitError {
    let from_system = error
        .iter_errors()
        .filter_map(|error| error.downcast_ref::<std::io::Error>())
        .any(|error| !matches!(error.kind(), std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::InvalidData));
    if from_system && !error.is_corrupted() {
        return GitError::transient(&format!("reading the object {sha}"), error);
    }
    GitError::CorruptObject { sha, reason: error.to_string() }
}
