//! Folders and files of commits that somebody looked at, beside a mirror that has none. One for each repository, in a
//! folder of its own below the one folder of all; filled by single fetches, read together with the mirror. It is a cache
//! of a cache: it may be deleted at any time.
//!
//! All of them together are kept below a bound: the one that was used longest ago goes as a whole.

#[cfg(test)]
mod tests;

use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt as _,
    path::Path,
};

use super::{GitError, Mirror, OpenedRepository};

/// Written at each use: its time says when that was.
const USED: &str = "keytrail.used";

/// The cache of one repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectCache {
    repository: Mirror,
}

impl ObjectCache {
    /// The cache in this folder, which is made when it is absent, as its parent is. One caller at a time for one folder.
    pub fn open_or_make(folder: &Path) -> Result<Self, GitError> {
        if let Some(parent) = folder.parent() {
            fs::create_dir_all(parent)
                .map_err(|error| GitError::of_path(parent, "making a folder for caches", error))?;
        }
        let cache = Self { repository: Mirror::open_or_make(folder)? };
        // Only the order of uses is lost when it cannot be written.
        if let Err(error) = File::create(folder.join(USED)).and_then(|mut file| io::Write::write_all(&mut file, b"1")) {
            tracing::warn!(%error, "the use of a cache could not be noted");
        }
        Ok(cache)
    }

    /// The repository to fetch into, by [`fetch_objects`](super::transport::fetch_objects).
    pub const fn repository(&self) -> &Mirror {
        &self.repository
    }

    /// Opens it for reading. What a fetch brings later may not be seen.
    pub fn open(&self) -> Result<OpenedRepository, GitError> {
        self.repository.open()
    }
}

/// Deletes caches below `folder`, the one that was used longest ago first, until they have at most `most` bytes together.
/// How many bytes went. `alone` gives what is held while one is deleted, or nothing when somebody uses it: then it stays.
pub fn keep_room<G>(folder: &Path, most: u64, mut alone: impl FnMut(&Path) -> Option<G>) -> Result<u64, GitError> {
    let (mut sum, caches) = measured(folder)?;
    let mut gone = 0;
    for (_, bytes, cache) in caches {
        if sum <= most {
            break;
        }
        let Some(_alone) = alone(cache.path()) else { continue };
        cache.delete()?;
        sum -= bytes;
        gone += bytes;
    }
    Ok(gone)
}

/// How many bytes all caches below `folder` have.
pub fn bytes(folder: &Path) -> Result<u64, GitError> {
    Ok(measured(folder)?.0)
}

/// When it was used (seconds and nanoseconds, by the file system), its bytes, and the cache.
type Measured = ((i64, i64), u64, Mirror);

/// Their sum, and each with its last use and bytes; the oldest use first.
fn measured(folder: &Path) -> Result<(u64, Vec<Measured>), GitError> {
    let failed = |error| GitError::of_path(folder, "measuring the caches of files", error);
    let mut caches = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        // What an interrupted making or deletion left goes when the same cache is made or deleted again.
        if path.extension().is_some_and(|extension| extension == "making") || !path.is_dir() {
            continue;
        }
        let used = fs::metadata(path.join(USED)).map(|found| (found.mtime(), found.mtime_nsec())).unwrap_or_default();
        let cache = Mirror::open_or_make(&path)?;
        caches.push((used, cache.bytes()?, cache));
    }
    caches.sort_by_key(|(used, ..)| *used);
    Ok((caches.iter().map(|(_, bytes, _)| bytes).sum(), caches))
}
