//! A repository whose objects can be read on this machine. Made by a transport; read by the listing of refs and by
//! the walk. It never follows grafts or replacement refs: what is recorded is what was committed.

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use gix::objs::{Exists as _, Find as _, FindHeader as _, Kind};
use keytrail_domain::index_run::batch::CommitSha;

use super::{
    GitError, Steps,
    refs::{FileMark, file_mark},
};

/// The most bytes that one object may take in memory: what a packed object claims to be is no fact.
const MAX_OBJECT_BYTES: usize = 256 * 1024 * 1024;

/// What each reader keeps of objects that others are stored as differences to.
const DELTA_CACHE_BYTES: usize = 16 * 1024 * 1024;

/// Objects that are read in one [step](Steps).
const OBJECTS_A_STEP: u64 = 8;

/// An opened repository. Opening reads no object.
pub struct OpenedRepository {
    path: PathBuf,
    common_dir: PathBuf,
    default_branch: Option<Vec<u8>>,
    objects: Arc<gix::odb::Store>,
    /// What the folder of packs was like before the objects were opened.
    packs: Option<FileMark>,
    /// Who waits for what is read looks at these.
    steps: Arc<Steps>,
}

impl OpenedRepository {
    /// `path` is what a person calls it, `common_dir` the folder with its objects and refs.
    pub(super) fn at(path: &Path, common_dir: PathBuf, default_branch: Option<Vec<u8>>) -> Result<Self, GitError> {
        let (objects, packs) =
            open_objects(&common_dir).map_err(|error| GitError::of_path(path, "opening the objects", error))?;
        let steps = Arc::default();
        Ok(Self { path: path.to_owned(), common_dir, default_branch, objects, packs, steps })
    }

    /// From here on, what is read of it is told to these.
    pub(super) fn telling(self, steps: &Arc<Steps>) -> Self {
        Self { steps: steps.clone(), ..self }
    }

    /// Who waits for what is read looks at these.
    pub(super) fn steps(&self) -> &Steps {
        &self.steps
    }

    /// Which of these objects are not in it.
    pub fn lacking(&self, objects: impl IntoIterator<Item = CommitSha>) -> BTreeSet<CommitSha> {
        let mut reader = self.reader();
        objects.into_iter().filter(|sha| !reader.exists(*sha)).collect()
    }

    /// Which of these objects are no commits, or are not in it. What cannot be read is for who reads it to name.
    pub fn no_commits(&self, objects: impl IntoIterator<Item = CommitSha>) -> BTreeSet<CommitSha> {
        let mut reader = self.reader();
        objects.into_iter().filter(|sha| !reader.is_commit(*sha)).collect()
    }

    /// What it was opened as.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The full name of the default branch, such as `refs/heads/main`, byte for byte; it need not have a commit yet.
    /// `None` when HEAD names no branch.
    pub(super) fn default_branch(&self) -> Option<&[u8]> {
        self.default_branch.as_deref()
    }

    /// Where refs are.
    pub(super) fn common_dir(&self) -> &Path {
        &self.common_dir
    }

    /// A reader for one thread.
    pub(super) fn reader(&self) -> ObjectReader {
        ObjectReader {
            objects: handle(&self.objects),
            place: Place { common_dir: self.common_dir.clone(), packs: self.packs, opened_again: false },
            buffer: Vec::new(),
            second: Vec::new(),
            read: 0,
            steps: self.steps.clone(),
        }
    }
}

fn open_objects(common_dir: &Path) -> io::Result<(Arc<gix::odb::Store>, Option<FileMark>)> {
    let folder = common_dir.join("objects");
    // Looked at first: what changes while it is being opened is taken for a change later.
    let packs = file_mark(&folder.join("pack"));
    let options = gix::odb::store::init::Options { alloc_limit_bytes: Some(MAX_OBJECT_BYTES), ..Default::default() };
    let store = gix::odb::Store::at_opts(folder, gix::hash::Kind::Sha1, &mut std::iter::empty(), options)?;
    Ok((store.into(), packs))
}

