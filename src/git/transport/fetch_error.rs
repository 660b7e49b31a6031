//! What can go wrong with fetching and with a mirror, beside what can go wrong with the way to the server. Made by the
//! transports and by `tend`; becomes a [`GitError`](crate::git::GitError).

use keytrail_domain::{
    display_text::DisplayText,
    index_run::{FailureCode, batch::CommitSha},
};

use super::Verdict;

/// Why nothing, or not everything, was fetched. No sentence holds an address or a secret; what the server said is
/// cleaned and cut.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// There is no git program, and this needs one.
    #[error(
        "there is no git program on this machine that may be used; install {}, or set its path",
        Verdict::good_versions()
    )]
    GitMissing,
    /// There is one that may not be used, and this needs one.
    #[error("{sentence}")]
    GitTooOld {
        /// Which it is, and what to install.
        sentence: String,
    },
    /// The git program left out folders and files, and it is not there any more.
    #[error(
        "the mirror was filled by the git program, which is not there any more; install it again, or delete the mirror to fetch everything without it"
    )]
    MirrorNeedsGit,
    /// The server filtered before, and does not now.
    #[error(
        "the server no longer leaves folders and files out of what it sends, which this mirror relies on; delete the mirror, it will be fetched anew"
    )]
    MirrorUnusable,
    /// Somebody else fetches into it or tends it.
    #[error("the mirror is being fetched or tended at this moment; it will be tried again")]
    MirrorBusy,
    /// There is too little room on the disk.
    #[error(
        "the disk of the mirrors has {free} MB free, less than the {floor} MB that are kept free; make room, or move the data folder"
    )]
    DiskFloor {
        /// Free megabytes.
        free: u64,
        /// The floor, in megabytes.
        floor: u64,
    },
    /// There is none at all.
    #[error("the disk of the mirrors is full; make room, or move the data folder")]
    DiskFull,
    /// The copy would have more than it may.
    #[error(
        "the copy of the repository would take more than the {quota} MB that it may; what was fetched before is kept and served; raise git.quota_bytes if the repository is meant to be that large"
    )]
    QuotaExceeded {
        /// The limit in megabytes, rounded up.
        quota: u64,
    },
    /// To put together what came takes more memory than a fetch may have.
    #[error(
        "what is fetched needs more memory than the {memory} MB that a fetch may take; raise git.memory_bytes if the repository is meant to be like that"
    )]
    PackNeedsMemory {
        /// The limit in megabytes, rounded up.
        memory: u64,
    },
    /// What came cannot be unpacked.
    #[error("what the server sent is damaged and was thrown away; check the repository on the server with `git fsck`")]
    CorruptPack,
    /// What came lacks something that belongs to it.
    #[error(
        "the repository did not give everything that belongs to its branches; check it at its origin with `git fsck`"
    )]
    Incomplete,
    /// A commit came without one that it names as its parent, though everything was asked for.
    #[error(
        "the server does not send the commit {sha}, which belongs to the history of its branches; if the repository has grafts (info/grafts) there, remove them; if it is shallow, complete it with `git fetch --unshallow`; else check it with `git fsck`"
    )]
    LacksHistory {
        /// The name of one that is missing.
        sha: CommitSha,
    },
    /// The server stopped in the middle.
    #[error("the server ended the connection in the middle of the fetch; it will be tried again")]
    BrokeOff,
    /// An object that was listed is not given.
    #[error("a branch moved or went away between the listing and the fetch; it will be tried again")]
    RefsMoved,
    /// The key of the server is pinned, and the git program cannot compare keys.
    #[error(
        "the git program was built without the comparing of pinned keys; install git of the distribution, or trust the server's authority instead of its key"
    )]
    CannotPin,
    /// Something that was said by the server or the program and is not understood.
    #[error("the fetch failed: {said}")]
    Refused {
        /// What was said, cleaned and cut.
        said: DisplayText,
    },
}

impl FetchError {
    /// The code to record.
    pub const fn failure_code(&self) -> FailureCode {
        match self {
            Self::GitMissing => FailureCode::GitMissing,
            Self::GitTooOld { .. } | Self::CannotPin => FailureCode::GitTooOld,
            Self::MirrorNeedsGit => FailureCode::MirrorNeedsGit,
            Self::MirrorUnusable => FailureCode::MirrorUnusable,
            Self::MirrorBusy => FailureCode::MirrorBusy,
            Self::DiskFloor { .. } | Self::DiskFull => FailureCode::DiskFloor,
            Self::QuotaExceeded { .. } => FailureCode::QuotaExceeded,
            Self::PackNeedsMemory { .. } => FailureCode::PackNeedsMemory,
            Self::CorruptPack | Self::Incomplete => FailureCode::CorruptPack,
            Self::LacksHistory { .. } => FailureCode::MissingObject,
            Self::BrokeOff => FailureCode::FetchBrokeOff,
            Self::RefsMoved => FailureCode::RefsMoved,
            Self::Refused { .. } => FailureCode::FetchRefused,
        }
    }

    /// Whether trying again may help without a person doing anything.
    pub const fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::MirrorBusy
                | Self::DiskFloor { .. }
                | Self::DiskFull
                | Self::CorruptPack
                | Self::Incomplete
                | Self::BrokeOff
                | Self::RefsMoved
        )
    }
}
