//! A real OpenSSH server on a port of loopback, with host keys and a configuration of its own, as the user who runs the
//! tests. Called by tests of host keys and of repositories over SSH; however the process ends, nothing of it is left behind.

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::Command,
};

use tempfile::TempDir;

use crate::{
    process_group::{ProcessGroup, free_port, said, wait_until_closed},
    web_server::programs::program,
};

/// How often it is started again on the port that it had, which its predecessor may still hold.
const ATTEMPTS: usize = 50;

/// What a host key is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostKeyKind {
    /// `ssh-ed25519`
    Ed25519,
    /// `ecdsa-sha2-nistp256`
    Ecdsa,
    /// `ssh-rsa`, with 2048 bits
    Rsa,
}

impl HostKeyKind {
    /// The word of `ssh-keygen -t`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::Ecdsa => "ecdsa",
            Self::Rsa => "rsa",
        }
    }

    /// The name in the protocol: the first word of a public key.
    pub fn algorithm(self) -> &'static str {
        match self {
            Self::Ed25519 => "ssh-ed25519",
            Self::Ecdsa => "ecdsa-sha2-nistp256",
            Self::Rsa => "ssh-rsa",
        }
    }
}

/// How a server is to be.
#[derive(Clone, Debug)]
pub struct Config {
    /// Of each kind one host key is made.
    pub host_keys: Vec<HostKeyKind>,
    /// Lines of `authorized_keys`: who may come in, as the user who runs the tests.
    pub authorized: Vec<String>,
    /// More lines of `sshd_config`.
    pub lines: Vec<String>,
}

impl Default for Config {
    /// A host key of each kind, and nobody may come in.
    fn default() -> Self {
        Self {
            host_keys: vec![HostKeyKind::Ed25519, HostKeyKind::Ecdsa, HostKeyKind::Rsa],
            authorized: Vec::new(),
            lines: Vec::new(),
        }
    }
}

/// A running server; it ends with the value.
pub struct Sshd {
    /// `None` while it is away.
    group: Option<ProcessGroup>,
    /// Where it listens on 127.0.0.1.
    pub port: u16,
    kinds: Vec<HostKeyKind>,
    user: String,
    folder: TempDir,
}

impl Sshd {
    /// Starts one on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// When `ssh-keygen` is missing, or `sshd` does not take the configuration.
    ///
    /// # Panics
    /// When `sshd` is missing; the text says which package brings it.
    pub fn start(config: Config) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let user = said(Command::new("id").arg("-un"))?.trim().to_owned();
        if user == "root" {
            // Where the part of sshd without rights lives, when it has rights to give up.
            fs::create_dir_all("/run/sshd")?;
        }
        fs::write(folder.path().join("authorized_keys"), config.authorized.join("\n") + "\n")?;
        let mut server = Self { group: None, port: 0, kinds: config.host_keys, user, folder };
        for kind in server.kinds.clone() {
            server.make_host_key(kind)?;
        }
        let mut refused = String::new();
        for _ in 0..5 {
            // Another program may take the port between this line and the next.
            server.port = free_port()?;
            server.write_configuration(&config.lines)?;
            if server.listens()? {
                return Ok(server);
            }
            refused = server.log();
        }
        Err(io::Error::other(format!("sshd does not listen: {refused}")))
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Whom it lets in: the user who runs the tests.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The file with the private half of a host key.
    pub fn host_key_file(&self, kind: HostKeyKind) -> PathBuf {
        self.folder.path().join(format!("host_{}", kind.word()))
    }

    /// The public half of a host key: its algorithm and its blob in base64, as in a line of known_hosts behind the name.
    ///
    /// # Errors
    /// When it has no key of this kind.
    pub fn host_key(&self, kind: HostKeyKind) -> io::Result<String> {
        let line = fs::read_to_string(self.host_key_file(kind).with_extension("pub"))?;
        Ok(line.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
    }

    /// What known_hosts says of it: one line for each host key, for 127.0.0.1 and its port.
    ///
    /// # Errors
    /// When a key cannot be read.
    pub fn known_hosts(&self) -> io::Result<String> {
        let lines = self.kinds.iter().map(|kind| Ok(format!("[127.0.0.1]:{} {}\n", self.port, self.host_key(*kind)?)));
        lines.collect()
    }

    /// Makes another host key of this kind, and starts anew on the same port.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn replace_host_key(&mut self, kind: HostKeyKind) -> io::Result<()> {
        self.stop();
        self.make_host_key(kind)?;
        self.start_again()
    }

    /// Who may come in from now on; it is asked anew at each connection.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn authorize(&self, lines: &[String]) -> io::Result<()> {
        fs::write(self.folder.path().join("authorized_keys"), lines.join("\n") + "\n")
    }

    /// Nobody listens there any more, and every connection is cut.
    pub fn stop(&mut self) {
        self.group = None;
        wait_until_closed(self.port);
    }

    /// It listens again, on the same port and with the same keys.
    ///
    /// # Errors
    /// When somebody took the port.
    pub fn start_again(&mut self) -> io::Result<()> {
        self.stop();
        for _ in 0..ATTEMPTS {
            if self.listens()? {
                return Ok(());
            }
        }
        Err(io::Error::other(format!("sshd does not listen again: {}", self.log())))
    }

    /// What it logged so far, at the level VERBOSE: each connection, each key that was offered.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn make_host_key(&self, kind: HostKeyKind) -> io::Result<()> {
        let file = self.host_key_file(kind);
        for old in [file.clone(), file.with_extension("pub")] {
            if old.exists() {
                fs::remove_file(old)?;
            }
        }
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-t", kind.word(), "-N", "", "-C", "host", "-f"]).arg(&file);
        if kind == HostKeyKind::Rsa {
            command.args(["-b", "2048"]);
        }
        said(&mut command).map(|_| ())
    }

    fn write_configuration(&self, more: &[String]) -> io::Result<()> {
        let folder = self.folder.path().display();
        // What a person's shell begins with may wait, or leave something behind when it is killed: here is none.
        let mut text = format!(
            "SetEnv HOME={folder}\nPort {}\nListenAddress 127.0.0.1\nAuthorizedKeysFile {folder}/authorized_keys\nPidFile none\n\
             StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
             PubkeyAuthentication yes\nPermitRootLogin prohibit-password\nUseDNS no\nPrintMotd no\n\
             AllowTcpForwarding no\nX11Forwarding no\nLogLevel VERBOSE\nMaxStartups 200\n",
            self.port
        );
        for kind in &self.kinds {
            text += &format!("HostKey {}\n", self.host_key_file(*kind).display());
        }
        // The first word counts of what is said twice, so what a test wants stands before.
        fs::write(self.configuration(), more.join("\n") + "\n" + &text)
    }

    fn configuration(&self) -> PathBuf {
        self.folder.path().join("sshd_config")
    }

    fn listens(&mut self) -> io::Result<bool> {
        // It runs itself again for each connection, so it wants to be called by its whole path.
        let program = program("sshd", "openssh-server").display().to_string();
        let configuration = self.configuration().display().to_string();
        let log = self.folder.path().join("log").display().to_string();
        let mut words = vec![program.as_str(), "-D", "-f", &configuration, "-E", &log];
        // Since 9.8 it sends away who came and went without a key, as those do who look at host keys.
        let patient = "PerSourcePenalties=no";
        if said(Command::new(&program).args(["-t", "-f", &configuration, "-o", patient])).is_ok() {
            words.extend(["-o", patient]);
        }
        self.group = ProcessGroup::serving(&words, &[], self.port)?;
        Ok(self.group.is_some())
    }
}
