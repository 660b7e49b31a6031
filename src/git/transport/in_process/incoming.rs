//! Where a pack lies until it is known to be complete: beside the mirror's own, as objects that nobody else opens. Made by
//! the sink of packs; what does not become the mirror's is removed with it.
//!
//! Complete means that each commit and tag leads to others that are here or were in the mirror before. Folders and files
//! are taken as they come, as from the git program: of what is lacking there, who looks is told.

use std::{
    collections::HashSet,
    fs,
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
};

use gix::objs::Kind;
use keytrail_domain::index_run::batch::CommitSha;

use super::pack_sink::Shared;
use crate::git::{GitError, Mirror, OpenedRepository, commit_object, refs::tagged, transport::FetchError};

pub(super) struct Incoming {
    mirror: Mirror,
    folder: PathBuf,
}

impl Incoming {
    /// An empty one. Only under the mirror's lock.
    pub(super) fn make(mirror: &Mirror) -> Result<Self, GitError> {
        // The thread of a fetch that was dropped may still be about to remove its own.
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let folder = mirror.incoming().join(NEXT.fetch_add(1, Ordering::Relaxed).to_string());
        let made = Self { mirror: mirror.clone(), folder };
        fs::create_dir_all(made.packs())
            .map_err(|error| GitError::of_path(&made.folder, "making a folder for what comes", error))?;
        Ok(made)
    }

    /// Where packs are written.
    pub(super) fn packs(&self) -> PathBuf {
        self.folder.join("objects/pack")
    }

    /// Makes the packs the mirror's, when all is there that these tips lead to.
    pub(super) fn accept(self, tips: &[CommitSha], shared: &Shared) -> Result<(), GitError> {
        self.check(tips, shared)?;
        let moving = |error| GitError::of_path(self.mirror.path(), "taking in what was fetched", error);
        let mut files = Vec::new();
        for entry in fs::read_dir(self.packs()).map_err(moving)? {
            files.push(entry.map_err(moving)?.file_name());
        }
        // The index last: without it nobody sees the pack.
        files.sort_by_key(|name| name.as_encoded_bytes().ends_with(b".idx"));
        let _wanted = shared.still_wanted()?;
        for name in files {
            fs::rename(self.packs().join(&name), self.mirror.packs().join(&name)).map_err(moving)?;
        }
        Ok(())
    }

    fn check(&self, tips: &[CommitSha], shared: &Shared) -> Result<(), GitError> {
        let new = OpenedRepository::at(self.mirror.path(), self.folder.clone(), None)?;
        let old = self.mirror.open()?;
        let (mut new, mut old) = (new.reader(), old.reader());
        let (mut open, mut parents, mut seen) = (tips.to_vec(), Vec::new(), HashSet::new());
        let asked_for: HashSet<CommitSha> = tips.iter().copied().collect();
        while let Some(sha) = open.pop() {
            if !seen.insert(sha) {
                continue;
            }
            shared.check_stop()?;
            shared.steps().step();
            let read = new.read(sha).map_err(|error| match error {
                GitError::CorruptObject { .. } => FetchError::CorruptPack.into(),
                other => other,
            });
            match read? {
                // One that is malformed is told of by the walk.
                Some((Kind::Commit, bytes)) if commit_object::parse(bytes, &mut parents).is_ok() => {
                    open.append(&mut parents);
                }
                Some((Kind::Tag, bytes)) => open.extend(tagged(bytes)),
                Some(_) => {}
                None if old.exists(sha) => {}
                None if asked_for.contains(&sha) => return Err(FetchError::Incomplete.into()),
                // A server that hides a part of its history sends what it shows, and says nothing of the rest.
                None => return Err(FetchError::LacksHistory { sha }.into()),
            }
        }
        Ok(())
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // What stays is removed by the next fetch; the folder around it stays while another is in it.
        let _ = fs::remove_dir_all(&self.folder);
        let _ = fs::remove_dir(self.mirror.incoming());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_becomes_the_mirrors_once_nobody_wants_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let mirror = Mirror::open_or_make(&folder.path().join("mirror.git")).expect("a mirror");
        let shared = Shared::alone(&mirror);
        let brought = || {
            let incoming = Incoming::make(&mirror).expect("a place");
            for name in ["pack-1.pack", "pack-1.idx"] {
                fs::write(incoming.packs().join(name), b"x").expect("a file");
            }
            incoming
        };
        let taken = || fs::read_dir(mirror.packs()).expect("a folder").count();
        let late = brought();
        brought().accept(&[], &shared).expect("it is wanted");
        assert_eq!(taken(), 2);
        for name in ["pack-1.pack", "pack-1.idx"] {
            fs::remove_file(mirror.packs().join(name)).expect("it is there");
        }
        shared.stop();
        assert!(matches!(late.accept(&[], &shared), Err(GitError::Cancelled)));
        assert_eq!((taken(), mirror.incoming().exists()), (0, false), "and nothing is left of it");
    }
}
