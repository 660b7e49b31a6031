//! Reads the objects of a folder that is copied, one at a time and within a bound of memory. Called by the fetch from a
//! folder; what it gives is what the name stands for, however odd, and it takes nothing apart.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use gix::{
    objs::{Find as _, Kind, encode::loose_header},
    odb::{HandleArc, Header as _, find::Header},
};
use keytrail_domain::index_run::batch::CommitSha;

use super::pack_sink::Shared;
use crate::git::{
    GitError,
    refs::{FileMark, file_mark},
    transport::{FetchError, room},
};

/// What is kept of objects that others are stored as differences to, where that is a quarter of the memory at most.
const DELTA_CACHE_BYTES: u64 = 16 * 1024 * 1024;
/// The memory that is left for one object shrinks by portions of this part of all: with each the objects are opened again.
const PORTIONS: u64 = 64;
/// More than this is not kept for the next object.
const KEPT: usize = 1024 * 1024;
/// Bytes whose name is computed between two looks at whether anybody wants them still.
const PORTION: usize = 1024 * 1024;

pub(super) struct SourceObjects<'a> {
    folder: PathBuf,
    objects: HandleArc,
    /// What the folder of packs was like before the objects were opened.
    packs: Option<FileMark>,
    opened_again: bool,
    buffer: Vec<u8>,
    bounds: Bounds,
    shared: &'a Shared,
}

/// Bytes of memory.
#[derive(Clone, Copy)]
struct Bounds {
    /// What is kept of objects that others are stored as differences to.
    cache: u64,
    /// An object that is held whole.
    whole: u64,
    /// One with what it is put together from: twice the largest of these and all differences. The buffer grows by what
    /// is lacking, and no more.
    together: u64,
}

impl Bounds {
    /// Of so much, so much is held by others.
    fn of(memory: u64, held: u64) -> Self {
        let cache = DELTA_CACHE_BYTES.min(memory / 4);
        let left = memory.saturating_sub(held).saturating_sub(cache);
        Self { cache, whole: left.min(memory / 2), together: left.min(memory / 4 * 3) }
    }
}

impl<'a> SourceObjects<'a> {
    /// Those in a folder of objects, and in the ones that it names as alternates.
    pub(super) fn open(folder: PathBuf, shared: &'a Shared) -> Result<Self, GitError> {
        let bounds = Bounds::of(shared.limits.memory_bytes, 0);
        let (objects, packs) = opened(&folder, bounds)?;
        Ok(Self { folder, objects, packs, opened_again: false, buffer: Vec::new(), bounds, shared })
    }

    /// Leaves so many bytes of the memory to others from here on. What was left to them before is not taken back.
    pub(super) fn leave(&mut self, held: u64) -> Result<(), GitError> {
        let memory = self.shared.limits.memory_bytes;
        let portion = (memory / PORTIONS).max(1);
        // Rounded up: it shrinks too early, and never too late.
        let bounds = Bounds::of(memory, held.div_ceil(portion).saturating_mul(portion));
        if bounds.together < self.bounds.together {
            (self.objects, self.packs) = opened(&self.folder, bounds)?;
            self.bounds = bounds;
        }
        Ok(())
    }

    /// The object's kind and its bytes.
    pub(super) fn read(&mut self, sha: CommitSha) -> Result<(Kind, &[u8]), GitError> {
        if self.buffer.capacity() > KEPT {
            self.buffer = Vec::new();
        }
        let id = gix::ObjectId::from(sha.0);
        let found = self.ask(|objects, buffer| {
            let object = objects.try_find(&id, buffer)?;
            Ok(object.map(|object| (object.kind, object.data.len())))
        })?;
        let Some((kind, bytes)) = found else {
            // Git knows this one without having it.
            let is_known = id == gix::ObjectId::empty_tree(gix::hash::Kind::Sha1);
            return if is_known { Ok((Kind::Tree, &[])) } else { Err(FetchError::RefsMoved.into()) };
        };
        // What names others is held with these names; such a pack would be refused, too.
        let most = if kind == Kind::Blob { self.bounds.whole } else { self.bounds.whole / 2 };
        if bytes as u64 > most {
            return Err(too_much(self.shared));
        }
        if self.name_of(kind, bytes)? != id {
            return Err(FetchError::Incomplete.into());
        }
        Ok((kind, &self.buffer[..bytes]))
    }

