//! How far an index run is, as the API shows it.

use serde::{Deserialize, Serialize};

use crate::git::{
    self, Phase,
    transport::{FetchPhase, FetchProgress},
};

/// What the parts of a run tell while they work.
#[derive(Debug, Default)]
pub(super) struct IndexProgress {
    pub(super) fetching: FetchProgress,
    pub(super) walking: git::Progress,
}

/// How far a run is. Zero totals are not known yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProgressNow {
    /// What is being done, in a word: `listing`, `fetching`, `discovering`, `ordering`, `recording`, `done`.
    pub phase: String,
    /// Objects that were fetched.
    pub objects: u64,
    /// Objects that are to be fetched.
    pub objects_total: u64,
    /// Bytes that were fetched.
    pub bytes: u64,
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
    pub(super) fn now(&self) -> ProgressNow {
        let (fetching, walking) = (&self.fetching, &self.walking);
        ProgressNow {
            phase: phase(fetching.phase(), walking.phase()).to_owned(),
            objects: fetching.objects(),
            objects_total: fetching.total(),
            bytes: fetching.bytes(),
            commits: walking.seen(),
            keyed: walking.keyed(),
            recorded: walking.emitted(),
            total: walking.total(),
        }
    }
}

const fn phase(fetching: FetchPhase, walking: Phase) -> &'static str {
    match (walking, fetching) {
        (Phase::Waiting, FetchPhase::Waiting | FetchPhase::Done) => "listing",
        (Phase::Waiting, _) => "fetching",
        (Phase::Discovering, _) => "discovering",
        (Phase::Ordering, _) => "ordering",
        (Phase::Emitting, _) => "recording",
        (Phase::Done, _) => "done",
    }
}
