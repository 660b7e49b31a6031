//! Ways to make the objects of a repository readable on this machine. Called by jobs before refs are listed or
//! commits are walked; never decides what is read.
//!
//! In place, or fetched into a mirror: by the git program when there is a good one, which leaves out what no walk
//! reads, else in this process. What comes out is the same for all: an [`OpenedRepository`].

mod fetch;
mod fetch_error;
mod fetch_progress;
pub(super) mod git_program;
mod in_place;
mod in_process;
mod pace;
mod room;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

pub(super) use self::room::check_free;
pub use self::{
    fetch::{FetchLimits, FetchRequest, FetchSource, Fetched, SLOWEST_BYTES, WantedRef, fetch},
    fetch_error::FetchError,
    fetch_progress::{FetchPhase, FetchProgress},
    git_program::{GitProgram, GitVersion, NoVersion, Verdict},
};
use super::{GitError, OpenedRepository};

/// Where a repository is, and so how it is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Connection {
    /// In a folder of this machine; it is read where it lies, and nothing is written to it.
    InPlace(PathBuf),
}

impl Connection {
    /// Makes the objects readable.
    pub fn open(&self) -> Result<OpenedRepository, GitError> {
        match self {
            Self::InPlace(path) => in_place::open(path),
        }
    }
}
