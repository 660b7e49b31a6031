//! What a scan of a tracked folder says: what was found, what was refused and why, and what it does not know. Made by the
//! scan; read by the job that discovers repositories.

use std::{
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use keytrail_domain::display_text::DisplayText;

use super::{ScanDepth, bytewise};
use crate::git::GitError;

/// What lies below a tracked folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scanned {
    /// In bytewise order of the paths; each once.
    pub found: Vec<FoundRepository>,
    /// In bytewise order of the paths.
    pub refused: Vec<Refused>,
    /// The bound that ended the scan before its end. There may be more of everything then.
    pub cut: Option<Cut>,
    /// Folders without anything in them: each may be the place of a share that is not mounted.
    pub(super) empty: Vec<PathBuf>,
    /// The tracked folder without links, and how deep it was looked into.
    pub(super) root: PathBuf,
    pub(super) depth: ScanDepth,
}

/// A repository that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundRepository {
    /// Without links, UTF-8; the working tree's folder, or the bare repository.
    pub path: PathBuf,
    /// What a person calls it: GitLab's name for it, or the path from the tracked folder on; without `.git`.
    pub name: DisplayText,
    /// Whether it can be indexed now.
    pub state: FoundState,
}

/// Whether a repository can be indexed. It is about those that nobody knew before: one that is known is indexed as ever,
/// whatever git writes into it at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FoundState {
    /// It can.
    Ready,
    /// It seems to be made just now, or has no commit yet; the next scan may find it ready.
    BeingCloned {
        /// What gives it that look, as a sentence.
        reason: String,
    },
}

/// Something that is there and is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Where.
    pub path: PathBuf,
    /// Why, in a word.
    pub reason: Refusal,
    /// Why, for a person, and what to do.
    pub sentence: String,
}

/// Why something is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// It, or a part of it, leads out of the tracked folder.
    OutsideRoot,
    /// It belongs to somebody else, or may not be read.
    Denied,
    /// SHA-256.
    Sha256Unsupported,
    /// Refs or objects are stored in a way that is not understood, such as reftable.
    FormatUnsupported,
    /// A part of its history is missing.
    Shallow,
    /// A part of it is a pipe or the like, or it is none when looked at closely.
    NotARepository,
    /// Its path is not UTF-8, or has control characters.
    PathInvalid,
    /// The tracked folder itself is a repository.
    RootIsRepository,
    /// It could not be looked into this time.
    Unreadable,
}

impl Refusal {
    /// The stable word.
    pub const fn code(self) -> &'static str {
        match self {
            Self::OutsideRoot => "outside_root",
            Self::Denied => "denied",
            Self::Sha256Unsupported => "sha256_unsupported",
            Self::FormatUnsupported => "format_unsupported",
            Self::Shallow => "shallow",
            Self::NotARepository => "not_a_repository",
            Self::PathInvalid => "path_invalid",
            Self::RootIsRepository => "root_is_repository",
            Self::Unreadable => "unreadable",
        }
    }

    pub(super) const fn of(error: &GitError) -> Self {
        match error {
            GitError::OutsideRoots { .. } => Self::OutsideRoot,
            GitError::Denied { .. } => Self::Denied,
            GitError::Sha256Unsupported { .. } => Self::Sha256Unsupported,
            GitError::FormatUnsupported { .. } => Self::FormatUnsupported,
            GitError::Shallow { .. } => Self::Shallow,
            GitError::NotARepository { .. } | GitError::NotPlain { .. } => Self::NotARepository,
            _ => Self::Unreadable,
        }
    }
}

/// What ended a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// [`ScanBounds::max_entries`].
    Entries,
    /// [`ScanBounds::max_repositories`], by what was found.
    Repositories,
    /// The same, by what was refused.
    Refusals,
}

impl Scanned {
    /// Whether a repository at this path would be found without a link to it: it lies below the tracked folder, not too
    /// deep, and in no hidden folder. Of others it is for the caller to say whether they are tracked any more.
    pub fn covers(&self, path: &Path) -> bool {
        let Ok(below) = path.strip_prefix(&self.root) else { return false };
        let levels = below.iter().count();
        let hidden = below.iter().take(levels.saturating_sub(1)).any(|part| part.as_bytes().starts_with(b"."));
        (1..=usize::from(self.depth.get())).contains(&levels) && !hidden
    }

    /// Whether the scan shows that there is no repository at this path any more. It does not when the path is not
    /// covered, when the scan was cut, when the repository or a folder above it was refused or unreadable, and when a
    /// folder above it is empty, which is what a share looks like that is not mounted. Whoever took the last repository
    /// out of a folder takes the folder, too.
    pub fn shows_absent(&self, path: &Path) -> bool {
        self.cut.is_none()
            && self.covers(path)
            && self.found.binary_search_by(|found| bytewise(&found.path, path)).is_err()
            && !self.refused.iter().any(|refused| refused.hides(path))
            && !self.empty.iter().any(|empty| path.starts_with(empty))
    }
}

impl Refused {
    /// Only of its own folder the root says something by being a repository.
    pub(super) fn hides(&self, path: &Path) -> bool {
        path == self.path || self.reason != Refusal::RootIsRepository && path.starts_with(&self.path)
    }
}
