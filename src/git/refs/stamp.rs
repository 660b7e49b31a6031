//! Whether the refs of a repository on this machine may have moved, told by its files' marks alone: no file is opened.
//! Called before a repository is polled; says "may have" whenever it is not sure.

#[cfg(test)]
mod tests;

use std::{
    fs::{self, Metadata},
    io,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::Path,
};

use sha2::{Digest, Sha256};

use crate::git::{GitError, transport::common_dir};

/// What was changed within so many nanoseconds before a look may change again without a new mark: the clocks of file
/// systems are coarse, and that of a share is another machine's.
const RACY_NANOSECONDS: i128 = 2_000_000_000;

/// What a file is recognised by: device, inode, size, and the times of the last change of its content and of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::git) struct FileMark {
    device: u64,
    inode: u64,
    size: u64,
    content: i128,
    itself: i128,
}

impl FileMark {
    fn of(file: &Metadata) -> Self {
        let time = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
        Self {
            device: file.dev(),
            inode: file.ino(),
            size: file.size(),
            content: time(file.mtime(), file.mtime_nsec()),
            itself: time(file.ctime(), file.ctime_nsec()),
        }
    }
}

/// The mark of what is at a path, links followed; `None` when nothing can be seen there.
pub(in crate::git) fn file_mark(path: &Path) -> Option<FileMark> {
    fs::metadata(path).ok().map(|file| FileMark::of(&file))
}

/// What the refs of a repository looked like from outside at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefsStamp {
    digest: [u8; 32],
    /// Whether an equal stamp later means that nothing moved.
    settled: bool,
}

impl RefsStamp {
    /// Looks at the repository at exactly `path`: packed refs, every loose ref and its folder, HEAD, the configuration,
    /// and what makes it shallow. `now` is nanoseconds since 1970, by the server's clock.
    ///
    /// To be taken before the refs are listed, and kept with that list. One `stat` for each loose ref and folder,
    /// however many refs are packed. Fails as opening does when there is no repository, and when a folder cannot be read.
    pub fn take(path: &Path, now: i128) -> Result<Self, GitError> {
        let common_dir = common_dir(path)?;
        let mut look = Look { digest: Sha256::new(), settled: true, now };
        for name in ["packed-refs", "HEAD", "config", "shallow"] {
            let file = common_dir.join(name);
            look.see(name.as_bytes(), optional(fs::metadata(&file)).map_err(|error| unseen(path, error))?.as_ref());
        }
        look.folder(&common_dir.join("refs")).map_err(|error| unseen(path, error))?;
        Ok(Self { digest: look.digest.finalize().into(), settled: look.settled })
    }

    /// Whether nothing moved between the moment of `earlier` and that of this one. False also means: it is not known.
    pub fn shows_nothing_moved_since(&self, earlier: &Self) -> bool {
        earlier.settled && self.digest == earlier.digest
    }
}

struct Look {
    digest: Sha256,
    settled: bool,
    now: i128,
}

impl Look {
    fn see(&mut self, name: &[u8], file: Option<&Metadata>) {
        self.digest.update((name.len() as u64).to_le_bytes());
        self.digest.update(name);
        self.digest.update([u8::from(file.is_some())]);
        let Some(file) = file else { return };
        let FileMark { device, inode, size, content, itself } = FileMark::of(file);
        for number in [device, inode, size] {
            self.digest.update(number.to_le_bytes());
        }
        for time in [content, itself] {
            self.digest.update(time.to_le_bytes());
            // Also a time to come, which says that the clocks differ.
            self.settled &= time < self.now - RACY_NANOSECONDS;
        }
    }

    /// The loose refs, in one order.
    fn folder(&mut self, refs: &Path) -> io::Result<()> {
        let mut all = vec![refs.to_owned()];
        while let Some(folder) = all.pop() {
            // Before what is in it: what comes or goes meanwhile gives it another mark than it has in this stamp.
            let Some(itself) = optional(fs::metadata(&folder))? else {
                self.see(folder.as_os_str().as_bytes(), None);
                continue;
            };
            self.see(folder.as_os_str().as_bytes(), Some(&itself));
            let mut entries = fs::read_dir(&folder)?.collect::<io::Result<Vec<_>>>()?;
            entries.sort_unstable_by_key(fs::DirEntry::file_name);
            for entry in entries {
                let kind = entry.file_type()?;
                // What a link leads to may change unseen.
                self.settled &= !kind.is_symlink();
                if kind.is_dir() {
                    all.push(entry.path());
                } else {
                    self.see(entry.file_name().as_bytes(), optional(entry.metadata())?.as_ref());
                }
            }
        }
        Ok(())
    }
}

fn optional(file: io::Result<Metadata>) -> io::Result<Option<Metadata>> {
    match file {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

fn unseen(path: &Path, error: io::Error) -> GitError {
    GitError::of_path(path, "looking whether refs moved", error)
}
