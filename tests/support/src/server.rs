//! The real program as a server, with folders of its own: started, asked over HTTP, killed, started again.
//!
//! It is driven from outside only: its arguments, its environment, its standard output, `server.json`, signals.

mod client;

use std::{
    ffi::OsString,
    fs::File,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

pub use self::client::{Answer, Client, NoAnswer};

/// Nothing takes this long; it only keeps a test from hanging.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// What a server is started with, beside its own folders.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// A PostgreSQL database instead of the embedded store.
    pub database_url: Option<String>,
    /// Variables of its environment.
    pub env: Vec<(String, String)>,
    /// The data folder; below its home when nothing is said. It must be outside the folder of the root key.
    pub data: Option<PathBuf>,
    /// The root key of another server, for nodes over one database.
    pub root_key: Option<PathBuf>,
    /// Where it listens; at a port that is free when nothing is said.
    pub listen: Option<std::net::SocketAddr>,
}

/// The home of a server: its data folder, its root key, what it says.
#[derive(Clone)]
pub struct Home {
    folder: Arc<TempDir>,
    program: PathBuf,
    options: Options,
}

/// Why a server did not come up, in its own words.
#[derive(Debug)]
pub struct Refused {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to standard error.
    pub said: String,
}

/// A running server.
pub struct Server {
    home: Home,
    child: Child,
    client: Client,
}

impl Home {
    /// A new one; nothing runs yet. `program` is `env!("CARGO_BIN_EXE_keytrail")` of the test.
    ///
    /// # Panics
    /// When the temporary folder cannot be made or the root key not written.
    pub fn new(program: &str, options: Options) -> Self {
        let folder = Arc::new(tempfile::tempdir().expect("a temporary folder"));
        let home = Self { folder, program: program.into(), options };
        std::fs::create_dir(home.root_key_folder()).expect("we may make folders there");
        if home.options.database_url.is_some() && home.options.root_key.is_none() {
            // On PostgreSQL it is given, not made.
            write_root_key(&home.root_key());
        }
        home
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.options.data.clone().unwrap_or_else(|| self.folder.path().join("data"))
    }

    /// The file with the root key.
    pub fn root_key(&self) -> PathBuf {
        self.options.root_key.clone().unwrap_or_else(|| self.root_key_folder().join("root.key"))
    }

    fn root_key_folder(&self) -> PathBuf {
        self.folder.path().join("keys")
    }

    /// A folder for what the test needs beside it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The program with the folders of this home and these arguments.
    pub fn command<I: Into<OsString>>(&self, arguments: impl IntoIterator<Item = I>) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(arguments.into_iter().map(Into::into))
            .arg("--data")
            .arg(self.data())
            .arg("--root-key-file")
            .arg(self.root_key())
            // Nobody's own configuration may come in.
            .env("HOME", self.folder.path())
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("XDG_DATA_HOME")
            .env("KEYTRAIL__LOG__FORMAT", "json")
            .envs(self.options.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .kill_on_drop(true);
        if let Some(url) = &self.options.database_url {
            command.arg("--database-url").arg(url);
        }
        command
    }

    /// Runs the program to its end: its exit code, what it printed, what it complained about.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn run<I: Into<OsString>>(
        &self,
        arguments: impl IntoIterator<Item = I>,
    ) -> (Option<i32>, String, String) {
        let running = self.command(arguments).output();
        let output = tokio::time::timeout(PATIENCE, running).await.expect("it ends").expect("the program starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }

    /// Starts the server, and waits until it says where it serves.
    ///
    /// # Panics
    /// When it does neither serve nor end.
    pub async fn try_start(&self) -> Result<Server, Refused> {
        let log = File::options().create(true).append(true).open(self.log_path()).expect("we may write there");
        let before = log.metadata().map_or(0, |log| log.len());
        let listen = self.options.listen.map_or_else(|| "127.0.0.1:0".to_owned(), |at| at.to_string());
        let mut child = self
            .command(["serve", "--listen", &listen])
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the program starts");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.expect("the server serves or ends");
        let Some(line) = line.expect("it prints text") else {
            let status = child.wait().await.expect("it has ended");
            let said = self.log().get(before as usize..).unwrap_or_default().to_owned();
            return Err(Refused { code: status.code(), said });
        };
        let url = line.strip_prefix("keytrail serves on ").unwrap_or_else(|| panic!("the server printed {line:?}"));
        let endpoint =
            std::fs::read(self.data().join("server.json")).expect("a server that serves says how to come in");
        let endpoint: serde_json::Value = serde_json::from_slice(&endpoint).expect("server.json is JSON");
        let token = endpoint["token"].as_str().expect("server.json holds a token");
        // What it prints from here on goes nowhere, but the pipe stays open.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Server { home: self.clone(), child, client: Client::new(url, token) })
    }

    /// The same, where it must serve.
    ///
    /// # Panics
    /// With what it said, when it does not.
    pub async fn start(&self) -> Server {
        self.try_start().await.unwrap_or_else(|refused| panic!("the server did not start: {refused:?}"))
    }

    /// Everything that servers of this home wrote to standard error.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.log_path()).unwrap_or_default()).into_owned()
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("server.log")
    }
}

impl Server {
    /// A new server in a new home.
    pub async fn start(program: &str, options: Options) -> Self {
        Home::new(program, options).start().await
    }

    /// Where it lives.
    pub const fn home(&self) -> &Home {
        &self.home
    }

    /// A way to ask it. Clones share connections.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// The process.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Ends it as a power failure of the process would: nothing of it runs any more.
    pub async fn kill(mut self) -> Home {
        // It may have ended by itself.
        let _ = self.child.kill().await;
        self.home
    }

    /// Asks it to stop (SIGTERM), and waits until it has.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn terminate(self) -> (Home, ExitStatus) {
        if let Some(pid) = self.pid() {
            let sent = Command::new("kill").args(["-TERM", &pid.to_string()]).status().await;
            assert!(sent.is_ok_and(|status| status.success()), "a signal can be sent to {pid}");
        }
        self.ended().await
    }

    /// Waits until it has ended by itself.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn ended(mut self) -> (Home, ExitStatus) {
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("the server ends");
        (self.home, ended.expect("its end can be waited for"))
    }
}

/// Makes a file with 32 random bytes in base64, for its owner only.
///
/// # Panics
/// When it cannot be written.
#[expect(clippy::disallowed_methods, reason = "tests make their own random bytes")]
pub fn write_root_key(path: &Path) {
    use std::os::unix::fs::OpenOptionsExt;
    let (one, other) = (uuid::Uuid::new_v4(), uuid::Uuid::new_v4());
    let bytes: Vec<u8> = one.as_bytes().iter().chain(other.as_bytes()).copied().collect();
    let file = File::options().write(true).create_new(true).mode(0o600).open(path);
    std::io::Write::write_all(&mut file.expect("the file can be made"), base64(&bytes).as_bytes()).expect("written");
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0_u32, |group, byte| group << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = DIGITS[(group >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_padded() {
        assert_eq!(base64(b"light work"), "bGlnaHQgd29yaw==");
        assert_eq!(base64(b"light wor"), "bGlnaHQgd29y");
        assert_eq!(base64(b"light wo"), "bGlnaHQgd28=");
    }
}
