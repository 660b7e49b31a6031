//! Which objects a mirror lacks of a repository on this machine, as a list: from what is wanted down to what the mirror
//! has. Called by the fetch from a folder, on a thread that may be busy for a while.
//!
//! libgit2 would be given the tips that the mirror keeps, look at each of them before the first object, and tell nobody how
//! far it is. Here each object that is read is a step, and nothing is read for a tip that did not move.

use std::collections::HashSet;

use git2::{Odb, OdbLookupFlags, Oid};
use gix::objs::Kind;
use keytrail_domain::index_run::batch::CommitSha;
use memchr::memchr;

use super::{pack_gauge::PER_OBJECT, pack_sink::Shared, source_objects::SourceObjects};
use crate::git::{
    GitError, commit_object,
    refs::tagged,
    transport::{FetchError, room},
};

/// Bytes of a name that waits to be looked at; a list that grows is there twice.
const PER_NAME: u64 = 40;
/// Bytes of a name that was looked at and is not in the list; a table that grows is half empty, and there twice.
const PER_SEEN: u64 = 72;

/// A way down through a repository.
pub(super) struct NewObjects<'a, 'b> {
    source: &'a mut SourceObjects<'b>,
    /// What an object leads to is in it as well, as whoever fills it sees to.
    mirror: &'a Odb<'a>,
    shared: &'a Shared,
    seen: HashSet<CommitSha>,
}

impl<'a, 'b> NewObjects<'a, 'b> {
    pub(super) fn new(source: &'a mut SourceObjects<'b>, mirror: &'a Odb<'a>, shared: &'a Shared) -> Self {
        Self { source, mirror, shared, seen: HashSet::new() }
    }

