//! An index run: one pass of the indexer over what is new in a repository. It is a short stream; what it finds is in
//! the sibling stream of [`batch`].

pub mod batch;
mod columns;
mod command;
mod error;
mod event;
#[cfg(test)]
pub(crate) mod tests;

use serde::{Deserialize, Serialize};

pub use self::{command::Command, error::Error, event::Event};
use crate::{
    aggregate::Aggregate,
    claim::{ClaimChange, ClaimScope},
    event_sourced,
    id::RepositoryId,
    recorded::Position,
    stamped::Stamped,
};

/// Why a run was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The repository was just discovered.
    Discovered,
    /// A person asked.
    Asked,
    /// Looking at its refs showed that something is new.
    Moved,
    /// A person reset the index: what was found before counts no more. The position of this request becomes the
    /// repository's number.
    Reset,
}

/// Why a run could not be finished. A closed list: the words are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureCode {
    /// The place holds no repository (any more).
    NotARepository,
    /// The server may not read it, or it belongs to somebody else.
    Denied,
    /// A part of it leads out of the folders that are approved.
    OutsideRoots,
    /// It uses SHA-256 object names, which are not read yet.
    Sha256Unsupported,
    /// It holds only a part of its history.
    Shallow,
    /// An object cannot be read.
    CorruptObject,
    /// A commit that a branch names is not there.
    MissingObject,
    /// More refs than the bound.
    TooManyRefs,
    /// It needs the git program, and there is none.
    GitMissing,
    /// The git program that is there may not be used.
    GitTooOld,
    /// The mirror was filled by the git program, which is gone.
    MirrorNeedsGit,
    /// The mirror cannot be continued, and has to be made anew.
    MirrorUnusable,
    /// Somebody else works on the mirror.
    MirrorBusy,
    /// The disk has less free room than is kept free.
    DiskFloor,
    /// The copy of the repository would have more bytes than it may.
    QuotaExceeded,
    /// What the server sent cannot be unpacked.
    CorruptPack,
    /// What the server sent takes more memory to put together than a fetch may have.
    PackNeedsMemory,
    /// The server ended a fetch in the middle.
    FetchBrokeOff,
    /// A ref changed between being listed and being fetched.
    RefsMoved,
    /// The server or the git program refused the fetch with words that are not known.
    FetchRefused,
    /// The repository was forgotten meanwhile.
    RepositoryForgotten,
    /// The credential that is sealed for it cannot be opened.
    CredentialUnreadable,
    /// The app that reads it is suspended, or not installed now.
    InstallationHeld,
    /// The tracked folder that it was found in is not there.
    FolderAbsent,
    /// The file system that it lies on did not answer for too long.
    FileSystemSilent,
    /// The remote's name has no address.
    HostUnknown,
    /// Nothing listens at the remote's port.
    ConnectionRefused,
    /// There is no way to the remote.
    Unreachable,
    /// The remote broke off in the middle.
    ConnectionLost,
    /// Nobody whom the server trusts vouches for the remote's certificate.
    TlsUntrusted,
    /// The remote's certificate is out of date or not valid yet.
    TlsExpired,
    /// The remote's certificate is for another name.
    TlsWrongHost,
    /// The remote's key is another than the pinned one.
    TlsPinMismatch,
    /// No encrypted connection could be agreed on for another reason.
    TlsFailed,
    /// Nobody said yet that a key of the host is the right one.
    HostKeyUnknown,
    /// The host shows another key than those that are trusted.
    HostKeyChanged,
    /// The host accepts none of the keys that may be offered to it.
    SshAuthFailed,
    /// There is no key to offer: none in the pool, or the one that was chosen was retired.
    SshNoKey,
    /// The key lies in a file of the server's account, and this node has no such file, or may not use it.
    SshKeyNotOnThisNode,
    /// The host speaks only algorithms of SSH that are not used any more.
    SshAlgorithms,
    /// This machine has no `ssh` program.
    SshProgramMissing,
    /// The remote does not accept the credential, or wants one.
    Unauthorized,
    /// The remote refuses access.
    Forbidden,
    /// The remote has no such repository, or none that the credential may see.
    RemoteNotFound,
    /// The remote gets too many requests.
    RateLimited,
    /// The remote failed, by its own account.
    RemoteError,
    /// What answers is no git server, such as a page to sign in.
    NotGit,
    /// The remote serves the files of a repository only, which is not supported.
    DumbServer,
    /// The remote accepted the connection and then said nothing for too long.
    RemoteSilent,
    /// The remote answers, but so slowly that listing its refs takes longer than it may.
    RemoteSlow,
    /// The remote's address is none that the server may reach.
    AddressDenied,
    /// The remote redirects to another scheme, host or port.
    RedirectedAway,
    /// The URL's scheme is switched off.
    UrlNotAllowed,
    /// What the remote says breaks git's protocol.
    Protocol,
    /// The proxy does not let the server through.
    ProxyFailed,
    /// The remote's answer is larger than the bound.
    AnswerTooLarge,
    /// Something that is no fault of the repository, and did not go away by trying again.
    Internal,
}

