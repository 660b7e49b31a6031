//! Room on the disk, in the quota of a copy and in memory. Asked before and during a fetch; it never frees any.

use std::path::Path;

use super::FetchError;
use crate::git::GitError;

const MEGABYTE: u64 = 1_000_000;

/// How many bytes may still be written to the disk of this folder.
pub fn free_bytes(folder: &Path) -> Result<u64, GitError> {
    let found = rustix::fs::statvfs(folder)
        .map_err(|error| GitError::transient("asking for the free room of the disk", std::io::Error::from(error)))?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Whether the disk of this folder has so many bytes free.
pub(in crate::git) fn check_free(folder: &Path, floor: u64) -> Result<(), GitError> {
    let free = free_bytes(folder)?;
    if free < floor {
        let (free, floor) = (free / MEGABYTE, floor.div_ceil(MEGABYTE));
        return Err(FetchError::DiskFloor { free, floor }.into());
    }
    Ok(())
}

/// Whether there may be that many bytes.
pub(super) fn check_quota(bytes: u64, quota: u64) -> Result<(), GitError> {
    if bytes > quota { Err(over_quota(quota).into()) } else { Ok(()) }
}

/// A copy would have more than these bytes.
pub const fn over_quota(quota: u64) -> FetchError {
    FetchError::QuotaExceeded { quota: quota.div_ceil(MEGABYTE) }
}

/// More memory than this.
pub(super) const fn over_memory(memory: u64) -> FetchError {
    FetchError::PackNeedsMemory { memory: memory.div_ceil(MEGABYTE) }
}
