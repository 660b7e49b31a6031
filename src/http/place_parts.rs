//! What a repository is made of, looked at before git reads any of it: that no part of a place which may be added over
//! HTTP leads out of the roots, and that nothing is read for which a reader waits for ever.

use std::{
    collections::HashSet,
    ffi::OsStr,
    fs,
    io::Read as _,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

/// A file of git's that names other places; more than this is none of git's.
const MOST_BYTES: u64 = 64 * 1024;

/// Why a place is not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// A part of it is outside of what is allowed.
    Elsewhere,
    /// A part of it is a pipe, a device or a socket, or far too large.
    Odd,
}

/// What is wrong with the parts of the repository at `real`, if anything. What is not there is for git to complain about.
pub(super) fn flaw(real: &Path, allowed: &dyn Fn(&Path) -> bool) -> Option<Flaw> {
    Parts { allowed, seen: HashSet::new() }.repository(real).err()
}

struct Parts<'a> {
    /// Of a path without links.
    allowed: &'a dyn Fn(&Path) -> bool,
    /// Folders that were looked at: links may go round.
    seen: HashSet<PathBuf>,
}

impl Parts<'_> {
    fn repository(&mut self, real: &Path) -> Result<(), Flaw> {
        let dot_git = real.join(".git");
        let git_dir = match fs::metadata(&dot_git) {
            Ok(found) if found.is_dir() => dot_git,
            Ok(_) => match self.text(&dot_git)?.as_deref().and_then(|text| text.strip_prefix(b"gitdir:")) {
                Some(line) => joined(real, line),
                None => real.to_owned(),
            },
            Err(_) => real.to_owned(),
        };
        self.place(&git_dir)?;
        let common_dir = match self.text(&git_dir.join("commondir"))? {
            Some(line) => joined(&git_dir, &line),
            None => git_dir.clone(),
        };
        self.place(&common_dir)?;
        for name in ["HEAD", "config", "packed-refs", "shallow"] {
            self.file(&common_dir.join(name))?;
        }
        self.file(&git_dir.join("HEAD"))?;
        self.folder(&common_dir.join("refs"))?;
        self.objects(&common_dir.join("objects"))
    }

    /// Objects, and those of other repositories that these borrow.
    fn objects(&mut self, objects: &Path) -> Result<(), Flaw> {
        let mut all = vec![objects.to_owned()];
        while let Some(objects) = all.pop() {
            if fs::canonicalize(&objects).is_ok_and(|real| self.seen.contains(&real)) {
                continue;
            }
            self.folder(&objects)?;
            let Some(text) = self.text(&objects.join("info/alternates"))? else { continue };
            for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty() && !line.starts_with(b"#")) {
                let other = joined(&objects, line);
                // Also one that is not there now, or is written as git quotes names: it may be there when it is read.
                let found = fs::canonicalize(&other).is_ok_and(|real| (self.allowed)(&real));
                if !found {
                    return Err(Flaw::Elsewhere);
                }
                all.push(other);
            }
        }
        Ok(())
    }

    /// A folder and all below it, through links, too.
    fn folder(&mut self, folder: &Path) -> Result<(), Flaw> {
        let mut all = vec![folder.to_owned()];
        while let Some(folder) = all.pop() {
            self.place(&folder)?;
            let Ok(real) = fs::canonicalize(&folder) else { continue };
            if !self.seen.insert(real.clone()) {
                continue;
            }
            let Ok(entries) = fs::read_dir(&real) else { continue };
            for entry in entries.flatten() {
                let Ok(kind) = entry.file_type() else { continue };
                let path = entry.path();
                if kind.is_dir() || kind.is_symlink() && path.is_dir() {
                    all.push(path);
                } else if kind.is_symlink() {
                    self.file(&path)?;
                } else if !kind.is_file() {
                    return Err(Flaw::Odd);
                }
            }
        }
        Ok(())
    }

    fn file(&self, path: &Path) -> Result<(), Flaw> {
        self.place(path)?;
        match fs::metadata(path) {
            Ok(found) if !found.is_file() => Err(Flaw::Odd),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    fn place(&self, path: &Path) -> Result<(), Flaw> {
        match fs::canonicalize(path) {
            Ok(real) if !(self.allowed)(&real) => Err(Flaw::Elsewhere),
            // A link to what is not there yet may lead anywhere.
            Err(_) if fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink()) => Err(Flaw::Elsewhere),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// What a small file says; nothing when it is not there.
    fn text(&self, path: &Path) -> Result<Option<Vec<u8>>, Flaw> {
        self.file(path)?;
        let mut text = Vec::new();
        let read = fs::File::open(path).and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut text));
        match read {
            Ok(bytes) if bytes as u64 > MOST_BYTES => Err(Flaw::Odd),
            Ok(_) => Ok(Some(text)),
            // Git finds the same, and says what it is.
            Err(_) => Ok(None),
        }
    }
}

fn joined(base: &Path, line: &[u8]) -> PathBuf {
    base.join(OsStr::from_bytes(line.trim_ascii()))
}
