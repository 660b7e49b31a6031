//! Looks at the host keys of a server, of all kinds that are in use, by the program `ssh-keyscan`. It connects to an address
//! that was looked up once and is allowed, tells the program that address and no name, and gives it nothing of the
//! server's environment. It proves nothing: whoever stands between is looked at instead.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use keytrail_domain::host_key::{Endpoint, HostPublicKey, MOST_KEYS};
use tokio::{
    io::AsyncReadExt as _,
    net::TcpStream,
    process::Command,
    time::{Instant, timeout, timeout_at},
};

use crate::git::{GitError, remote::AddressPolicy};

/// The program.
const PROGRAM: &str = "ssh-keyscan";
/// The kinds that are asked for; it makes a connection for each.
const KINDS: &str = "ed25519,ecdsa,rsa";
/// How long one step may take: looking up, connecting, the first line, the program's own bound of silence.
const STEP: Duration = Duration::from_secs(5);
/// The same in seconds, as the program wants it.
const STEP_SECONDS: &str = "5";
/// How long all of it may take.
const WHOLE: Duration = Duration::from_secs(20);
/// What is read of the first lines of a server.
const MOST_GREETING: usize = 4 << 10;
/// What is read of the program.
const MOST_OUTPUT: u64 = 256 << 10;

/// Looks at host keys.
#[derive(Clone, Debug)]
pub struct Scanner {
    program: PathBuf,
}

/// Why there is nothing to be seen.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// The program is not there.
    #[error(
        "this server has no program ssh-keyscan, by which host keys are looked at; install the package openssh-client there, \
         or import a known_hosts file"
    )]
    NoProgram,
    /// The host has no address, or one that may not be reached.
    #[error(transparent)]
    Address(#[from] GitError),
    /// Nothing listens there.
    #[error("nothing listens at {0}; check the port, and whether the server runs")]
    Refused(Endpoint),
    /// There is no way to it.
    #[error("there is no way to {0}; check the network and the firewalls between")]
    Unreachable(Endpoint),
    /// It says nothing in time.
    #[error("{0} did not answer in time; check the port and the firewalls between, and try again")]
    Silent(Endpoint),
    /// It speaks, but something else.
    #[error("what answers at {0} does not speak SSH; check the port")]
    NotSsh(Endpoint),
    /// It has none of a kind that is in use.
    #[error(
        "{0} shows no host key of a kind that is used today (Ed25519, ECDSA, RSA); its SSH may be too old for that, or closes \
         connections of this server"
    )]
    NoKeys(Endpoint),
    /// The program could not be run.
    #[error("the program ssh-keyscan could not be run on this server")]
    Program(#[source] std::io::Error),
}

impl Scanner {
    /// The program in one of these folders.
    pub fn find(folders: &[PathBuf]) -> Result<Self, ScanError> {
        let mut candidates = folders.iter().map(|folder| folder.join(PROGRAM));
        let program = candidates.find(|path| path.is_absolute() && path.is_file());
        program.map(|program| Self { program }).ok_or(ScanError::NoProgram)
    }

    /// All keys that the server shows, each once, in the order of their kinds.
    pub async fn scan(&self, server: &Endpoint, addresses: &AddressPolicy) -> Result<Vec<HostPublicKey>, ScanError> {
        let until = Instant::now() + WHOLE;
        let scanned = timeout_at(until, async {
            let found = addresses.resolve(&server.host, server.port, STEP).await?;
            let address = speaking(server, &found).await?;
            let output = self.output(address).await?;
            let keys = keys_of(&String::from_utf8_lossy(&output));
            if keys.is_empty() { Err(ScanError::NoKeys(server.clone())) } else { Ok(keys) }
        });
        scanned.await.unwrap_or_else(|_| Err(ScanError::Silent(server.clone())))
    }

    async fn output(&self, address: SocketAddr) -> Result<Vec<u8>, ScanError> {
        let mut child = command(&self.program, address).spawn().map_err(ScanError::Program)?;
        let mut output = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            // Who says more than that is not waited for.
            stdout.take(MOST_OUTPUT).read_to_end(&mut output).await.map_err(ScanError::Program)?;
        }
        // It may have ended by itself.
        let _ = child.start_kill();
        child.wait().await.map_err(ScanError::Program)?;
        Ok(output)
    }
}

