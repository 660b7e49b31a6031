//! What one folder is: a repository or not, what it is called, and whether it is being made at the moment. Called by the
//! scan for every folder it comes to; reads no more than the beginnings of a few small files.

use std::{
    fs,
    io::{self, Read as _},
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::Path,
};

use keytrail_domain::display_text::DisplayText;

use super::FoundState;
use crate::git::transport::{Parts, gitlab_name};

/// What git left behind when it was killed looks like its work; after this time it is taken for that.
const WORK_NANOSECONDS: i128 = 3_600 * 1_000_000_000;
/// Enough of `packed-refs` to hold a ref after its header.
const HEADER_BYTES: u64 = 4_096;

/// What a folder is, by the names in it.
pub(super) enum Kind {
    /// A working tree or a bare repository; whether it can be read is another question.
    Repository,
    /// A linked working tree or a submodule: its commits are another repository's, or lie below one.
    Linked,
    /// Neither.
    Plain,
}

/// What a folder is; an error when it may not be looked into, which is not the same as nothing.
pub(super) fn kind(folder: &Path) -> io::Result<Kind> {
    match fs::metadata(folder.join(".git")) {
        Ok(found) if found.is_dir() => return Ok(Kind::Repository),
        Ok(_) => return Ok(Kind::Linked),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let there = |name: &str| fs::symlink_metadata(folder.join(name)).is_ok();
    let folder_there = |name: &str| folder.join(name).is_dir();
    let files = folder_there("objects") && folder_there("refs");
    let reftable = there("config") && folder_there("reftable");
    Ok(if there("HEAD") && (files || reftable) { Kind::Repository } else { Kind::Plain })
}

/// What a person calls the repository.
pub(super) fn name(path: &Path, root: &Path, parts: &Parts) -> DisplayText {
    let below = path.strip_prefix(root).unwrap_or(path).as_os_str().as_bytes();
    let below = below.strip_suffix(b".git").unwrap_or(below);
    let Some(mut given) = gitlab_name(&parts.config).filter(|name| !name.trim_ascii().is_empty()) else {
        return DisplayText::clean_bytes(below);
    };
    if below.ends_with(b".wiki") && !given.ends_with(b".wiki") {
        given.extend(b".wiki");
    }
    DisplayText::clean_bytes(given.strip_suffix(b".git").unwrap_or(&given))
}

/// Whether the repository is being made.
pub(super) fn state(parts: &Parts, now: i128) -> FoundState {
    if !has_refs(parts) {
        let reason = "it has no branch and no tag yet; it is empty, or being cloned".to_owned();
        return FoundState::BeingCloned { reason };
    }
    let written = [(parts.common_dir.join("objects/pack"), "tmp_", ""), (parts.git_dir.clone(), "", ".lock")]
        .into_iter()
        .find_map(|(folder, start, end)| fresh(&folder, start, end, now));
    match written {
        Some(file) => FoundState::BeingCloned { reason: format!("git is writing into it ({file} is there)") },
        None => FoundState::Ready,
    }
}

/// The name of a file that git removes when its work is done, if it may be at work.
fn fresh(folder: &Path, start: &str, end: &str, now: i128) -> Option<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .ok()?
        .flatten()
        .filter(|entry| {
            let name = entry.file_name();
            let named = name.as_bytes().starts_with(start.as_bytes()) && name.as_bytes().ends_with(end.as_bytes());
            named
                && entry.metadata().is_ok_and(|file| i128::from(file.mtime()) * 1_000_000_000 > now - WORK_NANOSECONDS)
        })
        .map(|entry| DisplayText::clean_bytes(entry.file_name().as_bytes()).to_string())
        .collect();
    names.sort_unstable();
    names.into_iter().next()
}

/// Whether a branch or a tag is there, or HEAD names a commit itself.
fn has_refs(parts: &Parts) -> bool {
    let beginning = |path: &Path| {
        let mut bytes = Vec::new();
        // That it is a plain file was looked at before.
        let read = fs::File::open(path).and_then(|file| file.take(HEADER_BYTES).read_to_end(&mut bytes));
        read.map(|_| bytes).unwrap_or_default()
    };
    let head = beginning(&parts.git_dir.join("HEAD"));
    let detached = head.len() >= 40 && head[..40].iter().all(u8::is_ascii_hexdigit);
    let packed = beginning(&parts.common_dir.join("packed-refs"));
    let packed = packed.split(|byte| *byte == b'\n').any(|line| line.first().is_some_and(u8::is_ascii_hexdigit));
    detached || packed || has_file(&parts.common_dir.join("refs"))
}

/// Whether there is a file below the folder; git leaves empty folders behind.
fn has_file(folder: &Path) -> bool {
    let mut all = vec![folder.to_owned()];
    while let Some(folder) = all.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => all.push(entry.path()),
                Ok(_) if !entry.file_name().as_bytes().ends_with(b".lock") => return true,
                Ok(_) | Err(_) => {}
            }
        }
    }
    false
}