/// What a run saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Commits that were looked at for the first time.
    pub commits: u64,
    /// Of these, commits with at least one candidate for an issue key.
    pub keyed: u64,
    /// Candidates in commits, each counted once per commit.
    pub keys: u64,
    /// Refs that were new, moved or gone.
    pub refs: u64,
    /// Commits of which only a part was scanned, or not every candidate recorded (bounds of the grammar).
    #[serde(default)]
    pub bounded: u64,
    /// Refs as they were after the run before, of commits that are to be had nowhere any more: neither in what the node
    /// remembers, nor in its copy, nor at the origin. When there are any, what only they led to and names no issue is not
    /// told as superseded, and the counts are of all commits that there are, not of those that are new: they stand
    /// alone.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lost_refs: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it like this")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Where a run is in its life.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum IndexRun {
    /// Nothing happened yet.
    #[default]
    Absent,
    /// It waits for its turn.
    Requested {
        /// Of which repository.
        repository: RepositoryId,
    },
    /// It is being done.
    Running {
        /// Of which repository.
        repository: RepositoryId,
        /// The repository's number when it began.
        number: Position,
    },
    /// Everything was looked at.
    Completed,
    /// It could not be finished.
    Failed,
    /// A person stopped it.
    Cancelled,
}

impl Aggregate for IndexRun {
    const TYPE: &'static str = "index_run";
    type Command = Command;
    type Event = Event;
    type Error = Error;

    fn decide(&self, stamped: Stamped<Command>) -> Result<Vec<Event>, Error> {
        let repository = match (self, &stamped.command) {
            (Self::Absent, Command::Request { repository, cause }) => {
                return Ok(vec![Event::Requested { repository: *repository, cause: *cause }]);
            }
            (Self::Absent, _) => return Err(Error::Unknown),
            (_, Command::Request { .. }) => return Err(Error::AlreadyRequested),
            (Self::Completed, Command::Complete { .. })
            | (Self::Failed, Command::Fail { .. })
            | (Self::Cancelled, Command::Cancel) => return Ok(Vec::new()),
            (Self::Completed | Self::Failed | Self::Cancelled, _) => return Err(Error::Ended),
            (Self::Requested { .. }, Command::Complete { .. }) => return Err(Error::NotStarted),
            (Self::Requested { repository } | Self::Running { repository, .. }, _) => *repository,
        };
        Ok(match stamped.command {
            Command::Request { .. } => Vec::new(),
            // A node that takes the run over starts it again; the first start counts.
            Command::Start { .. } if matches!(self, Self::Running { .. }) => Vec::new(),
            Command::Start { number } => vec![Event::Started { number }],
            Command::Complete { counts } => vec![Event::Completed { repository, counts }],
            Command::Fail { code, text } => vec![Event::Failed { repository, code, text }],
            Command::Cancel => vec![Event::Cancelled { repository }],
        })
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::Requested { repository, .. } => *self = Self::Requested { repository: *repository },
            Event::Started { number } => {
                if let Self::Requested { repository } = *self {
                    *self = Self::Running { repository, number: *number };
                }
            }
            Event::Completed { .. } => *self = Self::Completed,
            Event::Failed { .. } => *self = Self::Failed,
            Event::Cancelled { .. } => *self = Self::Cancelled,
        }
    }

    fn claims(event: &Event) -> Vec<ClaimChange> {
        match event {
            Event::Requested { repository, .. } => {
                vec![ClaimChange::take(ClaimScope::ActiveRun, repository.to_string())]
            }
            Event::Started { .. } => Vec::new(),
            Event::Completed { repository, .. }
            | Event::Failed { repository, .. }
            | Event::Cancelled { repository } => {
                vec![ClaimChange::release(ClaimScope::ActiveRun, repository.to_string())]
            }
        }
    }
}

event_sourced!(IndexRun);
