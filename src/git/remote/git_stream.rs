//! A connection that git's protocol is spoken over from both sides: `git://`, which is encrypted and proved by nothing, or
//! SSH; to one of the checked addresses. Called by the listing of refs and by the in-process fetch. Dropping it ends it.

use std::{io, time::Duration};

use keytrail_domain::remote_url::Scheme;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{GitError, Reach, Remote, RemoteTrouble};
use crate::git::ssh::Session;

/// A connection to a repository.
pub(in crate::git) struct GitStream<'a> {
    remote: &'a Remote,
    way: Way,
    /// Without any new byte.
    silence: Duration,
}

enum Way {
    Tcp(TcpStream),
    Ssh(Box<Session>),
}

impl<'a> GitStream<'a> {
    /// Connects, names the repository, and asks for protocol 2. The server answers with its advertisement.
    pub(in crate::git) async fn connect(remote: &'a Remote, silence: Duration) -> Result<Self, GitError> {
        if remote.url.scheme() == Scheme::Ssh {
            let way = Way::Ssh(Box::new(Session::begin(remote, silence).await?));
            return Ok(Self { remote, way, silence });
        }
        let Reach::Direct(addresses) = remote.reach().await? else {
            // An HTTP proxy speaks HTTP.
            return Err(remote.trouble(RemoteTrouble::ProxyFailed));
        };
        let connected = tokio::time::timeout(remote.limits.connect, TcpStream::connect(addresses.as_slice())).await;
        let stream = match connected {
            Ok(Ok(stream)) => stream,
            Ok(Err(_)) => return Err(remote.trouble(RemoteTrouble::ConnectionRefused)),
            Err(_) => return Err(remote.trouble(RemoteTrouble::Unreachable)),
        };
        let path = remote.url.decoded_path().map_err(|_| remote.trouble(RemoteTrouble::NotFound))?;
        let host = format!("{}:{}", remote.url.host(), remote.url.port());
        // As gitprotocol-pack has it. Older daemons take a line feed for a part of the last word, so there is none.
        let first = format!("git-upload-pack {path}\0host={host}\0\0version=2\0");
        let first = format!("{:04x}{first}", first.len() + 4);
        let mut stream = Self { remote, way: Way::Tcp(stream), silence };
        stream.send(first.as_bytes()).await?;
        Ok(stream)
    }

    /// Sends a message.
    pub(in crate::git) async fn send(&mut self, message: &[u8]) -> Result<(), GitError> {
        match tokio::time::timeout(self.silence, self.way.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(self.remote.trouble(RemoteTrouble::ConnectionLost)),
            Err(_) => Err(self.remote.trouble(RemoteTrouble::Silent)),
        }
    }

    /// Waits for what comes next and appends it; `false` at the end.
    pub(in crate::git) async fn fill(&mut self, buffer: &mut Vec<u8>) -> Result<bool, GitError> {
        buffer.reserve(64 * 1024);
        match tokio::time::timeout(self.silence, self.way.fill(buffer)).await {
            Ok(Ok(count)) => Ok(count > 0),
            Ok(Err(_)) => Err(self.remote.trouble(RemoteTrouble::ConnectionLost)),
            Err(_) => Err(self.remote.trouble(RemoteTrouble::Silent)),
        }
    }
}

impl Way {
    async fn send(&mut self, message: &[u8]) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.write_all(message).await,
            Self::Ssh(session) => session.send(message).await,
        }
    }

    async fn fill(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read_buf(buffer).await,
            Self::Ssh(session) => session.fill(buffer).await,
        }
    }
}
