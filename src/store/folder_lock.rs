//! The lock of a data folder: one server at a time uses it, whichever engine it has. Taken by the embedded store, and at
//! the start by a node over PostgreSQL. It goes with the process, however that ends.

use std::{
    fs::{File, TryLockError},
    path::Path,
};

use super::StoreError;

/// A data folder that is this process's.
#[derive(Debug)]
pub struct FolderLock(File);

impl FolderLock {
    /// Takes a folder, which exists.
    pub fn take(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join("lock");
        let unavailable = |error: std::io::Error| StoreError::Unavailable(format!("{}: {error}", path.display()));
        let lock = File::options().create(true).truncate(false).write(true).open(&path).map_err(unavailable)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self(lock)),
            Err(TryLockError::WouldBlock) => Err(StoreError::Unavailable(format!(
                "another process uses {}; stop it first, or talk to it",
                folder.display()
            ))),
            Err(TryLockError::Error(error)) => Err(unavailable(error)),
        }
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // Closing would not do: a program that is being started at this moment has the file open, too.
        let _ = self.0.unlock();
    }
}
