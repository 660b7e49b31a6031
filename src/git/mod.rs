//! Git: opens repositories, lists their refs, walks their commits, remembers which commits were seen.
//!
//! Called by jobs, on blocking threads. It knows nothing of ours but the domain, is the only place that knows git2
//! and gix, and never runs a program or reads the configuration of a user or of the machine.

mod commit_object;
mod error;
pub mod folder_scan;
mod graph;
mod message;
mod opened;
mod refs;
pub mod remote;
pub mod transport;
mod walk;

pub use self::{
    error::GitError,
    graph::{Changes, Graph},
    opened::OpenedRepository,
    refs::{MAX_REFS, Ref, RefList, RefsStamp, in_rank, list_refs, moved},
    walk::{Bounds, NewCommits, Person, Phase, Progress, Stop, WalkRequest, Walked, WalkedBatch, walk},
};
