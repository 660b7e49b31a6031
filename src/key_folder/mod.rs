//! The folder of the server's own account with private keys of SSH (`ssh_keys.folder`): which keys lie there, told by what the
//! files hold and not by their names, and one of them opened for one use. Called by jobs, routes and the doctor, on threads
//! that may block. It writes nothing, and keeps nothing of a private half.

#[cfg(test)]
mod tests;

use std::{
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use keytrail_domain::display_text::DisplayText;
use rustix::fs::{Mode, OFlags};

use crate::{
    secrets::Secret,
    ssh_keys::{self, Format, MOST_BYTES, Problem, PublicHalf, SshKey},
};

/// So many files are looked at, in the order of their names: such a folder has a handful.
pub const MOST_FILES: usize = 256;
/// So many names are read.
const MOST_NAMES: usize = 4_096;
/// Rights of others than the owner; `ssh` uses no key of a file that has any.
const OF_OTHERS: u32 = 0o077;

/// The folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFolder {
    path: PathBuf,
}

/// It cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the folder {} cannot be read: {source}", .path.display())]
pub struct Unreadable {
    /// Which.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

/// What is in it.
#[derive(Debug, Default)]
pub struct Listing {
    /// Files with a private key, and those that may not be read, in the order of their names.
    pub files: Vec<KeyFile>,
    /// Whether there are more files than are looked at.
    pub more: bool,
}

/// A file with a private key.
#[derive(Debug)]
pub struct KeyFile {
    /// Where it is.
    pub path: PathBuf,
    /// How the key is written, as far as that can be told.
    pub format: Option<Format>,
    /// How it is encrypted, if it is.
    pub encryption: Option<String>,
    /// The half that everybody may see, where it stands outside of what is encrypted.
    pub public: Option<PublicHalf>,
    /// What its owner calls it.
    pub comment: Option<String>,
    /// Why it cannot be used from here; nothing when it can.
    pub problem: Option<Unusable>,
    /// Whether others than its owner may read or change it.
    pub is_open_to_others: bool,
}

/// Why a key is not used from its file.
#[derive(Debug)]
pub enum Unusable {
    /// What is wrong with the key; a passphrase, too, as nobody is there to type it.
    Key(Problem),
    /// The server's user may not read the file, so it is not known whether it holds a key.
    File(io::Error),
}

/// Why a key was not opened.
#[derive(Debug, thiserror::Error)]
pub enum Missing {
    /// There is no looking.
    #[error(transparent)]
    Folder(#[from] Unreadable),
    /// It is there, and nobody is there to type its passphrase.
    #[error("the file {} holds it with a passphrase, which nobody is there to type", .0.display())]
    Locked(PathBuf),
    /// No file has it.
    #[error("no file in {} holds it", .0.display())]
    Absent(PathBuf),
}

/// What a file holds.
struct Contents {
    bytes: Secret<Vec<u8>>,
    is_open_to_others: bool,
}

impl KeyFolder {
    /// The one at this path, be it there or not.
    pub const fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Looks through it. Blocks.
    ///
    /// # Errors
    /// When there is no such folder, or it may not be read.
    pub fn look(&self) -> Result<Listing, Unreadable> {
        let (paths, mut more) = self.paths()?;
        let (mut files, mut looked_at) = (Vec::new(), 0);
        for path in paths {
            if looked_at == MOST_FILES {
                more = true;
                break;
            }
            match contents(&path) {
                Ok(None) => {}
                Ok(Some(contents)) => {
                    looked_at += 1;
                    files.extend(KeyFile::of(path, &contents));
                }
                // It went a moment ago, or is a link to nowhere.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    looked_at += 1;
                    files.push(KeyFile::unread(path, error));
                }
            }
        }
        Ok(Listing { files, more })
    }

