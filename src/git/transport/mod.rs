//! Ways to make the objects of a repository readable on this machine. Called by jobs before refs are listed or
//! commits are walked; never decides what is read.
//!
//! In place, or fetched into a mirror: by the git program when there is a good one, which leaves out what no walk
//! reads, else in this process. What comes out is the same for all: an [`OpenedRepository`].

mod fetch;
mod fetch_error;
mod fetch_objects;
mod fetch_progress;
pub(super) mod git_program;
mod in_place;
mod in_process;
mod pace;
mod parts;
mod room;
#[cfg(test)]
mod tests;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

pub use self::{
    fetch::{
        FetchLimits, FetchRequest, FetchSource, Fetched, LEAST_OF_A_WINDOW, SLOWEST_BYTES, WINDOW, WantedRef, fetch,
    },
    fetch_error::FetchError,
    fetch_objects::{ObjectsRequest, fetch_objects},
    fetch_progress::{FetchPhase, FetchProgress},
    git_program::{GitProgram, GitVersion, NoVersion, Verdict},
    room::{free_bytes, over_quota},
};
pub(super) use self::{
    git_program::running::Group,
    in_place::{gitlab_name, look},
    parts::{Parts, common_dir},
    room::check_free,
};
use super::{GitError, OpenedRepository, Steps};

/// A repository of this machine, and what is held against it when it is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocalRepository {
    /// In a folder of this machine, named by who may read whatever the server's user may. It is read where it lies, and
    /// nothing is written to it.
    InPlace(PathBuf),
    /// The same, approved because it lies below one of some roots: no part of it may lead out of them at any opening, also
    /// when it leads elsewhere by now. The path counts as it is written.
    BelowRoots {
        /// Where it is.
        path: PathBuf,
        /// The approved folders.
        roots: Arc<[PathBuf]>,
    },
}

impl LocalRepository {
    /// The folder on this machine.
    pub fn path(&self) -> &Path {
        match self {
            Self::InPlace(path) | Self::BelowRoots { path, .. } => path,
        }
    }

    /// The folder with its objects, checked as for [`LocalRepository::open`], without links.
    pub(super) fn git_folder(&self, steps: &Steps) -> Result<PathBuf, GitError> {
        match self {
            Self::InPlace(path) => in_place::git_folder(path, None, steps),
            Self::BelowRoots { path, roots } => in_place::git_folder(path, Some(roots), steps),
        }
    }

    /// Makes the objects readable.
    pub fn open(&self) -> Result<OpenedRepository, GitError> {
        self.open_telling(&Arc::default())
    }

    /// The same, for who waits for no file system that hangs: opening tells these steps, and so does what is read later.
    pub fn open_telling(&self, steps: &Arc<Steps>) -> Result<OpenedRepository, GitError> {
        match self {
            Self::InPlace(path) => in_place::open(path, None, steps),
            Self::BelowRoots { path, roots } => in_place::open(path, Some(roots), steps),
        }
    }
}
