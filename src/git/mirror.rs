//! A bare repository of ours that holds what was fetched of a remote one. Made and opened by jobs, filled by the fetch,
//! kept in order by `tend`. It is a cache: it may be deleted at any time, and costs a first fetch again.
//!
//! Its only refs are `refs/keytrail/kept/<object>`, one for each tip that was ever fetched, in one file that is
//! replaced as a whole. So a fetch moves all refs or none, and what a force push left behind stays readable.

mod handed_over;
mod kept;
mod memory;
mod packs;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use keytrail_domain::index_run::batch::CommitSha;

pub use self::{
    handed_over::HandedOver,
    memory::{Filter, TransportKind},
};
pub(super) use self::{memory::Memory, packs::Pack};
use super::{GitError, OpenedRepository, transport::FetchError};

/// What a mirror's folder holds from its first moment on.
const FOLDERS: [&str; 3] = ["objects/info", "objects/pack", "refs"];
/// It names no branch of the remote: those are known from the listing.
const HEAD: &str = "ref: refs/heads/main\n";

/// A mirror in a folder. It holds no file open; whoever changes it takes its lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    path: PathBuf,
}

/// While it lives, nobody else fetches into the mirror or tends it, in this process or another.
pub(super) struct MirrorLock(File);

impl Drop for MirrorLock {
    fn drop(&mut self) {
        // Closing would not do: a program that is being started at this moment has the file open, too.
        let _ = self.0.unlock();
    }
}

impl Mirror {
    /// The mirror in this folder, which is made when it is absent; its parent must be there. What an interrupted
    /// making left is thrown away. One caller at a time for one folder.
    pub fn open_or_make(folder: &Path) -> Result<Self, GitError> {
        let making = |error| GitError::of_path(folder, "making the mirror", error);
        let mirror = Self { path: folder.to_owned() };
        if folder.join("objects").is_dir() && folder.join("HEAD").is_file() {
            return Ok(mirror);
        }
        if folder.file_name().is_none() {
            return Err(GitError::NotARepository { path: folder.to_owned() });
        }
        let half_made = beside(folder);
        remove(&half_made).map_err(making)?;
        for below in FOLDERS {
            fs::create_dir_all(half_made.join(below)).map_err(making)?;
        }
        fs::write(half_made.join("HEAD"), HEAD).map_err(making)?;
        fs::write(half_made.join("config"), memory::configuration(Filter::Everything)).map_err(making)?;
        fs::rename(&half_made, folder).map_err(making)?;
        Ok(mirror)
    }

    /// The mirror in this folder, when it is one that this program made: with our own configuration and no branch of
    /// a person. A link to one is none. Whatever else is there is left alone by who asks this first.
    pub fn recognised(folder: &Path) -> Option<Self> {
        let is = |name: &str, text: &str| fs::read_to_string(folder.join(name)).is_ok_and(|found| found == text);
        let of_ours = [Filter::Trees, Filter::Blobs, Filter::Everything].map(memory::configuration);
        let ours = fs::symlink_metadata(folder).is_ok_and(|found| found.is_dir())
            && folder.join("objects/pack").is_dir()
            && is("HEAD", HEAD)
            && of_ours.iter().any(|configuration| is("config", configuration));
        ours.then(|| Self { path: folder.to_owned() })
    }

