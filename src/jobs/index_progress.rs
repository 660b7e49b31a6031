//! How far an index run is, as the API shows it.

use serde::{Deserialize, Serialize};

use crate::git::{Phase, Progress};

/// How far a run is. Zero totals are not known yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexProgress {
    /// What is being done, in a word: `listing`, `discovering`, `ordering`, `recording`, `done`.
    pub phase: String,
    /// Commits looked at.
    pub commits: u64,
    /// Of these, with candidates.
    pub keyed: u64,
    /// Commits recorded or passed by.
    pub recorded: u64,
    /// Commits in all, once it is known.
    pub total: u64,
}

impl IndexProgress {
    /// As it is now.
    pub(super) fn of(progress: &Progress) -> Self {
        Self {
            phase: phase(progress.phase()).to_owned(),
            commits: progress.seen(),
            keyed: progress.keyed(),
            recorded: progress.emitted(),
            total: progress.total(),
        }
    }
}

const fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Waiting => "listing",
        Phase::Discovering => "discovering",
        Phase::Ordering => "ordering",
        Phase::Emitting => "recording",
        Phase::Done => "done",
    }
}
