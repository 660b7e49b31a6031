//! A connection over SSH to the program that serves a repository, spoken to by our own client. Made by the stream of git's
//! protocol; dropping it ends it with all its processes.

use std::{io, process::Stdio, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child, ChildStdin, ChildStdout, Command},
    runtime::Handle,
    sync::OwnedSemaphorePermit,
    task::JoinHandle,
};

use super::{
    Door, Knocking,
    options::{command, user},
};
use crate::git::{
    GitError,
    remote::{Remote, RemoteTrouble},
    transport::Group,
};

/// What is kept of what the program says beside the answer.
const MOST_SAID: u64 = 16 * 1024;
/// How long a program that closed its answer may take to end.
const ENDS: Duration = Duration::from_secs(5);

/// A connection whose host has said something as git does.
pub(in crate::git) struct Session {
    stdin: ChildStdin,
    stdout: ChildStdout,
    /// What came first, until somebody takes it.
    first: Vec<u8>,
    // In this order they go: the processes, what they said, and then the door.
    _running: Running,
    _said: Said,
    door: Door,
}

/// The program, and the place at the host. It is ended with the value.
struct Running {
    group: Group,
    child: Option<Child>,
    place: Option<Arc<OwnedSemaphorePermit>>,
}

impl Running {
    /// How it ended by itself, where it does so soon.
    async fn ended(&mut self) -> Option<i32> {
        let status = tokio::time::timeout(ENDS, self.child.as_mut()?.wait()).await.ok()?.ok()?;
        self.group.ended();
        status.code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.group.kill();
        if let (Some(mut child), place, Ok(runtime)) = (self.child.take(), self.place.take(), Handle::try_current()) {
            // What is killed has its connection for a moment more: nobody comes to the host in its place before it is gone.
            runtime.spawn(async move {
                let _ = child.wait().await;
                drop(place);
            });
        }
    }
}

/// Reads what the program says beside the answer; it ends with the value.
struct Said(JoinHandle<Vec<u8>>);

impl Drop for Said {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Session {
    /// Comes with one key after the other until the host serves the repository by one of them.
    pub(in crate::git) async fn begin(remote: &Remote, silence: Duration) -> Result<Self, GitError> {
        let mut knocking = Knocking::at(remote).await?;
        loop {
            let door = knocking.door().await?;
            match Self::by(remote, door, silence).await? {
                Ok(session) => {
                    knocking.taken(&session.door);
                    return Ok(session);
                }
                Err((door, trouble)) => {
                    // Only the command at the other end says these after a login.
                    if door.has_signed() && matches!(trouble, RemoteTrouble::NotFound | RemoteTrouble::NotGit) {
                        knocking.taken(&door);
                    }
                    knocking.failed(door, trouble)?;
                }
            }
        }
    }

    /// One attempt.
    async fn by(
        remote: &Remote,
        door: Door,
        silence: Duration,
    ) -> Result<Result<Self, (Door, RemoteTrouble)>, GitError> {
        let starting = |error: io::Error| GitError::transient("starting the ssh program", error);
        let command_there = command(&remote.url).map_err(|_| remote.trouble(RemoteTrouble::NotFound))?;
        let mut child = Command::new(door.program())
            .args(door.options())
            .arg("--")
            .arg(format!("{}@{}", user(&remote.url), super::HOST_ALIAS))
            .arg(command_there)
            .env_clear()
            .env("LC_ALL", "C")
            .env("HOME", "/nonexistent")
            .env("GIT_PROTOCOL", "version=2")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(starting)?;
        let group = Group::of(&child);
        door.group().send_replace(group.id());
        let outlets = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let mut running = Running { group, child: Some(child), place: door.place() };
        let (Some(stdin), Some(mut stdout), Some(stderr)) = outlets else {
            return Err(starting(io::Error::other("it has no output")));
        };
        let mut said = Said(tokio::spawn(listen(stderr)));
        let mut first = Vec::with_capacity(64 * 1024);
        // Connecting and logging in have their own time beside the silence.
        let came = tokio::time::timeout(remote.limits.connect + silence, stdout.read_buf(&mut first)).await;
        match came {
            Ok(Ok(1..)) => Ok(Ok(Self { stdin, stdout, first, _running: running, _said: said, door })),
            Ok(Ok(0) | Err(_)) => {
                let code = running.ended().await;
                drop(running);
                let lines = tokio::time::timeout(ENDS, &mut said.0).await.ok().and_then(Result::ok);
                let lines = lines.unwrap_or_default();
                let trouble = door.trouble(&String::from_utf8_lossy(&lines), code);
                Ok(Err((door, trouble)))
            }
            Err(_) => Ok(Err((door, RemoteTrouble::Silent))),
        }
    }

    /// Sends a message.
    pub(in crate::git) async fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.stdin.write_all(message).await?;
        self.stdin.flush().await
    }

    /// Appends what comes next; 0 at the end.
    pub(in crate::git) async fn fill(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        if self.first.is_empty() {
            return self.stdout.read_buf(buffer).await;
        }
        let first = std::mem::take(&mut self.first);
        buffer.extend_from_slice(&first);
        Ok(first.len())
    }
}

/// All of it is read, so that nobody waits for us; the beginning is kept.
async fn listen(mut from: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut kept = Vec::new();
    if (&mut from).take(MOST_SAID).read_to_end(&mut kept).await.is_ok() {
        let mut rest = vec![0; 16 * 1024];
        while let Ok(1..) = from.read(&mut rest).await {}
    }
    kept
}
