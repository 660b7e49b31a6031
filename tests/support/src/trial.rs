//! A GitHub of one's own with a Keytrail that may reach it, in a folder that goes with them: for a person to try, and for
//! the tests of what the documents tell that person to type. Called by the program `fake-github` and by tests.

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    time::Duration,
};

use tempfile::TempDir;

use crate::{
    fake_github::FakeGithub,
    process_group::ProcessGroup,
    repositories::{Shape, generate},
};

/// Until the server has to be there.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs a server until its input ends, or until the server does.
const SCRIPT: &str = "exec 3<&0; \"$1\" --config \"$2\" serve >\"$3\" 2>&1 & server=$!; \
                      (read -r _ <&3; kill -TERM \"$server\") & wait \"$server\"; kill $! 2>/dev/null";

/// Both of them; they end with the value, the server first.
pub struct Trial {
    server: ProcessGroup,
    github: FakeGithub,
    folder: TempDir,
    program: PathBuf,
    url: String,
}

impl Trial {
    /// Starts the server of this program beside a GitHub, on an address; port 0 takes a free one. The message of an error
    /// has what the server complained about.
    pub async fn start(program: &Path, listen: SocketAddr, github: FakeGithub) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("keytrail-github-").tempdir()?;
        // Pages and deliveries need its address before it is there.
        let listen = if listen.port() == 0 { TcpListener::bind(listen)?.local_addr()? } else { listen };
        let url = format!("http://{listen}");
        let at = folder.path();
        let config = format!(
            "[server]\nlisten = \"{listen}\"\npublic_url = \"{url}\"\n\n[store]\nfolder = {data:?}\n\n[secrets]\n\
             root_key_file = {key:?}\n\n[git]\nhosts = [\"{here}\"]\nallow_http = true\n\n[log]\nlevel = \"warn\"\n",
            data = at.join("data"),
            key = at.join("root.key"),
            here = Ipv4Addr::LOCALHOST,
        );
        fs::write(at.join("keytrail.toml"), config)?;
        let (config, log) = (at.join("keytrail.toml"), at.join("log"));
        let arguments = [Path::new("sh"), program, config.as_path(), log.as_path()];
        let server = ProcessGroup::start(SCRIPT, arguments, &[])?;
        let mut trial = Self { server, github, folder, program: program.to_owned(), url };
        let there = async {
            while !trial.data().join("server.json").exists() {
                if trial.server.has_ended()? {
                    return Err(io::Error::other(trial.log()));
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Ok(())
        };
        tokio::time::timeout(PATIENCE, there).await.map_err(|_| io::Error::other("the server does not start"))??;
        Ok(trial)
    }

    /// The GitHub.
    pub const fn github(&self) -> &FakeGithub {
        &self.github
    }

    /// Where the server is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether the server ended by itself.
    pub fn has_ended(&mut self) -> io::Result<bool> {
        self.server.has_ended()
    }

    /// What the server had to say.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// What a shell has to know to reach both, as a line to be pasted there.
    pub fn exports(&self) -> String {
        let programs = self.program.parent().unwrap_or(Path::new("."));
        format!(
            "export PATH='{}':\"$PATH\" KEYTRAIL__STORE__FOLDER='{}' GITHUB={}",
            programs.display(),
            self.data().display(),
            self.github.url()
        )
    }
}

/// Gives the organisation `acme` of a GitHub three small repositories whose commits name issues of SHOP and WEB. They lie
/// in a folder, which has to stay.
///
/// # Errors
/// When git cannot make them.
pub fn furnish(github: &FakeGithub, folder: &Path) -> io::Result<()> {
    for (seed, name) in (1..).zip(["shop", "ship", "web"]) {
        let projects = ["SHOP", "WEB"].map(String::from).to_vec();
        let shape = Shape { seed, commits: 60, projects, files_per_commit: 1, rising: true, ..Shape::default() };
        let path = folder.join(name);
        generate(&path, &shape)?;
        github.serve_repository(github.add_repository("acme", name), &path);
    }
    Ok(())
}