    /// That the object is there, is a file and may be read, as far as that can be told without reading it.
    pub(super) fn check_file(&mut self, sha: CommitSha) -> Result<(), GitError> {
        let id = gix::ObjectId::from(sha.0);
        let found: Option<Header> = self.ask(|objects, _| objects.try_header(&id))?;
        // A folder that is named as a file would be left with nothing of what is in it.
        let found = found.filter(|found| found.kind() == Kind::Blob).ok_or(FetchError::Incomplete)?;
        let is_together = found.num_deltas().is_some_and(|deltas| deltas > 0);
        let fits = found.size() <= self.bounds.whole
            && (!is_together || found.size().saturating_mul(2) <= self.bounds.together);
        if fits { Ok(()) } else { Err(too_much(self.shared)) }
    }

    /// Asks the objects, and once more when they were opened anew: the owner of the folder may repack it meanwhile.
    fn ask<T>(
        &mut self,
        question: impl Fn(&HandleArc, &mut Vec<u8>) -> Result<Option<T>, gix::Error>,
    ) -> Result<Option<T>, GitError> {
        let first = match question(&self.objects, &mut self.buffer) {
            Ok(None) => Ok(None),
            Ok(found) => return Ok(found),
            Err(error) if error.is_resource_exhausted() => return Err(too_much(self.shared)),
            Err(error) => Err(unreadable(self.shared, error)),
        };
        // Once in any case, then whenever packs came or went.
        if self.opened_again && self.packs == packs_of(&self.folder) {
            return first;
        }
        self.opened_again = true;
        // What is wrong with them now is less than what was wrong before: that is said.
        let Ok((objects, packs)) = opened(&self.folder, self.bounds) else { return first };
        (self.objects, self.packs) = (objects, packs);
        question(&self.objects, &mut self.buffer).map_err(|error| unreadable(self.shared, error))
    }

    /// What so many bytes of the buffer are called.
    fn name_of(&self, kind: Kind, bytes: usize) -> Result<gix::ObjectId, GitError> {
        let mut hasher = gix::hash::hasher(gix::hash::Kind::Sha1);
        hasher.update(&loose_header(kind, bytes as u64));
        for (place, portion) in self.buffer[..bytes].chunks(PORTION).enumerate() {
            if place > 0 {
                self.shared.check_stop()?;
                self.shared.steps().step();
            }
            hasher.update(portion);
        }
        hasher.try_finalize().map_err(|error| unreadable(self.shared, error))
    }
}

fn opened(folder: &Path, bounds: Bounds) -> Result<(HandleArc, Option<FileMark>), GitError> {
    // Looked at first: what changes while it is being opened is taken for a change later.
    let packs = packs_of(folder);
    let options = gix::odb::store::init::Options {
        alloc_limit_bytes: Some(usize::try_from(bounds.together).unwrap_or(usize::MAX)),
        ..Default::default()
    };
    let store = gix::odb::Store::at_opts(folder.to_owned(), gix::hash::Kind::Sha1, &mut std::iter::empty(), options)
        .map_err(|error| GitError::transient("opening the objects", error))?;
    let mut objects = Arc::new(store).to_cache_arc();
    let cache = usize::try_from(bounds.cache).unwrap_or(usize::MAX);
    objects.set_pack_cache(move || Box::new(gix::odb::pack::cache::lru::MemoryCappedHashmap::new(cache)));
    Ok((objects, packs))
}

fn packs_of(folder: &Path) -> Option<FileMark> {
    file_mark(&folder.join("pack"))
}

fn unreadable(shared: &Shared, error: gix::Error) -> GitError {
    if error.is_resource_exhausted() { too_much(shared) } else { GitError::transient("reading the source", error) }
}

fn too_much(shared: &Shared) -> GitError {
    room::over_memory(shared.limits.memory_bytes).into()
}

#[cfg(test)]
mod tests {
    use keytrail_test_support::{
        pack_maker::{Delta, PackMaker, PackedKind, name_of},
        repositories::Repository,
    };

    use super::*;
    use crate::git::Mirror;

    const MEGABYTE: usize = 1024 * 1024;

    /// A file of so many times eight megabytes that is stored as a difference to one of as many and a byte; its name.
    fn difference(repository: &Repository, pieces: usize) -> CommitSha {
        let bytes = pieces * 8 * MEGABYTE;
        let base = vec![0; bytes + 1];
        let mut pack = PackMaker::default();
        let at = pack.object(PackedKind::Blob, &base);
        let delta = Delta::new(base.len() as u64, bytes as u64);
        pack.delta(at, &(0..pieces).fold(delta, |delta, _| delta.copy(8 * MEGABYTE as u32)));
        repository.git_with_input(&["index-pack", "--stdin"], &pack.finish()).expect("a pack");
        name_of("blob", &base[..bytes]).parse().expect("a name")
    }

