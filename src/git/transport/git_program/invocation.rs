//! One call of the git program: its arguments, configuration and environment, locked down. Made by the fetch and by
//! `tend`; it never carries a secret in an argument, a URL or a file, and nothing of the server's own environment.

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
};

use rustix::process::Pid;
use tokio::{
    process::Command,
    sync::{OwnedSemaphorePermit, watch},
};
use zeroize::Zeroizing;

/// What every call is told, whatever the mirror's own configuration says.
///
/// - No protocol is allowed but the one that a fetch allows by [`Invocation::allow`].
/// - Nothing runs that a repository names: hooks, monitors, maintenance.
/// - `transfer.fsckObjects` is off by decision. It would refuse whole histories for one malformed commit that a tool
///   made ten years ago, and guards what a mirror never does: check files out. Names of objects are always verified,
///   and our own reader takes no header on trust. (It costs no time that could be measured.)
/// - Packs stay packs (`fetch.unpackLimit`): their growth is what tells progress, and thousands of files do not.
/// - Little is kept in memory: files that are larger than a few megabytes go to the disk as they come, one thread works,
///   and what differences are made to or from is bounded. The whole call is held to [`Invocation::within`].
/// - A question with 100,000 names is sent in one piece and compressed (`http.postBuffer`): in chunks it is not, and
///   many a server takes no more than a megabyte.
const ALWAYS: [(&str, &str); 22] = [
    ("protocol.allow", "never"),
    ("protocol.version", "2"),
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("core.askPass", ""),
    ("credential.helper", ""),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("fetch.writeCommitGraph", "false"),
    ("fetch.recurseSubmodules", "false"),
    ("submodule.recurse", "false"),
    ("fetch.unpackLimit", "1"),
    ("transfer.bundleURI", "false"),
    ("transfer.fsckObjects", "false"),
    ("http.followRedirects", "false"),
    ("http.proxy", ""),
    ("http.emptyAuth", "false"),
    ("http.postBuffer", "8388608"),
    ("core.bigFileThreshold", "16m"),
    ("core.deltaBaseCacheLimit", "64m"),
    ("pack.threads", "1"),
    ("pack.windowMemory", "64m"),
];

/// A call, as yet not made.
pub(in crate::git) struct Invocation {
    git_dir: Option<PathBuf>,
    arguments: Vec<OsString>,
    /// A value may be a secret: the environment of a process is its user's alone.
    config: Vec<(String, Zeroizing<String>)>,
    environment: Vec<(&'static str, OsString)>,
    /// Bytes of memory that it may take, with all that it starts.
    pub(super) memory: Option<u64>,
    /// Who wants to know which processes these are.
    pub(super) attendant: Option<watch::Sender<Option<Pid>>>,
    /// The place at a host that its processes have, until none of them is left.
    pub(super) place: Option<Arc<OwnedSemaphorePermit>>,
    /// What it reads; nothing when it is empty.
    pub(super) input: Vec<u8>,
}

impl Invocation {
    /// These arguments, none of which comes from outside.
    pub(in crate::git) fn new<const N: usize>(arguments: [&str; N]) -> Self {
        let config = ALWAYS.map(|(key, value)| (key.to_owned(), Zeroizing::new(value.to_owned())));
        Self {
            git_dir: None,
            arguments: arguments.map(OsString::from).to_vec(),
            config: config.to_vec(),
            environment: Vec::new(),
            memory: None,
            attendant: None,
            place: None,
            input: Vec::new(),
        }
    }

    /// Works on this bare repository.
    pub(in crate::git) fn on(mut self, git_dir: &Path) -> Self {
        self.git_dir = Some(git_dir.to_owned());
        self
    }

    /// Takes at most so many bytes of memory; each process that it starts gets the same bound.
    pub(in crate::git) const fn within(mut self, memory: u64) -> Self {
        self.memory = Some(memory);
        self
    }

    /// Tells the group of its processes when it starts.
    pub(in crate::git) fn attended(mut self, by: watch::Sender<Option<Pid>>) -> Self {
        self.attendant = Some(by);
        self
    }

    /// Keeps this place until none of its processes is left.
    pub(in crate::git) fn keeping(mut self, place: Option<Arc<OwnedSemaphorePermit>>) -> Self {
        self.place = place;
        self
    }

    pub(in crate::git) fn argument(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds to the configuration; the last value of a key holds.
    pub(in crate::git) fn config(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.config.push((key.into(), Zeroizing::new(value.into())));
        self
    }

    pub(in crate::git) fn environment(mut self, name: &'static str, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((name, value.as_ref().to_owned()));
        self
    }

    /// Allows one protocol, by both of git's ways.
    pub(in crate::git) fn allow(self, scheme: &str) -> Self {
        self.config(format!("protocol.{scheme}.allow"), "always").environment("GIT_ALLOW_PROTOCOL", scheme)
    }

    pub(in crate::git) fn input(mut self, input: Vec<u8>) -> Self {
        self.input = input;
        self
    }

    /// The command, in a process group of its own, so that it can be ended with its children.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        if let Some(git_dir) = &self.git_dir {
            command.arg("--git-dir").arg(git_dir).current_dir(git_dir);
        }
        command
            .args(&self.arguments)
            .env_clear()
            .env("LC_ALL", "C")
            .env("HOME", "/nonexistent")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_ATTR_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("GIT_NO_REPLACE_OBJECTS", "1")
            .env("GIT_ALLOW_PROTOCOL", "")
            .env("GIT_CONFIG_COUNT", self.config.len().to_string());
        for (at, (key, value)) in self.config.iter().enumerate() {
            command.env(format!("GIT_CONFIG_KEY_{at}"), key).env(format!("GIT_CONFIG_VALUE_{at}"), value.as_str());
        }
        command
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(if self.input.is_empty() { Stdio::null() } else { Stdio::piped() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        command
    }
}
