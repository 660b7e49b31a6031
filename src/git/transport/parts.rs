//! What a repository on this machine is made of, looked at before git reads any of it: that nothing is a pipe for which
//! a reader waits for ever, and that no part of a place below approved roots leads out of them. Called at every opening
//! in place.
//!
//! It does not hold against an owner who changes the parts in the moment between; nothing here is read as root for others.

use std::{
    collections::HashSet,
    ffi::OsStr,
    fs,
    io::{self, Read as _},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use super::in_place::without_includes;
use crate::git::{GitError, Steps};

/// A file of git's that names other places; more than this is none of git's.
const MOST_BYTES: u64 = 64 * 1024;
/// The same for the configuration: some hold a section for each of thousands of branches.
const MOST_CONFIG_BYTES: u64 = 4 * 1024 * 1024;
/// What the file is called in which a lender names its own lenders.
const OF_LENDER: &str = "info/alternates of what it borrows objects from";

/// Where the parts of a repository are.
#[derive(Debug)]
pub(in crate::git) struct Parts {
    /// The folder with HEAD.
    pub(in crate::git) git_dir: PathBuf,
    /// The folder with objects and refs: the same, but for a linked working tree.
    pub(in crate::git) common_dir: PathBuf,
    /// What the repository's own configuration says; empty when there is none.
    pub(in crate::git) config: Vec<u8>,
}

/// Finds the parts of the repository at exactly `path`. With roots, every part must lie below one of them, links
/// resolved; without, any place is good. What objects are borrowed from (alternates) may lie elsewhere below the roots.
///
/// It may be long, on a slow share: each entry of a folder is a step.
pub(super) fn parts(path: &Path, roots: Option<&[PathBuf]>, how: Looking, steps: &Steps) -> Result<Parts, GitError> {
    Check { path, roots, how, seen: HashSet::new(), steps }.repository()
}

/// How much is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Looking {
    /// Every file of objects and refs: before something is read.
    Everywhere,
    /// The parts themselves, and what they name: when many repositories are found, perhaps on a slow share.
    AtTheTop,
}

/// The folder with refs of the repository at exactly `path`, found without a look at what is in it.
pub(in crate::git) fn common_dir(path: &Path) -> Result<PathBuf, GitError> {
    Check { path, roots: None, how: Looking::AtTheTop, seen: HashSet::new(), steps: &Steps::default() }
        .folders()
        .map(|(_, common_dir)| common_dir)
}

struct Check<'a> {
    path: &'a Path,
    roots: Option<&'a [PathBuf]>,
    how: Looking,
    /// Folders that were looked at: links may go round.
    seen: HashSet<PathBuf>,
    /// Told at each entry that is looked at.
    steps: &'a Steps,
}

