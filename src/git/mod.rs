//! Git: opens repositories, lists their refs, walks their commits, remembers which commits were seen.
//!
//! Called by jobs; what reads is called on blocking threads. It knows nothing of ours but the domain, is the only place
//! that knows git2 and gix, runs no program but git and ssh, and never reads the configuration of a user or of the machine.

mod commit_object;
mod commit_text;
pub mod composed;
pub mod diff;
mod error;
pub mod folder_scan;
mod graph;
mod message;
pub mod mirror;
pub mod object_cache;
mod opened;
mod refs;
pub mod remote;
pub mod services;
pub mod ssh;
mod steps;
mod tend;
pub mod transport;
mod walk;

pub use self::{
    commit_text::{CommitText, Signed, commit_text},
    error::GitError,
    graph::{Changes, Descendants, Graph},
    mirror::Mirror,
    opened::OpenedRepository,
    refs::{MAX_REFS, Ref, RefList, RefsStamp, in_rank, list_refs, moved},
    steps::Steps,
    tend::{Neglect, Tended, tend},
    walk::{Bounds, NewCommits, Person, Phase, Progress, Stop, WalkRequest, Walked, WalkedBatch, walk},
};

/// The version of libgit2 that is linked in.
pub fn library_version() -> String {
    let (major, minor, patch) = git2::Version::get().libgit2_version();
    format!("{major}.{minor}.{patch}")
}
