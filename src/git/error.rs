//! What can go wrong with a repository, in sentences for a person. Made in every part of `git`; called by the jobs,
//! which record the code with the sentence.

use std::{io, path::PathBuf};

use keytrail_domain::{
    index_run::{FailureCode, batch::CommitSha},
    remote_url::Host,
};

use super::{
    remote::{RemoteError, RemoteTrouble},
    transport::FetchError,
};

/// Why a repository could not be read.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// There is no repository exactly at this path.
    #[error("{} holds no git repository; give the folder of a working tree, its .git folder, or a bare repository", .path.display())]
    NotARepository {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The server may not read it, or it belongs to somebody else.
    #[error("{} may not be read: {reason}", .path.display())]
    Denied {
        /// What may not be read.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// A part of it lies outside of the folders that are approved.
    #[error("{} is not read, because {part} leads out of the approved folders; move what it leads to below one of them, or index a full clone", .path.display())]
    OutsideRoots {
        /// The repository.
        path: PathBuf,
        /// The part, as it is named in the repository; where it leads is not told.
        part: String,
    },
    /// A part of it is a pipe, a device or a socket, or far too large.
    #[error("{} is not read, because {part} is no plain file or folder, or larger than git makes it; check the repository with `git fsck`", .path.display())]
    NotPlain {
        /// The repository.
        path: PathBuf,
        /// The part.
        part: String,
    },
    /// A folder whose repositories are tracked is not there: perhaps its share is not mounted.
    #[error("the folder {} is not there; mount the share that it is on, or correct its path; no repository is forgotten meanwhile", .path.display())]
    FolderAbsent {
        /// The folder.
        path: PathBuf,
    },
    /// The file system that it lies on does not answer: a share whose server is away, or a disk that fails.
    #[error(
        "the file system at {place} has not answered for {seconds} seconds; look at its disk, or at the server of the share and the way to it"
    )]
    FileSystemSilent {
        /// Where it is mounted, or the repository.
        place: String,
        /// For how long.
        seconds: u64,
    },
    /// It uses SHA-256 object names.
    #[error("{} names its objects by SHA-256, which is not supported yet; only SHA-1 repositories can be indexed", .path.display())]
    Sha256Unsupported {
        /// The repository.
        path: PathBuf,
    },
    /// It is stored in a way that is not understood.
    #[error("{} uses the repository format {extension:?}, which is not supported; convert it, or index a clone of it", .path.display())]
    FormatUnsupported {
        /// The repository.
        path: PathBuf,
        /// The extension of the format, as its configuration names it.
        extension: String,
    },
    /// It holds only a part of its history.
    #[error("{} is a shallow clone, which lacks a part of its history; complete it with `git fetch --unshallow`", .path.display())]
    Shallow {
        /// The repository.
        path: PathBuf,
    },
    /// An object cannot be read.
    #[error("the object {sha} cannot be read: {reason}; check the repository with `git fsck`")]
    CorruptObject {
        /// Its name.
        sha: CommitSha,
        /// What is wrong with it.
        reason: String,
    },
    /// A commit that a ref or another commit names is not there.
    #[error("the commit {sha} is missing; check the repository with `git fsck`, or fetch it again")]
    MissingObject {
        /// Its name.
        sha: CommitSha,
    },
    /// More refs than the bound.
    #[error("the repository has more than {bound} branches, tags and pull requests; delete what nobody needs")]
    TooManyRefs {
        /// The bound.
        bound: usize,
    },
    /// More commits than can be counted in 30 bits.
    #[error("the repository has more commits than can be indexed (1,073,741,823)")]
    TooManyCommits,
    /// A remote cannot be reached, refuses, or says what is not understood.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// A key of SSH lies in a file of the server's account, and this node cannot use it.
    #[error(
        "the SSH key {name:?} lies in a file of the server's account, and this node cannot use it: {reason}; put the file \
         back, on every node, or choose another key; no other key is offered in its place"
    )]
    SshKeyNotOnThisNode {
        /// What people call the key.
        name: String,
        /// Why.
        reason: String,
    },
    /// All connections that a host may have from this node over SSH were in use for as long as anybody waits.
    #[error(
        "no connection over SSH to {host} is free, of {most} that this server may have open at once \
         (ssh.connections_per_host); it goes on when one is"
    )]
    HostBusy {
        /// The host and its port.
        host: String,
        /// How many there may be.
        most: usize,
    },
    /// A person or the server stopped the work.
    #[error("the work was stopped before its end")]
    Cancelled,
    /// It could not be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// Something that may go away when it is tried again.
    #[error("{doing} failed: {source}; it will be tried again")]
    Transient {
        /// What was being done.
        doing: String,
        /// What the system said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl GitError {
    /// The code to record; `None` when the work was stopped, or has not had its turn, which is no failure.
    pub const fn failure_code(&self) -> Option<FailureCode> {
        Some(match self {
            // The closed list has no word of its own for a format that cannot be read; the sentence says which it is.
            Self::NotARepository { .. } | Self::FormatUnsupported { .. } | Self::NotPlain { .. } => {
                FailureCode::NotARepository
            }
            Self::Denied { .. } => FailureCode::Denied,
            Self::OutsideRoots { .. } => FailureCode::OutsideRoots,
            Self::Sha256Unsupported { .. } => FailureCode::Sha256Unsupported,
            Self::Shallow { .. } => FailureCode::Shallow,
            Self::CorruptObject { .. } => FailureCode::CorruptObject,
            Self::MissingObject { .. } => FailureCode::MissingObject,
            Self::TooManyRefs { .. } => FailureCode::TooManyRefs,
            Self::FolderAbsent { .. } => FailureCode::FolderAbsent,
            Self::FileSystemSilent { .. } => FailureCode::FileSystemSilent,
            Self::TooManyCommits | Self::Transient { .. } => FailureCode::Internal,
            Self::SshKeyNotOnThisNode { .. } => FailureCode::SshKeyNotOnThisNode,
            Self::Remote(error) => error.trouble.failure_code(),
            Self::Fetch(error) => error.failure_code(),
            Self::Cancelled | Self::HostBusy { .. } => return None,
        })
    }

    /// How long the remote wants to be left alone, when it says so.
    pub const fn retry_after(&self) -> Option<std::time::Duration> {
        match self {
            Self::Remote(RemoteError { trouble: RemoteTrouble::RateLimited { retry_after }, .. }) => *retry_after,
            _ => None,
        }
    }

    /// Whether trying again may help.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Transient { .. }
            | Self::FolderAbsent { .. }
            | Self::FileSystemSilent { .. }
            | Self::HostBusy { .. } => true,
            Self::Remote(error) => error.trouble.is_transient(),
            Self::Fetch(error) => error.is_transient(),
            _ => false,
        }
    }

    pub(super) fn transient(doing: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Transient { doing: doing.to_owned(), source: source.into() }
    }

    /// Trouble with a host.
    pub(super) fn of_remote(host: &Host, trouble: RemoteTrouble) -> Self {
        Self::Remote(RemoteError { host: host.clone(), trouble })
    }

    /// What the system said about a path: a refusal is told from what may go away.
    pub(super) fn of_path(path: &std::path::Path, doing: &str, source: io::Error) -> Self {
        if source.kind() == io::ErrorKind::PermissionDenied {
            let reason = "the server's user lacks the permission; grant it, or leave the repository out".to_owned();
            return Self::Denied { path: path.to_owned(), reason };
        }
        Self::transient(doing, source)
    }
}