impl Check<'_> {
    fn repository(mut self) -> Result<Parts, GitError> {
        let (git_dir, common_dir) = self.folders()?;
        for name in ["HEAD", "packed-refs", "shallow"] {
            self.file(&common_dir.join(name))?;
        }
        self.file(&git_dir.join("HEAD"))?;
        let file = common_dir.join("config");
        let config = self.text(&file, MOST_CONFIG_BYTES)?.unwrap_or_default();
        self.included(&config, &file)?;
        let of_tree = git_dir.join("config.worktree");
        if let Some(config) = self.text(&of_tree, MOST_CONFIG_BYTES)? {
            self.included(&config, &of_tree)?;
        }
        self.folder(&common_dir.join("refs"))?;
        self.objects(&common_dir.join("objects"))?;
        Ok(Parts { git_dir, common_dir, config })
    }

    /// The folder with HEAD, and the one with objects and refs; both are there.
    fn folders(&self) -> Result<(PathBuf, PathBuf), GitError> {
        self.place(self.path)?;
        let git_dir = self.git_dir()?;
        let file = git_dir.join("commondir");
        let common_dir = match self.text(&file, MOST_BYTES)? {
            Some(line) => self.there(joined(&git_dir, &line), &file)?,
            None => git_dir.clone(),
        };
        match fs::symlink_metadata(git_dir.join("HEAD")) {
            Ok(_) => {}
            Err(error) if is_absent(&error) => return Err(self.nothing()),
            Err(error) => return Err(GitError::of_path(self.path, "opening the repository", error)),
        }
        for name in ["objects", "refs"] {
            let folder = common_dir.join(name);
            self.place(&folder)?;
            if !folder.is_dir() {
                return Err(self.nothing());
            }
        }
        Ok((git_dir, common_dir))
    }

    /// What a configuration includes. Nothing here reads it, but the git program that serves a copy of the repository
    /// does.
    fn included(&self, config: &[u8], file: &Path) -> Result<(), GitError> {
        let folder = file.parent().unwrap_or(self.path);
        for named in included_paths(config) {
            // `~` and `%(prefix)` are somebody's home, and where git is installed.
            let leads_home = named.starts_with(b"~") || named.starts_with(b"%(");
            if leads_home && self.roots.is_some() {
                return Err(self.outside(file));
            }
            let place = folder.join(OsStr::from_bytes(&named));
            if !leads_home && fs::metadata(&place).is_ok_and(|found| !found.is_file()) {
                return Err(self.odd(file));
            }
            self.there(place, file)?;
        }
        Ok(())
    }

    /// The folder with HEAD. It is looked for at this path only.
    fn git_dir(&self) -> Result<PathBuf, GitError> {
        // A folder that may not be entered looks empty; only reading it tells.
        fs::read_dir(self.path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => self.nothing(),
            _ => GitError::of_path(self.path, "opening the repository", error),
        })?;
        let dot_git = self.path.join(".git");
        self.place(&dot_git)?;
        if dot_git.is_dir() {
            return Ok(dot_git);
        }
        match self.text(&dot_git, MOST_BYTES)? {
            Some(text) => {
                let line = text.strip_prefix(b"gitdir:").ok_or_else(|| self.nothing())?;
                self.there(joined(self.path, line), &dot_git)
            }
            None => Ok(self.path.to_owned()),
        }
    }

    /// Objects, and those of other repositories that these borrow.
    fn objects(&mut self, first: &Path) -> Result<(), GitError> {
        let mut all = vec![first.to_owned()];
        while let Some(objects) = all.pop() {
            if fs::canonicalize(&objects).is_ok_and(|real| self.seen.contains(&real)) {
                continue;
            }
            self.folder(&objects)?;
            // Nothing here asks a web server for objects; a repository that counts on one lacks a part nevertheless.
            let of_servers = self.roots.is_some().then_some("info/http-alternates");
            for name in ["info/alternates"].into_iter().chain(of_servers) {
                let file = objects.join(name);
                let found = self.text(&file, MOST_BYTES);
                let is_of_lender = objects != first && name == "info/alternates";
                let found = if is_of_lender { found.map_err(of_lender) } else { found };
                let Some(text) = found? else { continue };
                let lines =
                    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty() && !line.starts_with(b"#"));
                for line in lines {
                    let other = joined(&objects, line);
                    let other = self.there(other, &file)?;
                    // Git reads a lender's relative line from the lender, the library that reads objects from the
                    // first borrower. Also of what git copies that library lists the refs, and looks into tags.
                    let read = joined(first, line);
                    if fs::canonicalize(&read).is_ok_and(|real| !self.allows(&real)) {
                        return Err(self.outside(&file));
                    }
                    if fs::canonicalize(&read).ok() != fs::canonicalize(&other).ok() {
                        let extension = format!("a relative path in {OF_LENDER}: write it in full there");
                        return Err(GitError::FormatUnsupported { path: self.path.to_owned(), extension });
                    }
                    all.extend([other, read]);
                }
            }
        }
        Ok(())
    }

    /// A folder and all below it, through links, too.
    fn folder(&mut self, folder: &Path) -> Result<(), GitError> {
        let mut all = vec![folder.to_owned()];
        while let Some(folder) = all.pop() {
            self.place(&folder)?;
            let Ok(real) = fs::canonicalize(&folder) else { continue };
            if !self.seen.insert(real.clone()) || self.how == Looking::AtTheTop {
                continue;
            }
            let Ok(entries) = fs::read_dir(&real) else { continue };
            for entry in entries.flatten() {
                self.steps.step();
                let Ok(kind) = entry.file_type() else { continue };
                let path = entry.path();
                if kind.is_dir() || kind.is_symlink() && path.is_dir() {
                    all.push(path);
                } else if kind.is_symlink() {
                    self.file(&path)?;
                } else if !kind.is_file() {
                    return Err(self.odd(&path));
                }
            }
        }
        Ok(())
    }

    fn file(&self, path: &Path) -> Result<(), GitError> {
        self.place(path)?;
        match fs::metadata(path) {
            Ok(found) if !found.is_file() => Err(self.odd(path)),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    fn place(&self, path: &Path) -> Result<(), GitError> {
        match fs::canonicalize(path) {
            Ok(real) if !self.allows(&real) => Err(self.outside(path)),
            // A link to what is not there yet may lead anywhere.
            Err(_) if self.roots.is_some() && fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink()) => {
                Err(self.outside(path))
            }
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// A place that a file of the repository names. One that is not there now, or is written as git quotes names, may
    /// be there when it is read; and whether there is something outside is nobody's business.
    fn there(&self, place: PathBuf, file: &Path) -> Result<PathBuf, GitError> {
        let good = self.roots.is_none() || fs::canonicalize(&place).is_ok_and(|real| self.allows(&real));
        if good { Ok(place) } else { Err(self.outside(file)) }
    }

    /// Whether a place, links resolved, is below a root. One that has the root as it is written in front of it is; the
    /// others are resolved only where none is, since a root may be on a share that does not answer. A root that is not
    /// there has nothing below it.
    fn allows(&self, real: &Path) -> bool {
        self.roots.is_none_or(|roots| {
            roots.iter().any(|root| real.starts_with(root))
                || roots.iter().any(|root| fs::canonicalize(root).is_ok_and(|root| real.starts_with(root)))
        })
    }

    /// What a small file says; nothing when it is not there.
    fn text(&self, path: &Path, most: u64) -> Result<Option<Vec<u8>>, GitError> {
        self.file(path)?;
        let mut text = Vec::new();
        match fs::File::open(path).and_then(|file| file.take(most + 1).read_to_end(&mut text)) {
            Ok(bytes) if bytes as u64 > most => Err(self.odd(path)),
            Ok(_) => Ok(Some(text)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(GitError::of_path(self.path, "opening the repository", error)),
        }
    }

    fn nothing(&self) -> GitError {
        GitError::NotARepository { path: self.path.to_owned() }
    }

    /// Says which part it is, and not where it leads: who reads this may not know that place.
    fn outside(&self, part: &Path) -> GitError {
        GitError::OutsideRoots { path: self.path.to_owned(), part: self.named(part) }
    }

    fn odd(&self, part: &Path) -> GitError {
        GitError::NotPlain { path: self.path.to_owned(), part: self.named(part) }
    }

    /// A part as a person would find it below the repository; what lies elsewhere has only its last name.
    fn named(&self, part: &Path) -> String {
        let shown = part.strip_prefix(self.path).unwrap_or_else(|_| Path::new(part.file_name().unwrap_or_default()));
        if shown.as_os_str().is_empty() { "its folder".to_owned() } else { shown.display().to_string() }
    }
}

/// A trouble with the file in which a lender names its own lenders.
fn of_lender(error: GitError) -> GitError {
    match error {
        GitError::NotPlain { path, .. } => GitError::NotPlain { path, part: OF_LENDER.to_owned() },
        other => other,
    }
}

/// Every `path` of a section `include` or `includeIf`, whatever its condition.
fn included_paths(config: &[u8]) -> Vec<Vec<u8>> {
    let Ok(config) = without_includes(config) else { return Vec::new() };
    let sections = ["include", "includeIf"].into_iter().filter_map(|name| config.sections_by_name(name)).flatten();
    sections.flat_map(|section| section.values("path")).map(|path| path.to_vec()).collect()
}

fn joined(base: &Path, line: &[u8]) -> PathBuf {
    base.join(OsStr::from_bytes(line.trim_ascii()))
}

/// Whether there is nothing at a path.
pub(super) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
