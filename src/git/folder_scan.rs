//! Finds the repositories below a folder that is tracked. Called by the job that discovers repositories, when a folder
//! is added and whenever it is looked at again; writes nothing, follows no link out of the folder, opens no object.
//!
//! What it cannot see it does not call absent: [`Scanned::shows_absent`].

mod candidate;
mod scanned;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    fs, io,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use keytrail_domain::{display_text::DisplayText, service::Connection};

use self::candidate::{Kind, kind, name, state};
pub use self::scanned::{Cut, FoundRepository, FoundState, Refusal, Refused, Scanned};
use super::{GitError, transport::look};

/// How many folders deep repositories may lie: 1 is right below the tracked folder.
///
/// GitLab's hashed storage needs 3 from its `@hashed`, and 4 from the folder above, below which the pools lie that forks
/// borrow from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ScanDepth(u8);

impl ScanDepth {
    /// 1 to [`Connection::MOST_DEPTH`]; nothing else is a depth.
    pub fn new(depth: u8) -> Option<Self> {
        (1..=Connection::MOST_DEPTH).contains(&depth).then_some(Self(depth))
    }

    /// As a number.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl Default for ScanDepth {
    fn default() -> Self {
        Self(1)
    }
}

/// How much is looked at before a scan is cut.
#[derive(Clone, Copy, Debug)]
pub struct ScanBounds {
    /// Entries of folders, of whatever kind.
    pub max_entries: usize,
    /// Repositories that are found, and also those and other places that are refused.
    pub max_repositories: usize,
}

impl Default for ScanBounds {
    fn default() -> Self {
        Self { max_entries: 500_000, max_repositories: 20_000 }
    }
}

/// What a scan and whoever waits for it tell each other.
#[derive(Debug, Default)]
pub struct ScanWatch {
    /// Becomes true when nobody waits for it any more.
    pub cancel: AtomicBool,
    /// How often it got on; while it hangs, this stays.
    pub steps: AtomicU64,
}

impl ScanWatch {
    /// It got on.
    pub fn step(&self) {
        self.steps.fetch_add(1, Ordering::Relaxed);
    }
}

/// Looks for repositories below `root`, which is itself none of them. `now` is nanoseconds since 1970, by the server's
/// clock.
///
/// A repository is not looked into. A hidden folder may be one, and is not looked into either: it may hold copies of all
/// of them. Linked working trees and submodules (`.git` is a file) are left out. Of a repository only its top is looked
/// at; all of it when it is opened. A folder that is not there is an error ([`GitError::FolderAbsent`]); one that may not
/// be entered is among the refused, but for the root.
pub fn scan(
    root: &Path,
    depth: ScanDepth,
    bounds: ScanBounds,
    now: i128,
    watch: &ScanWatch,
) -> Result<Scanned, GitError> {
    let absent = || GitError::FolderAbsent { path: root.to_owned() };
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => absent(),
        _ => GitError::of_path(root, "looking for repositories", error),
    };
    let real = fs::canonicalize(root).map_err(unreadable)?;
    let identity = |file: fs::Metadata| (file.dev(), file.ino());
    let before = identity(fs::metadata(&real).map_err(unreadable)?);
    // Whether it may be read is told before anything else.
    fs::read_dir(&real).map_err(unreadable)?;

    let scanned = Scanned { root: real.clone(), depth, ..Scanned::default() };
    let mut scan = Scan { root: &real, bounds, now, watch, entries: 0, links: BTreeSet::new(), scanned };
    if !matches!(kind(&real), Ok(Kind::Plain) | Err(_)) {
        let sentence =
            format!("{} is a repository itself; add it by its path, or track the folder above it", real.display());
        scan.refuse(&real, Refusal::RootIsRepository, sentence);
    }
    scan.folder(&real, depth.0)?;
    scan.follow_links()?;

    let after = identity(fs::metadata(&real).map_err(unreadable)?);
    if before != after {
        // Mounted or unmounted meanwhile: some of what was seen is of one folder, and some of the other.
        return Err(GitError::transient(
            "looking for repositories",
            "another folder took the place of the tracked one",
        ));
    }
    let mut scanned = scan.scanned;
    scanned.found.sort_unstable_by(|a, b| bytewise(&a.path, &b.path));
    scanned.refused.sort_by(|a, b| bytewise(&a.path, &b.path));
    Ok(scanned)
}

fn bytewise(one: &Path, other: &Path) -> std::cmp::Ordering {
    one.as_os_str().as_bytes().cmp(other.as_os_str().as_bytes())
}

struct Scan<'a> {
    root: &'a Path,
    bounds: ScanBounds,
    now: i128,
    watch: &'a ScanWatch,
    entries: usize,
    /// Where links lead that stay below the root.
    links: BTreeSet<PathBuf>,
    scanned: Scanned,
}

