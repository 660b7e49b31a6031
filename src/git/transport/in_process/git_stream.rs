//! A question over `git://` or SSH. Called on behalf of the in-process transport.

use super::{Incoming, advertisement::Advertisement, question::Question};
use crate::git::{
    GitError,
    remote::{Remote, RemoteTrouble, git_stream::GitStream},
    transport::{FetchError, fetch::FetchRequest},
};

impl Incoming for GitStream<'_> {
    async fn fill(&mut self, buffer: &mut Vec<u8>) -> Result<bool, GitError> {
        broken_off(Self::fill(self, buffer).await)
    }
}

/// Connects and asks; what comes next is the answer.
pub(super) async fn ask<'a>(
    remote: &'a Remote,
    question: &Question<'_>,
    request: &FetchRequest<'_>,
) -> Result<GitStream<'a>, GitError> {
    let mut stream = GitStream::connect(remote, request.limits.silence).await?;
    let mut advertisement = Advertisement::default();
    loop {
        // git daemon closes the connection when it does not serve what was asked for.
        if !stream.fill(advertisement.buffer()).await? {
            return Err(remote.trouble(RemoteTrouble::NotFound));
        }
        match advertisement.read() {
            Ok(Some(_)) if advertisement.is_shallow() => return Err(remote.trouble(RemoteTrouble::Shallow)),
            Ok(Some(dialect)) => {
                broken_off(stream.send(&question.text(dialect)).await)?;
                return Ok(stream);
            }
            Ok(None) => {}
            Err(_) => return Err(remote.trouble(RemoteTrouble::NotFound)),
        }
    }
}

/// In the middle of a fetch a lost connection is a fetch that broke off.
pub(super) fn broken_off<T>(result: Result<T, GitError>) -> Result<T, GitError> {
    result.map_err(|error| match error {
        GitError::Remote(error) if error.trouble == RemoteTrouble::ConnectionLost => FetchError::BrokeOff.into(),
        other => other,
    })
}
