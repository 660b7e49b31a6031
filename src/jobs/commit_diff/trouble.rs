//! Why nobody can be told what a commit changed. Made by the batches; becomes a problem of the API.

use keytrail_domain::index_run::FailureCode;

use crate::{
    git::{GitError, diff::DiffError, transport::FetchError},
    jobs::JobError,
};

/// Why there is no answer. Sentences hold no secret; those of git were made for a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DiffTrouble {
    /// No run has seen this commit in this repository.
    #[error(
        "no index run of this repository has seen the commit{}; look whether it is another's, or index it again",
        if *.elsewhere { ", as far as this node knows: what names no issue is known to the node that indexes it" } else { "" }
    )]
    CommitUnknown {
        /// Another node indexes the repository, and may know more.
        elsewhere: bool,
    },
    /// It has fewer parents.
    #[error("the commit has {parents} parent{}; ask for one of them, counted from 1", if *parents == 1 { "" } else { "s" })]
    NoSuchParent {
        /// How many it has.
        parents: usize,
    },
    /// The remote does not have the commit's folders any more.
    #[error(
        "the server of the repository no longer has what this commit changed, as after a force push and a cleaning; only the commit itself is kept here"
    )]
    ObjectGone,
    /// No integration sees the repository any more.
    #[error("no integration sees this repository any more; add one that does")]
    Forgotten,
    /// The repository cannot be read or fetched from.
    #[error("{text}")]
    Unreadable {
        /// As of a failed run; `None` of what may go away by itself and has no code.
        code: Option<FailureCode>,
        /// What happened and what to do.
        text: String,
        /// Whether trying again may help.
        is_transient: bool,
    },
    /// Too many wait already.
    #[error("too many wait to see what a commit changed; try again in a moment")]
    Busy,
    /// All connections over SSH that the host may have are in use.
    #[error(
        "no connection over SSH to {host} is free, of {most} that this server may have open at once; try again in a moment, and \
         where that happens often, raise ssh.connections_per_host"
    )]
    HostBusy {
        /// The host and its port.
        host: String,
        /// How many there may be.
        most: usize,
    },
    /// The server stops, or failed.
    #[error("the server stopped looking before it was done; try again")]
    Stopped,
}

impl From<GitError> for DiffTrouble {
    fn from(error: GitError) -> Self {
        match error {
            GitError::Fetch(FetchError::RefsMoved) => Self::ObjectGone,
            GitError::Cancelled => Self::Stopped,
            GitError::HostBusy { host, most } => Self::HostBusy { host, most },
            error => Self::Unreadable {
                code: error.failure_code(),
                text: error.to_string(),
                is_transient: error.is_transient(),
            },
        }
    }
}

impl From<DiffError> for DiffTrouble {
    fn from(error: DiffError) -> Self {
        match error {
            DiffError::Git(error) => error.into(),
            DiffError::NoSuchParent { parents, .. } => Self::NoSuchParent { parents },
        }
    }
}

impl From<JobError> for DiffTrouble {
    fn from(error: JobError) -> Self {
        match error {
            JobError::Later(text) | JobError::NotBefore(_, text) => {
                Self::Unreadable { code: None, text, is_transient: true }
            }
            JobError::Failed(code, text) => Self::Unreadable { code: Some(code), text, is_transient: false },
            JobError::NoPlace(_) => Self::Busy,
            JobError::Panicked(_) | JobError::Left => Self::Stopped,
        }
    }
}
