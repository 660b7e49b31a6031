//! Room on the disk and in the quota. Asked before and during a fetch; it never frees any.

use std::path::Path;

use super::{FetchError, FetchLimits};
use crate::git::GitError;

const MEGABYTE: u64 = 1_000_000;

/// How many bytes may still be written to the disk of this folder.
pub fn free_bytes(folder: &Path) -> Result<u64, GitError> {
    let found = rustix::fs::statvfs(folder)
        .map_err(|error| GitError::transient("asking for the free room of the disk", std::io::Error::from(error)))?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Whether the mirror's disk has the room that is to be kept free.
pub(in crate::git) fn check_free(mirror: &Path, limits: &FetchLimits) -> Result<(), GitError> {
    let free = free_bytes(mirror)?;
    if free < limits.free_bytes {
        let (free, floor) = (free / MEGABYTE, limits.free_bytes.div_ceil(MEGABYTE));
        return Err(FetchError::DiskFloor { free, floor }.into());
    }
    Ok(())
}

/// Whether that many bytes may come in one fetch.
pub(super) fn check_quota(received: u64, limits: &FetchLimits) -> Result<(), GitError> {
    if received > limits.quota_bytes {
        return Err(FetchError::QuotaExceeded { quota: limits.quota_bytes.div_ceil(MEGABYTE) }.into());
    }
    Ok(())
}
