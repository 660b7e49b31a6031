//! Tries a place out, step by step, as a look at a repository would: is its name known, does it listen, is it who it should
//! be, does it let us in, is the repository there. Called by a route for who waits; it keeps and writes nothing.

use std::{sync::Arc, time::Duration};

use keytrail_domain::{
    id::SshKeyId,
    index_run::FailureCode,
    ref_selection::RefSelection,
    remote_url::{RemoteUrl, Scheme},
};
use tokio::net::TcpStream;

use super::{DiffTrouble, JobError, ssh_access};
use crate::{
    app::App,
    git::{
        self, GitError,
        remote::{Limits, Remote, Trust, list_remote_refs},
    },
    ssh_keys::SshKey,
};

/// Nobody waits longer for the list of refs.
const LISTING: Duration = Duration::from_secs(30);
/// Nor for a word.
const SILENCE: Duration = Duration::from_secs(15);

/// What is tried, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TestStep {
    /// The host's name has addresses that may be reached.
    Resolve,
    /// It listens.
    Connect,
    /// It is who it should be: by its host key, or its certificate.
    HostKey,
    /// It lets us in.
    Authentication,
    /// The repository is there and can be listed.
    Repository,
}

impl TestStep {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Resolve, Self::Connect, Self::HostKey, Self::Authentication, Self::Repository];

    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::HostKey => "host_key",
            Self::Authentication => "authentication",
            Self::Repository => "repository",
        }
    }
}

/// Which keys are offered over SSH.
pub enum KeysToTry {
    /// The common ones, as for a new connection.
    Common,
    /// One of the pool.
    OfPool(SshKeyId),
    /// One that somebody gives for this alone.
    Given(Box<SshKey>),
}

/// What came of it.
#[derive(Debug)]
pub struct Tested {
    /// Where it ended, and why; nothing when all of it is well.
    pub failed: Option<(TestStep, FailureCode, String)>,
    /// Whether the host proved who it is; without that its step is not done, even where it ended at a later one.
    pub is_proved: bool,
    /// Keys that were offered, in their order.
    pub offered: Vec<SshKeyId>,
    /// The one that was taken.
    pub accepted: Option<SshKeyId>,
    /// How many refs there are.
    pub refs: u64,
}

/// Tries it out. What it says of a key that was given names no key of the pool.
pub async fn test_connection(app: &App, url: &RemoteUrl, keys: KeysToTry) -> Result<Tested, JobError> {
    let is_ssh = url.scheme() == Scheme::Ssh;
    let mut tested = Tested { failed: None, is_proved: !is_ssh, offered: Vec::new(), accepted: None, refs: 0 };
    let settings = &app.jobs.git;
    let mut remote = Remote {
        url: url.clone(),
        credential: None,
        trust: Trust::WebPki,
        proxy: None,
        ssh: None,
        addresses: Arc::clone(&settings.addresses),
        limits: Limits { silence: SILENCE, listing: LISTING, ..Limits::default() },
    };
    if let Err(error) = reached(&remote).await {
        tested.failed = Some(told(&error, is_ssh, &tested));
        return Ok(tested);
    }
    if is_ssh {
        let access = match keys {
            KeysToTry::Common => ssh_access::access_by_common_keys(app, url).await,
            KeysToTry::OfPool(key) => ssh_access::access_with(app, url, key).await,
            KeysToTry::Given(key) => ssh_access::access_with_given(app, url, *key).await,
        };
        match access {
            Ok(access) => remote.ssh = Some(access),
            Err(JobError::Failed(code, text)) => {
                tested.failed = Some((TestStep::Authentication, code, text));
                return Ok(tested);
            }
            Err(error) => return Err(error),
        }
    }
    let selection = RefSelection::default();
    let listing = list_remote_refs(&remote, &selection, git::MAX_REFS);
    // A place at the host may be waited for, beside what a listing may take.
    let Ok(listed) = tokio::time::timeout(2 * LISTING, listing).await else {
        return Err(untried(remote.busy()));
    };
    if let Some(ssh) = remote.ssh.as_ref().and_then(|ssh| ssh.told()) {
        // A key is asked for once the host has shown one that is trusted.
        tested.is_proved = true;
        (tested.offered, tested.accepted) = (ssh.offered, ssh.accepted);
    }
    match listed {
        Ok(listed) => tested.refs = listed.refs.len() as u64,
        // It says nothing of the place.
        Err(error @ GitError::HostBusy { .. }) => return Err(untried(error)),
        Err(error) => {
            tested.failed = Some(told(&error, is_ssh, &tested));
            ssh_access::met(app, url, &error).await;
        }
    }
    Ok(tested)
}

/// Nothing was tried, as it is said to who waits.
fn untried(busy: GitError) -> JobError {
    JobError::NoPlace(DiffTrouble::from(busy).to_string())
}

/// Whether somebody listens at an address that may be reached.
async fn reached(remote: &Remote) -> Result<(), GitError> {
    use git::remote::RemoteTrouble::{ConnectionRefused, Unreachable};
    let (policy, url, within) = (&remote.addresses, &remote.url, remote.limits.connect);
    policy.allows_scheme(url)?;
    let addresses = policy.resolve(url.host(), url.port(), within).await?;
    match tokio::time::timeout(within, TcpStream::connect(addresses.as_slice())).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            Err(remote.trouble(ConnectionRefused))
        }
        Ok(Err(_)) | Err(_) => Err(remote.trouble(Unreachable)),
    }
}

/// At which step it ended. What may be of several is of the first that nothing proves to be done.
fn told(error: &GitError, is_ssh: bool, tested: &Tested) -> (TestStep, FailureCode, String) {
    use FailureCode as Code;
    let code = error.failure_code().unwrap_or(Code::Internal);
    let step = match code {
        Code::HostUnknown | Code::AddressDenied | Code::UrlNotAllowed => TestStep::Resolve,
        Code::ConnectionRefused | Code::Unreachable => TestStep::Connect,
        Code::HostKeyUnknown | Code::HostKeyChanged | Code::SshAlgorithms => TestStep::HostKey,
        Code::TlsUntrusted | Code::TlsExpired | Code::TlsWrongHost | Code::TlsPinMismatch | Code::TlsFailed => {
            TestStep::HostKey
        }
        Code::SshAuthFailed | Code::SshNoKey | Code::SshKeyNotOnThisNode | Code::SshProgramMissing => {
            TestStep::Authentication
        }
        Code::Unauthorized | Code::Forbidden => TestStep::Authentication,
        Code::ConnectionLost | Code::RemoteSilent if is_ssh && tested.accepted.is_some() => TestStep::Repository,
        Code::ConnectionLost | Code::RemoteSilent if is_ssh && tested.is_proved => TestStep::Authentication,
        Code::ConnectionLost | Code::RemoteSilent => TestStep::HostKey,
        // A key that cannot be opened, mostly.
        Code::Internal if is_ssh && tested.accepted.is_none() => TestStep::Authentication,
        _ => TestStep::Repository,
    };
    (step, code, error.to_string())
}
