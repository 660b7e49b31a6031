//! The packs in a folder. Asked by the mirror, for fetches and for `tend`; it never looks into one.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

/// A pack's file, and its bytes.
pub(in crate::git) type Pack = (PathBuf, u64);

/// Those that are whole.
pub(super) fn whole(folder: &Path) -> io::Result<BTreeSet<Pack>> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.path().extension().is_some_and(|extension| extension == "pack") {
            found.insert((entry.path(), entry.metadata()?.len()));
        }
    }
    Ok(found)
}

/// Removes one with what belongs to it.
pub(super) fn remove(pack: &Path) {
    // The index first: without it git does not see the pack. What stays costs room only.
    for extension in ["idx", "pack", "promisor", "rev", "keep"] {
        let _ = fs::remove_file(pack.with_extension(extension));
    }
}