/// An address cannot be taken for an option; the dashes are there all the same.
fn command(program: &Path, address: SocketAddr) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .args(["-T", STEP_SECONDS, "-t", KINDS, "-p", &address.port().to_string(), "--"])
        .arg(address.ip().to_string())
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    command
}

/// The first address at which something speaks SSH; else what is wrong with the first.
async fn speaking(server: &Endpoint, addresses: &[SocketAddr]) -> Result<SocketAddr, ScanError> {
    let mut wrong = None;
    for address in addresses {
        match greeting(server, *address).await {
            Ok(()) => return Ok(*address),
            Err(error) => wrong = wrong.or(Some(error)),
        }
    }
    Err(wrong.unwrap_or_else(|| ScanError::Unreachable(server.clone())))
}

async fn greeting(server: &Endpoint, address: SocketAddr) -> Result<(), ScanError> {
    let silent = |_| ScanError::Silent(server.clone());
    let stream = timeout(STEP, TcpStream::connect(address)).await.map_err(silent)?;
    let mut stream = stream.map_err(|error| match error.kind() {
        std::io::ErrorKind::ConnectionRefused => ScanError::Refused(server.clone()),
        std::io::ErrorKind::TimedOut => ScanError::Silent(server.clone()),
        _ => ScanError::Unreachable(server.clone()),
    })?;
    let mut said = Vec::new();
    let read = async {
        let mut part = [0; 512];
        while said.len() < MOST_GREETING && !speaks_ssh(&said) {
            match stream.read(&mut part).await {
                Ok(count @ 1..) => said.extend_from_slice(&part[..count]),
                Ok(_) | Err(_) => break,
            }
        }
    };
    timeout(STEP, read).await.map_err(silent)?;
    if speaks_ssh(&said) { Ok(()) } else { Err(ScanError::NotSsh(server.clone())) }
}

/// Other lines may stand before it (RFC 4253, section 4.2).
fn speaks_ssh(said: &[u8]) -> bool {
    said.split(|byte| *byte == b'\n').any(|line| line.starts_with(b"SSH-2.0-") || line.starts_with(b"SSH-1.99-"))
}

/// What the program printed: lines of known_hosts. What is no key is passed over: it came from the server.
fn keys_of(output: &str) -> Vec<HostPublicKey> {
    let mut keys = Vec::new();
    for line in output.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split_ascii_whitespace().skip(1);
        let (Some(algorithm), Some(base64)) = (words.next(), words.next()) else { continue };
        match HostPublicKey::read(algorithm, base64) {
            Ok(key) if !keys.contains(&key) && keys.len() < MOST_KEYS => keys.push(key),
            Ok(_) | Err(_) => {}
        }
    }
    keys.sort();
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_of_a_person_reaches_the_program() {
        let address: SocketAddr = "[::1]:2222".parse().expect("an address");
        let command = command(Path::new("/bin/ssh-keyscan"), address);
        let words: Vec<_> = command.as_std().get_args().map(|word| word.to_string_lossy().into_owned()).collect();
        assert_eq!(words, ["-T", "5", "-t", "ed25519,ecdsa,rsa", "-p", "2222", "--", "::1"]);
        assert_eq!(command.as_std().get_envs().count(), 0);
    }

    #[test]
    fn what_is_no_key_is_passed_over_and_each_key_is_there_once() {
        let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB";
        let output =
            format!("# 127.0.0.1:22 SSH-2.0-x\n127.0.0.1 {key}\n127.0.0.1 {key}\n127.0.0.1 ssh-rsa AAAA\nx\n\n");
        assert_eq!(keys_of(&output).len(), 1);
        assert!(keys_of("").is_empty());
    }

    #[test]
    fn ssh_greets_with_its_version_after_other_lines_maybe() {
        for said in ["SSH-2.0-OpenSSH_9.2\r\n", "hello\r\nSSH-2.0-dropbear", "SSH-1.99-Cisco"] {
            assert!(speaks_ssh(said.as_bytes()), "{said}");
        }
        for said in ["", "HTTP/1.1 400 Bad Request", "SSH-1.5-old", "x SSH-2.0-"] {
            assert!(!speaks_ssh(said.as_bytes()), "{said}");
        }
    }

    #[test]
    fn a_program_that_is_not_there_is_said() {
        let folder = tempfile::tempdir().expect("a folder");
        let folders = [folder.path().to_owned(), PathBuf::from("relative")];
        assert!(matches!(Scanner::find(&folders), Err(ScanError::NoProgram)));
    }
}