    /// Removes what an interrupted making or deletion of the mirror in this folder left; whether anything was there.
    /// One caller at a time for one folder.
    pub fn remove_half_made(folder: &Path) -> Result<bool, GitError> {
        let half_made = beside(folder);
        let there = fs::symlink_metadata(&half_made).is_ok_and(|found| found.is_dir());
        remove(&half_made).map_err(|error| GitError::of_path(&half_made, "removing a half-made mirror", error))?;
        Ok(there)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens it for reading. What a fetch brings later may not be seen.
    pub fn open(&self) -> Result<OpenedRepository, GitError> {
        if !self.path.join("objects").is_dir() {
            return Err(GitError::NotARepository { path: self.path.clone() });
        }
        OpenedRepository::at(&self.path, self.path.clone(), None)
    }

    /// How many bytes its files have. Files that come or go meanwhile are counted or not.
    pub fn bytes(&self) -> Result<u64, GitError> {
        fn below(folder: &Path) -> io::Result<u64> {
            let mut sum = 0;
            for entry in fs::read_dir(folder)? {
                let entry = entry?;
                let found = match entry.metadata() {
                    Ok(found) if found.is_dir() => below(&entry.path()),
                    other => other.map(|found| found.len()),
                };
                sum += match found {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
                    other => other?,
                };
            }
            Ok(sum)
        }
        below(&self.path).map_err(|error| GitError::of_path(&self.path, "measuring the mirror", error))
    }

    /// Deletes it, unless somebody fetches into it or tends it. It is renamed first, so that an interrupted deletion
    /// leaves no half mirror.
    pub fn delete(self) -> Result<(), GitError> {
        let deleting = |error| GitError::of_path(&self.path, "deleting the mirror", error);
        let aside = beside(&self.path);
        remove(&aside).map_err(deleting)?;
        if !self.path.exists() {
            return Ok(());
        }
        let _lock = self.lock()?;
        match fs::rename(&self.path, &aside) {
            Ok(()) => remove(&aside).map_err(deleting),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(deleting(error)),
        }
    }

    /// What is left out of it by its filter, and who filled it; `None` while nothing was fetched.
    pub fn filled_by(&self) -> Result<Option<(Filter, TransportKind)>, GitError> {
        let empty = self.kept()?.is_empty();
        Ok(self.memory()?.filter(|_| !empty).map(|memory| (memory.filter, memory.transport)))
    }

    /// Which of these objects are not in it. In a mirror with a filter, what a ref leads to and is not there after a
    /// fetch is a folder behind an annotated tag: no commit, and nothing to walk from.
    pub fn lacking(&self, objects: impl IntoIterator<Item = CommitSha>) -> Result<BTreeSet<CommitSha>, GitError> {
        Ok(self.open()?.lacking(objects))
    }

    /// What is wrong with it, if a tip that it keeps is not there. It looks no further than at tips.
    pub fn damage(&self) -> Result<Option<GitError>, GitError> {
        let lacking = self.lacking(self.kept()?)?;
        Ok(lacking.first().map(|sha| GitError::MissingObject { sha: *sha }))
    }

    /// The tips that it keeps.
    pub(super) fn kept(&self) -> Result<BTreeSet<CommitSha>, GitError> {
        kept::read(&self.path).map_err(|error| self.failed("reading the mirror's refs", error))
    }

    /// Replaces the tips that it keeps, all at once.
    pub(super) fn keep(&self, tips: &BTreeSet<CommitSha>) -> Result<(), GitError> {
        kept::write(&self.path, tips).map_err(|error| self.failed("writing the mirror's refs", error))
    }

    pub(super) fn memory(&self) -> Result<Option<Memory>, GitError> {
        memory::read(&self.path).map_err(|error| self.failed("reading the mirror's memory", error))
    }

    /// Remembers with what it is filled, before it is.
    pub(super) fn remember(&self, memory: Memory) -> Result<(), GitError> {
        memory::write(&self.path, memory).map_err(|error| self.failed("writing the mirror's memory", error))
    }

    /// Takes it for one's own.
    pub(super) fn lock(&self) -> Result<MirrorLock, GitError> {
        let file =
            File::create(self.path.join("keytrail.lock")).map_err(|error| self.failed("locking the mirror", error))?;
        match file.try_lock() {
            Ok(()) => Ok(MirrorLock(file)),
            Err(TryLockError::WouldBlock) => Err(FetchError::MirrorBusy.into()),
            Err(TryLockError::Error(error)) => Err(self.failed("locking the mirror", error)),
        }
    }

    /// The folder of packs.
    pub(super) fn packs(&self) -> PathBuf {
        self.path.join("objects/pack")
    }

    /// Where packs lie that were not found complete yet, in a folder for each fetch.
    pub(super) fn incoming(&self) -> PathBuf {
        self.path.join("incoming")
    }

    /// Packs that are whole, each with its bytes.
    pub(super) fn whole_packs(&self) -> Result<BTreeSet<Pack>, GitError> {
        packs::whole(&self.packs()).map_err(|error| self.failed("listing the mirror's packs", error))
    }

    /// Removes every pack that is not among these. Only under the lock, before a ref leads to one of them.
    pub(super) fn remove_packs_but(&self, kept: &BTreeSet<Pack>, _lock: &MirrorLock) -> Result<(), GitError> {
        self.whole_packs()?.difference(kept).for_each(|(path, _)| packs::remove(path));
        Ok(())
    }

    /// Removes what fetches that were killed left. Only under the lock.
    pub(super) fn remove_leftovers(&self, _lock: &MirrorLock) -> Result<u64, GitError> {
        let leftovers = self.leftovers()?;
        for path in &leftovers {
            let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
            removed.map_err(|error| self.failed("removing what an interrupted fetch left", error))?;
        }
        Ok(leftovers.len() as u64)
    }

    /// What fetches that were killed left, or a fetch that goes on has made so far: torn packs, and marks that keep a
    /// pack from being repacked.
    pub(super) fn leftovers(&self) -> Result<Vec<PathBuf>, GitError> {
        let looking = |error| self.failed("looking for what an interrupted fetch left", error);
        let mut leftovers = Vec::new();
        for entry in fs::read_dir(self.packs()).map_err(looking)? {
            let entry = entry.map_err(looking)?;
            let name = entry.file_name();
            let name = name.as_encoded_bytes();
            // `tmp_pack_…` and `tmp_idx_…` are git's, `pack_git2_…` libgit2's, `.tmp-…` those of a repack.
            let torn = name.starts_with(b"tmp_") || name.starts_with(b"pack_git2_") || name.starts_with(b".tmp-");
            if torn || name.ends_with(b".keep") || name.ends_with(b".lock") {
                leftovers.push(entry.path());
            }
        }
        if self.incoming().exists() {
            leftovers.push(self.incoming());
        }
        // A server of files only gives objects one by one; nothing here relies on them.
        for entry in fs::read_dir(self.path.join("objects")).map_err(looking)? {
            let entry = entry.map_err(looking)?;
            if entry.file_name().len() == 2 {
                leftovers.push(entry.path());
            }
        }
        Ok(leftovers)
    }

    fn failed(&self, doing: &str, error: io::Error) -> GitError {
        GitError::of_path(&self.path, doing, error)
    }
}

/// Where a mirror is while it is made or deleted.
fn beside(folder: &Path) -> PathBuf {
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push(".making");
    folder.with_file_name(name)
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Writes a file so that it is there as a whole or not at all.
fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    use io::Write as _;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    let mut file = File::create(&new)?;
    file.write_all(text)?;
    file.sync_all()?;
    fs::rename(new, path)
}