    /// Puts the names of these into the list, with all that is behind them: history, folders and files, and what tags
    /// lead to. What is malformed is put there too, with what can be read of it.
    pub(super) fn put_into(
        &mut self,
        list: &mut Vec<CommitSha>,
        wanted: impl IntoIterator<Item = CommitSha>,
    ) -> Result<(), GitError> {
        let (mut open, mut parents, mut files) = (Vec::new(), Vec::new(), Vec::new());
        for tip in wanted {
            open.push(tip);
            while let Some(id) = open.pop() {
                if !self.is_new(id)? {
                    continue;
                }
                let held = self.held(list, open.len());
                self.source.leave(held)?;
                let (kind, bytes) = self.source.read(id).map_err(|error| behind(error, id == tip))?;
                match kind {
                    Kind::Commit => {
                        if commit_object::parse(bytes, &mut parents).is_ok() {
                            open.append(&mut parents);
                        }
                        open.extend(tree_of(bytes));
                    }
                    Kind::Tag => open.extend(tagged(bytes)),
                    Kind::Tree => entries(bytes, &mut open, &mut files),
                    Kind::Blob => {}
                }
                self.put(list, id)?;
                // Folders may name far more than there is.
                self.fits(self.held(list, open.len() + files.len()))?;
                for file in files.drain(..) {
                    if self.is_new(file)? {
                        self.source.check_file(file)?;
                        self.put(list, file)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn put(&self, list: &mut Vec<CommitSha>, id: CommitSha) -> Result<(), GitError> {
        list.push(id);
        self.shared.found(list.len());
        self.shared.steps().step();
        // As many are refused when they come.
        self.fits(self.held(list, 0))
    }

    /// Bytes of memory that the list takes, with so many names that wait, and those that were seen and are not in it.
    fn held(&self, list: &[CommitSha], names: usize) -> u64 {
        let known = self.seen.len().saturating_sub(list.len());
        list.len() as u64 * PER_OBJECT + known as u64 * PER_SEEN + names as u64 * PER_NAME
    }

    fn fits(&self, bytes: u64) -> Result<(), GitError> {
        let memory = self.shared.limits.memory_bytes;
        if bytes > memory { Err(room::over_memory(memory).into()) } else { Ok(()) }
    }

    /// Whether it is seen for the first time, and not in the mirror.
    fn is_new(&mut self, id: CommitSha) -> Result<bool, GitError> {
        self.shared.check_stop()?;
        // Twenty bytes are a name.
        let name = Oid::from_bytes(&id.0).unwrap_or(Oid::ZERO_SHA1);
        // Nobody else fills the mirror meanwhile: what is not found needs no second look.
        Ok(self.seen.insert(id) && !self.mirror.exists_ext(name, OdbLookupFlags::NO_REFRESH))
    }
}

/// What is not there behind a tip that is has not moved: the repository lacks it.
fn behind(error: GitError, is_tip: bool) -> GitError {
    match error {
        GitError::Fetch(FetchError::RefsMoved) if !is_tip => FetchError::Incomplete.into(),
        error => error,
    }
}

/// What a commit's first line names.
fn tree_of(commit: &[u8]) -> Option<CommitSha> {
    let hex = commit.strip_prefix(b"tree ")?.get(..40)?;
    std::str::from_utf8(hex).ok()?.parse().ok()
}

/// What a folder names, until its end or something that is no entry. A submodule's commit is in another repository.
fn entries(mut tree: &[u8], folders: &mut Vec<CommitSha>, files: &mut Vec<CommitSha>) {
    while let Some((mode, id, rest)) = first_entry(tree) {
        match mode & 0o170_000 {
            0o040_000 => folders.push(id),
            0o160_000 => {}
            _ => files.push(id),
        }
        tree = rest;
    }
}

/// Mode and name of the first object that a folder names, and what follows it.
fn first_entry(tree: &[u8]) -> Option<(u32, CommitSha, &[u8])> {
    let space = memchr(b' ', tree)?;
    let mode = tree[..space].iter().fold(0_u32, |mode, digit| mode << 3 | u32::from(digit & 7));
    let end = space + memchr(0, &tree[space..])?;
    let (id, rest) = tree[end + 1..].split_first_chunk::<20>()?;
    Some((mode, CommitSha(*id), rest))
}

#[cfg(test)]
mod tests {
    use keytrail_test_support::repositories::{Shape, generate};

    use super::*;
    use crate::git::{Mirror, transport::FetchProgress};

    #[test]
    fn whoever_stops_it_in_the_middle_waits_for_one_object_more_at_most() {
        let folder = tempfile::tempdir().expect("a folder");
        let shape = Shape { commits: 300, pull_requests: 0, ..Shape::default() };
        let made = generate(&folder.path().join("made.git"), &shape).expect("git fast-import works");
        let mirror = Mirror::open_or_make(&folder.path().join("mirror")).expect("a mirror");
        let shared = Shared::alone(&mirror);
        let here = Odb::new().expect("libgit2");
        here.add_disk_alternate(mirror.path().join("objects").to_str().expect("UTF-8")).expect("objects");
        let mut source = SourceObjects::open(made.path.join("objects"), &shared).expect("objects");
        let tip = |name: &str| {
            let sha = made.git_line(&["rev-parse", name]).expect("a commit");
            sha.parse::<CommitSha>().expect("a name")
        };
        // An old commit is walked from, and then somebody stops it.
        let tips = [tip("refs/heads/main~100"), tip("refs/heads/main")].into_iter().enumerate().map(|(number, tip)| {
            if number > 0 {
                shared.stop();
            }
            tip
        });
        let mut list = Vec::new();
        let stopped = NewObjects::new(&mut source, &here, &shared).put_into(&mut list, tips);
        assert!(matches!(stopped, Err(GitError::Cancelled)), "{stopped:?}");
        let (put, steps) = (list.len() as u64, shared.steps().count());
        assert!((1..300).contains(&put) && steps == put, "{put} objects in {steps} steps");
        let progress = FetchProgress::default();
        shared.tell(&progress);
        assert_eq!((progress.objects(), progress.total()), (put, 0), "a person sees them while they are found");
    }

    /// How many objects are new behind this tip; with so much memory.
    fn put_within(memory: u64, made: &git2::Repository, here: &Odb<'_>, tip: CommitSha) -> Result<usize, GitError> {
        let folder = tempfile::tempdir().expect("a folder");
        let mirror = Mirror::open_or_make(&folder.path().join("mirror")).expect("a mirror");
        let mut shared = Shared::alone(&mirror);
        shared.limits.memory_bytes = memory;
        let mut source = SourceObjects::open(made.path().join("objects"), &shared).expect("objects");
        let mut list = Vec::new();
        NewObjects::new(&mut source, here, &shared).put_into(&mut list, [tip]).map(|()| list.len())
    }

    #[test]
    fn folders_that_name_far_more_than_there_is_are_bounded() {
        let folder = tempfile::tempdir().expect("a folder");
        let made = git2::Repository::init_bare(folder.path().join("made.git")).expect("a repository");
        let objects = made.odb().expect("objects");
        let mut below = objects.write(git2::ObjectType::Blob, b"a file").expect("it is written");
        // Each names the one below it ten thousand times.
        for _ in 0..4 {
            let entry = [b"40000 a\0", below.as_bytes()].concat();
            below = objects.write(git2::ObjectType::Tree, &entry.repeat(10_000)).expect("it is written");
        }
        let here = Odb::new().expect("libgit2");
        let tip = CommitSha(below.as_bytes().try_into().expect("twenty bytes"));
        let put = |memory_bytes| put_within(memory_bytes, &made, &here, tip);
        let refused = put(1_000_000).expect_err("the names alone take more");
        assert!(matches!(refused, GitError::Fetch(FetchError::PackNeedsMemory { .. })), "{refused:?}");
        assert_eq!(put(10_000_000).expect("they fit"), 5);
    }

    #[test]
    fn what_the_mirror_has_and_was_looked_at_takes_memory_as_well() {
        const FOLDERS: usize = 4;
        const FILES: usize = 5_000;
        let folder = tempfile::tempdir().expect("a folder");
        let made = git2::Repository::init_bare(folder.path().join("made.git")).expect("a repository");
        let objects = made.odb().expect("objects");
        let here = Odb::new().expect("libgit2");
        let _in_memory = here.add_new_mempack_backend(1).expect("libgit2");
        let mut above = Vec::new();
        for number in 0..FOLDERS {
            let mut folder = Vec::new();
            for file in 0..FILES {
                let text = format!("{number} {file}");
                let file = here.write(git2::ObjectType::Blob, text.as_bytes()).expect("it is written");
                folder.extend_from_slice(b"100644 a\0");
                folder.extend_from_slice(file.as_bytes());
            }
            let folder = objects.write(git2::ObjectType::Tree, &folder).expect("it is written");
            above.extend_from_slice(b"40000 a\0");
            above.extend_from_slice(folder.as_bytes());
        }
        let above = objects.write(git2::ObjectType::Tree, &above).expect("it is written");
        let tip = CommitSha(above.as_bytes().try_into().expect("twenty bytes"));
        let put = |memory_bytes| put_within(memory_bytes, &made, &here, tip);
        // Each folder alone fits.
        let refused = put(1_000_000).expect_err("the names of all files take more");
        assert!(matches!(refused, GitError::Fetch(FetchError::PackNeedsMemory { .. })), "{refused:?}");
        assert_eq!(put(4_000_000).expect("they fit"), 1 + FOLDERS);
    }

    #[test]
    fn what_lacks_behind_a_tip_is_no_branch_that_moved() {
        let folder = tempfile::tempdir().expect("a folder");
        let made = git2::Repository::init_bare(folder.path().join("made.git")).expect("a repository");
        let entry = [b"40000 a\0", &[7_u8; 20][..]].concat();
        let tree = made.odb().expect("objects").write(git2::ObjectType::Tree, &entry).expect("it is written");
        let mirror = Mirror::open_or_make(&folder.path().join("mirror")).expect("a mirror");
        let (here, shared) = (Odb::new().expect("libgit2"), Shared::alone(&mirror));
        let mut source = SourceObjects::open(made.path().join("objects"), &shared).expect("objects");
        let mut put = |sha: &[u8]| {
            let tip = CommitSha(sha.try_into().expect("twenty bytes"));
            NewObjects::new(&mut source, &here, &shared).put_into(&mut Vec::new(), [tip])
        };
        let lacking = put(tree.as_bytes());
        assert!(matches!(lacking, Err(GitError::Fetch(FetchError::Incomplete))), "{lacking:?}");
        let moved = put(&[9; 20]);
        assert!(matches!(moved, Err(GitError::Fetch(FetchError::RefsMoved))), "{moved:?}");
    }

    #[test]
    fn a_folder_that_is_named_as_a_file_is_no_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let made = git2::Repository::init_bare(folder.path().join("made.git")).expect("a repository");
        let objects = made.odb().expect("objects");
        let write = |kind, bytes: &[u8]| objects.write(kind, bytes).expect("it is written");
        let file = write(git2::ObjectType::Blob, b"a file");
        let named = |mode: &[u8], what: git2::Oid| [mode, b" a\0", what.as_bytes()].concat();
        let below = write(git2::ObjectType::Tree, &named(b"100644", file));
        let mirror = Mirror::open_or_make(&folder.path().join("mirror")).expect("a mirror");
        let (here, shared) = (Odb::new().expect("libgit2"), Shared::alone(&mirror));
        for (mode, expected) in [(&b"40000"[..], Some(3)), (&b"100644"[..], None)] {
            let tip = write(git2::ObjectType::Tree, &named(mode, below));
            let mut source = SourceObjects::open(made.path().join("objects"), &shared).expect("objects");
            let (mut list, tip) = (Vec::new(), CommitSha(tip.as_bytes().try_into().expect("twenty bytes")));
            let put = NewObjects::new(&mut source, &here, &shared).put_into(&mut list, [tip]);
            match expected {
                Some(objects) => assert_eq!((put.is_ok(), list.len()), (true, objects), "{put:?}"),
                // What is in it would not come.
                None => assert!(matches!(put, Err(GitError::Fetch(FetchError::Incomplete))), "{put:?}"),
            }
        }
    }
}
