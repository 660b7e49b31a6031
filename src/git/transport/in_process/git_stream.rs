//! A question over `git://`: one connection to a checked address, which is encrypted and proved by nothing. Called on
//! behalf of the in-process transport.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{
    Incoming,
    advertisement::{Advertisement, Dialect},
    question::Question,
};
use crate::git::{
    GitError,
    remote::{Reach, Remote, RemoteTrouble},
    transport::{FetchError, fetch::FetchRequest},
};

/// The answer on its way.
pub(super) struct GitStream {
    stream: TcpStream,
}

impl Incoming for GitStream {
    async fn fill(&mut self, buffer: &mut Vec<u8>) -> Result<bool, GitError> {
        buffer.reserve(64 * 1024);
        match self.stream.read_buf(buffer).await {
            Ok(count) => Ok(count > 0),
            Err(_) => Err(FetchError::BrokeOff.into()),
        }
    }
}

/// Connects and asks; what comes next is the answer.
pub(super) async fn ask(
    remote: &Remote,
    reach: &Reach,
    question: &Question<'_>,
    request: &FetchRequest<'_>,
) -> Result<GitStream, GitError> {
    let asked = tokio::time::timeout(request.limits.silence, asked(remote, reach, question));
    asked.await.map_err(|_| remote.trouble(RemoteTrouble::Silent))?
}

async fn asked(remote: &Remote, reach: &Reach, question: &Question<'_>) -> Result<GitStream, GitError> {
    let broke_off = |_| GitError::from(FetchError::BrokeOff);
    let Reach::Direct(addresses) = reach else {
        // An HTTP proxy speaks HTTP.
        return Err(remote.trouble(RemoteTrouble::ProxyFailed));
    };
    let connected = tokio::time::timeout(remote.limits.connect, TcpStream::connect(addresses.as_slice())).await;
    let stream = match connected {
        Ok(Ok(stream)) => stream,
        Ok(Err(_)) => return Err(remote.trouble(RemoteTrouble::ConnectionRefused)),
        Err(_) => return Err(remote.trouble(RemoteTrouble::Unreachable)),
    };
    let mut incoming = GitStream { stream };
    let path = remote.url.decoded_path().map_err(|_| remote.trouble(RemoteTrouble::NotFound))?;
    let host = format!("{}:{}", remote.url.host(), remote.url.port());
    // Older daemons take a line feed for a part of the last word, so there is none.
    let first = format!("git-upload-pack {path}\0host={host}\0\0version=2\0");
    let first = format!("{:04x}{first}", first.len() + 4);
    incoming.stream.write_all(first.as_bytes()).await.map_err(broke_off)?;
    let mut advertisement = Advertisement::default();
    let dialect: Dialect = loop {
        // git daemon closes the connection when it does not export what was asked for.
        if !incoming.fill(advertisement.buffer()).await? {
            return Err(remote.trouble(RemoteTrouble::NotFound));
        }
        match advertisement.read() {
            Ok(Some(dialect)) => break dialect,
            Ok(None) => {}
            Err(_) => return Err(remote.trouble(RemoteTrouble::NotFound)),
        }
    };
    incoming.stream.write_all(&question.text(dialect)).await.map_err(broke_off)?;
    Ok(incoming)
}