    /// The key with this fingerprint, wherever it lies in the folder; it was seen last at `place`, as [`shown`] says it. It
    /// is tried out as at an intake. Blocks.
    ///
    /// # Errors
    /// When it is not there, or not without a passphrase.
    pub fn open(&self, sha256: &str, place: &str) -> Result<SshKey, Missing> {
        let (mut paths, _) = self.paths()?;
        paths.sort_by_key(|path| shown(path).as_str() != place);
        let (mut locked, mut looked_at) = (None, 0);
        for path in paths {
            let Ok(Some(Contents { bytes, .. })) = contents(&path) else { continue };
            match ssh_keys::read(bytes.expose(), None) {
                Ok(key) if key.public().sha256() == sha256 => return Ok(key),
                Err(Problem::PassphraseNeeded) => {
                    let public = ssh_keys::look(bytes.expose()).ok().and_then(|look| look.public);
                    if public.is_some_and(|public| public.sha256() == sha256) {
                        locked.get_or_insert(path);
                    }
                }
                Ok(_) | Err(_) => {}
            }
            looked_at += 1;
            if looked_at == MOST_FILES {
                break;
            }
        }
        Err(locked.map_or_else(|| Missing::Absent(self.path.clone()), Missing::Locked))
    }

    /// What is directly in it, in the order of the names, and whether that is not all.
    fn paths(&self) -> Result<(Vec<PathBuf>, bool), Unreadable> {
        let unreadable = |source| Unreadable { path: self.path.clone(), source };
        let mut paths = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(unreadable)? {
            paths.push(entry.map_err(unreadable)?.path());
            if paths.len() > MOST_NAMES {
                break;
            }
        }
        let more = paths.len() > MOST_NAMES;
        paths.truncate(MOST_NAMES);
        paths.sort();
        Ok((paths, more))
    }
}

impl KeyFile {
    /// Nothing where the file holds no private key.
    fn of(path: PathBuf, contents: &Contents) -> Option<Self> {
        let (bytes, is_open_to_others) = (contents.bytes.expose(), contents.is_open_to_others);
        let problem = match ssh_keys::read(bytes, None) {
            Ok(key) => {
                return Some(Self {
                    path,
                    format: Some(key.format()),
                    encryption: key.encryption().map(str::to_owned),
                    public: Some(key.public().clone()),
                    comment: Some(key.comment().to_owned()),
                    problem: None,
                    is_open_to_others,
                });
            }
            // Public halves, known_hosts, a configuration.
            Err(
                Problem::Empty
                | Problem::TooLarge
                | Problem::Public
                | Problem::Certificate(_)
                | Problem::NotAKey
                | Problem::Binary,
            ) => return None,
            Err(problem) => problem,
        };
        let look = ssh_keys::look(bytes).ok();
        Some(Self {
            path,
            format: look.as_ref().map(|look| look.format),
            encryption: look.as_ref().and_then(|look| look.encryption.clone()),
            comment: look.as_ref().and_then(|look| look.comment.clone()),
            public: look.and_then(|look| look.public),
            problem: Some(Unusable::Key(problem)),
            is_open_to_others,
        })
    }

    fn unread(path: PathBuf, error: io::Error) -> Self {
        Self {
            path,
            format: None,
            encryption: None,
            public: None,
            comment: None,
            problem: Some(Unusable::File(error)),
            is_open_to_others: false,
        }
    }

    /// Its fingerprint, where it can be used.
    pub fn usable(&self) -> Option<String> {
        self.public.as_ref().filter(|_| self.problem.is_none()).map(PublicHalf::sha256)
    }
}

/// A path, fit to be stored and shown.
pub fn shown(path: &Path) -> DisplayText {
    DisplayText::clean(&path.to_string_lossy())
}

/// What a file holds, where it is a plain one and not too large for a key. Links are followed, as `ssh` does: what deploys
/// keys often puts links there. A pipe or a device is not opened, and none that takes its place is waited for.
fn contents(path: &Path) -> io::Result<Option<Contents>> {
    let is_none = |found: &fs::Metadata| !found.is_file() || found.len() > MOST_BYTES as u64;
    if is_none(&fs::metadata(path)?) {
        return Ok(None);
    }
    let opened = rustix::fs::open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?;
    let file = File::from(opened);
    let found = file.metadata()?;
    if is_none(&found) {
        return Ok(None);
    }
    let most = MOST_BYTES + 1;
    let mut bytes = Vec::with_capacity(most);
    let read = file.take(most as u64).read_to_end(&mut bytes);
    let bytes = Secret::new(bytes);
    read?;
    if bytes.expose().len() > MOST_BYTES {
        return Ok(None);
    }
    let is_open_to_others = found.permissions().mode() & OF_OTHERS != 0;
    Ok(Some(Contents { bytes, is_open_to_others }))
}