fn handle(objects: &Arc<gix::odb::Store>) -> gix::odb::HandleArc {
    let mut handle = objects.to_cache_arc();
    handle.set_pack_cache(|| Box::new(gix::odb::pack::cache::lru::MemoryCappedHashmap::new(DELTA_CACHE_BYTES)));
    handle
}

/// Reads objects, one at a time, and counts them.
pub(super) struct ObjectReader {
    objects: gix::odb::HandleArc,
    place: Place,
    buffer: Vec<u8>,
    /// For a second try: the first buffer is still lent out as far as the compiler can see.
    second: Vec<u8>,
    read: u64,
    steps: Arc<Steps>,
}

/// Where objects come from, to open them again: the owner of a repository that is read in place may repack it meanwhile.
struct Place {
    common_dir: PathBuf,
    packs: Option<FileMark>,
    opened_again: bool,
}

impl Place {
    /// The objects opened anew, when that may find more: once in any case, then whenever packs came or went.
    fn open_again(&mut self) -> Option<gix::odb::HandleArc> {
        if self.opened_again && self.packs == file_mark(&self.common_dir.join("objects/pack")) {
            return None;
        }
        self.opened_again = true;
        // What is wrong with them now is less than what was wrong before: that is said.
        let (objects, packs) = open_objects(&self.common_dir).ok()?;
        self.packs = packs;
        Some(handle(&objects))
    }
}

impl ObjectReader {
    /// The object's kind and its bytes; `None` when it is not there.
    pub(super) fn read(&mut self, sha: CommitSha) -> Result<Option<(Kind, &[u8])>, GitError> {
        self.read += 1;
        // Several threads read at once, and the counter is one for all of them.
        if self.read.is_multiple_of(OBJECTS_A_STEP) {
            self.steps.step();
        }
        // One huge message must not be paid for until the end.
        const KEPT: usize = 1024 * 1024;
        if self.buffer.capacity() > KEPT {
            self.buffer = Vec::new();
        }
        let id = gix::ObjectId::from(sha.0);
        let first = match self.objects.try_find(&id, &mut self.buffer) {
            Ok(Some(object)) => return Ok(Some((object.kind, object.data))),
            Ok(None) => Ok(None),
            Err(error) => Err(unreadable(sha, error)),
        };
        let Some(again) = self.place.open_again() else { return first };
        self.objects = again;
        self.second = Vec::new();
        match self.objects.try_find(&id, &mut self.second) {
            Ok(found) => Ok(found.map(|object| (object.kind, object.data))),
            Err(error) => Err(unreadable(sha, error)),
        }
    }

    /// Tells that it got on, beside what it tells by itself: for who waits for each object.
    pub(super) fn step(&self) {
        self.steps.step();
    }

    /// Whether the object is there, without reading it.
    pub(super) fn exists(&mut self, sha: CommitSha) -> bool {
        self.steps.step();
        let id = gix::ObjectId::from(sha.0);
        if self.objects.exists(&id) {
            return true;
        }
        let Some(again) = self.place.open_again() else { return false };
        self.objects = again;
        self.objects.exists(&id)
    }

    /// Whether the object is there, and a commit; without reading all of it.
    pub(super) fn is_commit(&mut self, sha: CommitSha) -> bool {
        self.steps.step();
        let id = gix::ObjectId::from(sha.0);
        if let Ok(Some(found)) = self.objects.try_header(&id) {
            return found.kind == Kind::Commit;
        }
        if let Some(again) = self.place.open_again() {
            self.objects = again;
        }
        match self.objects.try_header(&id) {
            Ok(found) => found.is_some_and(|found| found.kind == Kind::Commit),
            Err(_) => true,
        }
    }

    /// The object's size in bytes, without reading it; `None` when it is not there.
    pub(super) fn size(&mut self, sha: CommitSha) -> Result<Option<u64>, GitError> {
        let id = gix::ObjectId::from(sha.0);
        if let Ok(Some(found)) = self.objects.try_header(&id) {
            return Ok(Some(found.size));
        }
        if let Some(again) = self.place.open_again() {
            self.objects = again;
        }
        let found = self.objects.try_header(&id).map_err(|error| unreadable(sha, error))?;
        Ok(found.map(|found| found.size))
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