    #[test]
    fn a_file_that_is_stored_as_a_difference_is_there_twice_while_it_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let made = Repository::init(&folder.path().join("made.git"), &["--bare"]).expect("a repository");
        let (fits, large) = (difference(&made, 3), difference(&made, 5));
        let mirror = Mirror::open_or_make(&folder.path().join("mirror")).expect("a mirror");
        let mut shared = Shared::alone(&mirror);
        shared.limits.memory_bytes = 96 * MEGABYTE as u64;
        let mut source = SourceObjects::open(made.path.join("objects"), &shared).expect("objects");
        source.check_file(fits).expect("24 MB and 24 MB are within 72");
        let (kind, bytes) = source.read(fits).expect("it can be read");
        assert_eq!((kind, bytes.len()), (Kind::Blob, 24 * MEGABYTE));
        assert!(shared.steps().count() >= 23, "each megabyte is a step");
        let refused =
            source.check_file(large).expect_err("40 MB and 40 MB are not, and nobody has to read it for that");
        assert!(matches!(refused, GitError::Fetch(FetchError::PackNeedsMemory { .. })), "{refused:?}");
        // The list of what is new takes memory, too.
        source.leave(10 * MEGABYTE as u64).expect("objects");
        source.check_file(fits).expect("24 MB and 24 MB are within 70");
        source.leave(40 * MEGABYTE as u64).expect("objects");
        let refused = [source.check_file(fits), source.read(fits).map(|_| ())];
        for refused in refused {
            let is_refused = matches!(&refused, Err(GitError::Fetch(FetchError::PackNeedsMemory { .. })));
            assert!(is_refused, "of 40 that are left: {refused:?}");
        }
    }

    #[test]
    fn a_folder_as_large_as_no_pack_may_have_one_is_refused_before_its_names_are_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let made = git2::Repository::init_bare(folder.path().join("made.git")).expect("a repository");
        let mirror = Mirror::open_or_make(&folder.path().join("mirror")).expect("a mirror");
        let mut shared = Shared::alone(&mirror);
        shared.limits.memory_bytes = 32 * MEGABYTE as u64;
        let mut source = SourceObjects::open(made.path().join("objects"), &shared).expect("objects");
        let objects = made.odb().expect("objects");
        let text = vec![b'a'; 9 * MEGABYTE];
        for (kind, fits) in [(git2::ObjectType::Blob, true), (git2::ObjectType::Tree, false)] {
            let name = objects.write(kind, &text).expect("it is written");
            let read = source.read(CommitSha(name.as_bytes().try_into().expect("twenty bytes"))).map(|_| ());
            assert_eq!(read.is_ok(), fits, "{kind}: {read:?}");
        }
    }

    #[test]
    fn what_the_owner_packs_meanwhile_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let made = Repository::init(&folder.path().join("made.git"), &["--bare"]).expect("a repository");
        let mirror = Mirror::open_or_make(&folder.path().join("mirror")).expect("a mirror");
        let shared = Shared::alone(&mirror);
        let mut source = SourceObjects::open(made.path.join("objects"), &shared).expect("objects");
        let pack = made.path.join("objects/pack/pack");
        // Far more packs than the objects had room for when they were opened.
        let mut files = Vec::new();
        for number in 0..120 {
            let text = format!("file {number}");
            let name = made.git_with_input(&["hash-object", "-w", "--stdin"], text.as_bytes()).expect("a file");
            made.git_with_input(&["pack-objects", "-q", pack.to_str().expect("UTF-8")], &name).expect("a pack");
            let name = String::from_utf8(name).expect("a name");
            files.push((name.trim().parse().expect("a name"), text));
        }
        made.git(&["prune-packed", "-q"]).expect("git works");
        for (name, text) in files {
            source.check_file(name).unwrap_or_else(|error| panic!("{text}: {error:?}"));
            let (_, bytes) = source.read(name).unwrap_or_else(|error| panic!("{text}: {error:?}"));
            assert_eq!(bytes, text.as_bytes());
        }
        assert!(matches!(source.read(CommitSha([1; 20])), Err(GitError::Fetch(FetchError::RefsMoved))));
    }
}