impl Scan<'_> {
    /// Looks at what lies in a folder that is no repository, and `levels - 1` below that.
    fn folder(&mut self, folder: &Path, levels: u8) -> Result<(), GitError> {
        let entries = match self.entries_of(folder)? {
            Ok(entries) => entries,
            Err(error) => {
                self.unreadable(folder, error);
                return Ok(());
            }
        };
        for (path, kind_of_file) in entries {
            if self.scanned.cut.is_some() {
                break;
            }
            if path.file_name().is_some_and(|name| name == ".git") {
                continue;
            }
            if kind_of_file.is_symlink() {
                self.link(&path);
            } else if kind_of_file.is_dir() {
                self.below(&path, levels)?;
            }
        }
        Ok(())
    }

    fn below(&mut self, path: &Path, levels: u8) -> Result<(), GitError> {
        self.watch.step();
        let hidden = path.file_name().is_some_and(|name| name.as_bytes().starts_with(b"."));
        match kind(path) {
            Ok(Kind::Repository) => self.repository(path),
            Ok(Kind::Linked) => {}
            Ok(Kind::Plain) if levels > 1 && !hidden => self.folder(path, levels - 1)?,
            // It may be the place of a repository that is a share of its own, or is locked at the moment.
            Ok(Kind::Plain) => match fs::read_dir(path).map(|mut entries| entries.next().is_none()) {
                Ok(true) => self.scanned.empty.push(path.to_owned()),
                Ok(false) => {}
                Err(error) => self.unreadable(path, error),
            },
            Err(error) => self.unreadable(path, error),
        }
        Ok(())
    }

    fn unreadable(&mut self, path: &Path, error: io::Error) {
        // Taken away meanwhile; who unmounts the root meanwhile is found out at the end.
        if error.kind() != io::ErrorKind::NotFound {
            self.refuse_error(path, &GitError::of_path(path, "looking into it", error));
        }
    }

    /// What is in a folder, in bytewise order.
    fn entries_of(&mut self, folder: &Path) -> Result<io::Result<Vec<(PathBuf, fs::FileType)>>, GitError> {
        let mut entries = Vec::new();
        let read = match fs::read_dir(folder) {
            Ok(read) => read,
            Err(error) => return Ok(Err(error)),
        };
        for entry in read {
            if self.watch.cancel.load(Ordering::Relaxed) {
                return Err(GitError::Cancelled);
            }
            if self.entries == self.bounds.max_entries {
                self.scanned.cut = self.scanned.cut.or(Some(Cut::Entries));
                break;
            }
            self.entries += 1;
            self.watch.step();
            match entry.and_then(|entry| Ok((entry.path(), entry.file_type()?))) {
                Ok(entry) => entries.push(entry),
                Err(error) => return Ok(Err(error)),
            }
        }
        if entries.is_empty() && self.scanned.cut.is_none() {
            self.scanned.empty.push(folder.to_owned());
        }
        entries.sort_unstable_by(|(a, _), (b, _)| bytewise(a, b));
        Ok(Ok(entries))
    }

    /// A link is followed at the end, and only to a repository that was not found without it.
    fn link(&mut self, path: &Path) {
        match fs::canonicalize(path) {
            Ok(real) if real.starts_with(self.root) => {
                self.links.insert(real);
            }
            Ok(real) if real.is_dir() => {
                let error = GitError::OutsideRoots { path: path.to_owned(), part: "the link".to_owned() };
                self.refuse_error(path, &error);
            }
            // A file elsewhere, or nothing at all: no repository.
            Ok(_) | Err(_) => {}
        }
    }

    fn follow_links(&mut self) -> Result<(), GitError> {
        for real in std::mem::take(&mut self.links) {
            if self.watch.cancel.load(Ordering::Relaxed) {
                return Err(GitError::Cancelled);
            }
            let inside = |path: &Path| real.starts_with(path);
            let found = self.scanned.found.iter().any(|found| inside(&found.path));
            let refused = self.scanned.refused.iter().any(|refused| refused.hides(&real));
            if real != self.root && !found && !refused && self.scanned.cut.is_none() && real.is_dir() {
                self.below(&real, 0)?;
            }
        }
        Ok(())
    }

    fn repository(&mut self, path: &Path) {
        if path.to_str().is_none_or(|text| text.chars().any(char::is_control)) {
            let sentence = format!(
                "{} has a path that is not UTF-8 or has control characters; rename its folders",
                DisplayText::clean_bytes(path.as_os_str().as_bytes())
            );
            return self.refuse(path, Refusal::PathInvalid, sentence);
        }
        let parts = match look(path, self.root) {
            Ok(parts) => parts,
            Err(error) => return self.refuse_error(path, &error),
        };
        if self.scanned.found.len() == self.bounds.max_repositories {
            self.scanned.cut = self.scanned.cut.or(Some(Cut::Repositories));
            return;
        }
        let found = FoundRepository {
            path: path.to_owned(),
            name: name(path, self.root, &parts),
            state: state(&parts, self.now),
        };
        self.scanned.found.push(found);
    }

    fn refuse_error(&mut self, path: &Path, error: &GitError) {
        self.refuse(path, Refusal::of(error), error.to_string());
    }

    fn refuse(&mut self, path: &Path, reason: Refusal, sentence: String) {
        if self.scanned.refused.len() == self.bounds.max_repositories {
            self.scanned.cut = self.scanned.cut.or(Some(Cut::Refusals));
            return;
        }
        self.scanned.refused.push(Refused { path: path.to_owned(), reason, sentence });
    }
}
