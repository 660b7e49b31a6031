//! An agent of SSH (draft-miller-ssh-agent) with one key for one attempt, on a socket in a folder that only our user enters.
//! Made before `ssh` starts; it answers the processes of that attempt alone, and is gone with it. It signs logins as one
//! user and nothing else, and writes nothing private to the disk.

use std::{
    fs, io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use rustix::process::{Pid, geteuid, getpgid};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{UnixListener, UnixStream},
    sync::watch,
    task::JoinHandle,
};

use super::{
    Signer,
    login::{is_login, take_string},
};

/// The messages of the protocol that are known here.
const FAILURE: u8 = 5;
const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;
/// The longest message: a login has less than four of the largest keys.
const LONGEST: usize = 32 * 1024;
/// The name of the socket.
const SOCKET: &str = "agent";
/// The longest path of a socket in bytes (`sun_path` of unix(7), less the end).
const LONGEST_SOCKET: usize = 107;
/// The system's folder for temporary files, where nobody takes away or renames what is another's.
const TEMPORARY: &str = "/tmp";
/// Names that are tried for a folder that others may have made.
const MOST_NAMES: u32 = 1_000;
/// Signatures of one attempt: a login has one, and few servers ask twice.
const MOST_SIGNATURES: u64 = 8;

/// A running agent; it ends with the value.
pub(super) struct Agent {
    folder: PathBuf,
    served: Arc<Served>,
    group: watch::Sender<Option<Pid>>,
    task: JoinHandle<()>,
}

struct Served {
    signer: Arc<dyn Signer>,
    user: String,
    asked: AtomicBool,
    signatures: AtomicU64,
    refused: AtomicBool,
}

impl Agent {
    /// Listens in a new folder below `beside`; where that path is too long for a socket, below the
    /// system's folder for temporary files.
    pub(super) fn start(beside: &Path, signer: Arc<dyn Signer>, user: &str) -> io::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(beside)?;
        let mut tries = 0..MOST_NAMES;
        let folder = loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let mut folder = beside.join(format!("{}-{number}", std::process::id()));
            if folder.join(SOCKET).as_os_str().len() > LONGEST_SOCKET {
                folder = Path::new(TEMPORARY).join(format!("keytrail-ssh-{}-{number}", std::process::id()));
            }
            match fs::DirBuilder::new().mode(0o700).create(&folder) {
                // One that is there already, whoever made it, is not taken.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && tries.next().is_some() => {}
                made => {
                    made?;
                    break folder;
                }
            }
        };
        let listener = UnixListener::bind(folder.join(SOCKET)).inspect_err(|_| {
            let _ = fs::remove_dir(&folder);
        })?;
        let served = Served {
            signer,
            user: user.to_owned(),
            asked: false.into(),
            signatures: AtomicU64::new(0),
            refused: false.into(),
        };
        let (group, known) = watch::channel(None);
        let served = Arc::new(served);
        let task = tokio::spawn(listen(listener, served.clone(), known));
        Ok(Self { folder, served, group, task })
    }

    /// Where it listens.
    pub(super) fn socket(&self) -> PathBuf {
        self.folder.join(SOCKET)
    }

    /// Its folder, for what is public and goes with it.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where to tell which group of processes it answers. Until then it lets wait.
    pub(super) fn group(&self) -> watch::Sender<Option<Pid>> {
        self.group.clone()
    }

    /// Whether `ssh` asked for the key, which it does once the host has proved that it has a trusted one.
    pub(super) fn was_asked(&self) -> bool {
        self.served.asked.load(Ordering::Relaxed)
    }

    /// Whether a login was signed: the host showed a key that is trusted, and knows ours.
    pub(super) fn has_signed(&self) -> bool {
        self.served.signatures.load(Ordering::Relaxed) > 0
    }

    /// Whether it was asked for what it does not do.
    #[cfg(test)]
    pub(super) fn has_refused(&self) -> bool {
        self.served.refused.load(Ordering::Relaxed)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.task.abort();
        // Left behind, it holds a public half and a socket that nobody listens at; the next start clears away what is in the
        // server's own folder.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

async fn listen(listener: UnixListener, served: Arc<Served>, group: watch::Receiver<Option<Pid>>) {
    let mut open = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        while open.try_join_next().is_some() {}
        open.spawn(serve(stream, served.clone(), group.clone()));
    }
}

/// One connection, to its end. Whoever is not of the attempt is told nothing.
async fn serve(mut stream: UnixStream, served: Arc<Served>, mut group: watch::Receiver<Option<Pid>>) {
    let Ok(Some(group)) = group.wait_for(Option::is_some).await.map(|group| *group) else { return };
    if !is_of(&stream, group) {
        served.refused.store(true, Ordering::Relaxed);
        return;
    }
    loop {
        let Ok(length) = stream.read_u32().await else { return };
        let length = length as usize;
        if length == 0 || length > LONGEST {
            return;
        }
        let mut message = vec![0; length];
        if stream.read_exact(&mut message).await.is_err() {
            return;
        }
        let answer = served.answer(&message);
        let length = u32::try_from(answer.len()).unwrap_or(u32::MAX);
        let whole = [&length.to_be_bytes()[..], &answer].concat();
        if stream.write_all(&whole).await.is_err() {
            return;
        }
    }
}

/// Whether the process at the other end is our own user's, and one of those that the attempt started.
fn is_of(stream: &UnixStream, group: Pid) -> bool {
    let Ok(peer) = stream.peer_cred() else { return false };
    let peer_group = peer.pid().and_then(Pid::from_raw).and_then(|pid| getpgid(Some(pid)).ok());
    peer.uid() == geteuid().as_raw() && peer_group == Some(group)
}

impl Served {
    fn answer(&self, message: &[u8]) -> Vec<u8> {
        let answer = match message {
            [REQUEST_IDENTITIES] => Some(self.identities()),
            [SIGN_REQUEST, rest @ ..] => self.signature(rest),
            _ => None,
        };
        answer.unwrap_or_else(|| {
            self.refused.store(true, Ordering::Relaxed);
            vec![FAILURE]
        })
    }

    fn identities(&self) -> Vec<u8> {
        self.asked.store(true, Ordering::Relaxed);
        let mut answer = vec![IDENTITIES_ANSWER];
        answer.extend_from_slice(&1_u32.to_be_bytes());
        put_string(&mut answer, self.signer.public_blob());
        put_string(&mut answer, b"");
        answer
    }

    fn signature(&self, mut rest: &[u8]) -> Option<Vec<u8>> {
        let key = take_string(&mut rest)?;
        let message = take_string(&mut rest)?;
        let flags = u32::from_be_bytes(rest.try_into().ok()?);
        let blob = self.signer.public_blob();
        if key != blob || !is_login(message, &self.user, blob) {
            return None;
        }
        if self.signatures.load(Ordering::Relaxed) >= MOST_SIGNATURES {
            return None;
        }
        let signature = self.signer.sign(message, flags)?;
        self.signatures.fetch_add(1, Ordering::Relaxed);
        let mut answer = vec![SIGN_RESPONSE];
        put_string(&mut answer, &signature);
        Some(answer)
    }
}

fn put_string(to: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    to.extend_from_slice(&length.to_be_bytes());
    to.extend_from_slice(bytes);
}
