//! A real dropbear on a port of loopback: another implementation of SSH than OpenSSH's, with host keys and authorized_keys of
//! its own, as the user who runs the tests, root or not. Called by tests of repositories over SSH; however the process ends,
//! nothing of it is left behind.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use crate::{
    process_group::{ProcessGroup, free_port, said, wait_until_closed},
    sshd::HostKeyKind,
    web_server::programs::program,
};

/// Of each of these it has one host key.
const KINDS: [HostKeyKind; 3] = [HostKeyKind::Ed25519, HostKeyKind::Ecdsa, HostKeyKind::Rsa];
/// It lets in whoever is in the home of the user, and that is where the list of users says. With this library it reads a
/// list of ours, with a home of ours; what it starts is without it.
const OWN_USERS: &str = "libnss_wrapper.so";
/// How often it is started again on the port that it had, which its predecessor may still hold.
const ATTEMPTS: usize = 50;

/// A running server; it ends with the value.
pub struct Dropbear {
    /// `None` while it is away.
    group: Option<ProcessGroup>,
    /// Where it listens on 127.0.0.1.
    pub port: u16,
    user: String,
    folder: TempDir,
}

impl Dropbear {
    /// Starts one on a free port of 127.0.0.1 that lets these lines of authorized_keys in.
    ///
    /// # Errors
    /// When it does not listen, or does not read our list of users.
    ///
    /// # Panics
    /// When `dropbear` is missing; the text says which package brings it.
    pub fn start(authorized: &[String]) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let id = |option: &str| Ok::<_, io::Error>(said(Command::new("id").arg(option))?.trim().to_owned());
        let (user, uid, gid) = (id("-un")?, id("-u")?, id("-g")?);
        let home = folder.path().join("home");
        // It believes no list that others may write.
        fs::DirBuilder::new().recursive(true).mode(0o700).create(home.join(".ssh"))?;
        let list = home.join(".ssh/authorized_keys");
        fs::write(&list, authorized.join("\n") + "\n")?;
        fs::set_permissions(&list, fs::Permissions::from_mode(0o600))?;
        fs::write(folder.path().join("passwd"), format!("{user}:x:{uid}:{gid}::{}:/bin/sh\n", home.display()))?;
        fs::write(folder.path().join("group"), format!("{user}:x:{gid}:\n"))?;
        let mut server = Self { group: None, port: 0, user, folder };
        let told = said(Command::new("getent").args(["passwd", &server.user]).envs(server.own_users()))?;
        if !told.contains(&home.display().to_string()) {
            return Err(io::Error::other(format!(
                "{OWN_USERS} does not work: install the Debian package libnss-wrapper"
            )));
        }
        KINDS.into_iter().try_for_each(|kind| server.make_host_key(kind))?;
        for _ in 0..5 {
            // Another program may take the port between this line and the next.
            server.port = free_port()?;
            if server.listens()? {
                return Ok(server);
            }
        }
        Err(io::Error::other(format!("dropbear does not listen: {}", server.log())))
    }

    /// Whom it lets in: the user who runs the tests.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Its host keys as it tells them itself: algorithm, blob in base64, and fingerprint.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn host_keys(&self) -> io::Result<Vec<(String, String, String)>> {
        let key = |kind: HostKeyKind| -> io::Result<(String, String, String)> {
            let told = said(Command::new("dropbearkey").args(["-y", "-f"]).arg(self.host_key_file(kind)))?;
            let line = told.lines().find(|line| line.starts_with(kind.algorithm())).unwrap_or_default();
            let fingerprint = told.lines().find_map(|line| line.strip_prefix("Fingerprint: ")).unwrap_or_default();
            match line.split_whitespace().collect::<Vec<_>>()[..] {
                [algorithm, blob, ..] => Ok((algorithm.to_owned(), blob.to_owned(), fingerprint.trim().to_owned())),
                _ => Err(io::Error::other(format!("dropbearkey told no key: {told}"))),
            }
        };
        KINDS.into_iter().map(key).collect()
    }

    /// Makes another host key of this kind, and starts anew on the same port.
    ///
    /// # Errors
    /// As [`Self::start`], and when somebody took the port.
    pub fn replace_host_key(&mut self, kind: HostKeyKind) -> io::Result<()> {
        self.group = None;
        wait_until_closed(self.port);
        self.make_host_key(kind)?;
        for _ in 0..ATTEMPTS {
            if self.listens()? {
                return Ok(());
            }
        }
        Err(io::Error::other(format!("dropbear does not listen again: {}", self.log())))
    }

    /// What it logged so far: each connection, each key that let somebody in.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn own_users(&self) -> [(&'static str, String); 3] {
        let file = |name: &str| self.folder.path().join(name).display().to_string();
        [
            ("LD_PRELOAD", OWN_USERS.to_owned()),
            ("NSS_WRAPPER_PASSWD", file("passwd")),
            ("NSS_WRAPPER_GROUP", file("group")),
        ]
    }

    fn host_key_file(&self, kind: HostKeyKind) -> PathBuf {
        self.folder.path().join(format!("host_{}", kind.word()))
    }

    fn make_host_key(&self, kind: HostKeyKind) -> io::Result<()> {
        let file = self.host_key_file(kind);
        // It writes over no key.
        if file.exists() {
            fs::remove_file(&file)?;
        }
        said(Command::new("dropbearkey").args(["-t", kind.word(), "-f"]).arg(&file)).map(|_| ())
    }

    fn listens(&mut self) -> io::Result<bool> {
        let text = |path: &Path| path.display().to_string();
        let (program, log) = (text(&program("dropbear", "dropbear-bin")), text(&self.folder.path().join("log")));
        let keys = KINDS.map(|kind| text(&self.host_key_file(kind)));
        let (address, pid) = (format!("127.0.0.1:{}", self.port), text(&self.folder.path().join("pid")));
        // In the foreground, without passwords and forwardings; what it logs goes to its error output.
        let mut words = vec!["sh", "-c", "exec \"$@\" 2>>\"$0\"", &log, &program, "-F", "-E", "-s", "-j", "-k", "-m"];
        words.extend(["-p", &address, "-P", &pid]);
        words.extend(keys.iter().flat_map(|key| ["-r", key.as_str()]));
        let users = self.own_users();
        let environment = users.each_ref().map(|(name, value)| (*name, value.as_str()));
        self.group = ProcessGroup::serving(&words, &environment, self.port)?;
        Ok(self.group.is_some())
    }
}
