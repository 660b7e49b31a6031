//! The configuration: defaults, then a TOML file, then the environment (`KEYTRAIL__SECTION__KEY`), then flags. The only
//! place that reads the environment.

mod access;
mod database_url;
mod github;
mod keys;
mod mistakes;
mod sources;
mod ssh;
mod ssh_keys;

use std::{net::SocketAddr, path::PathBuf};

use figment::{
    Figment,
    providers::{Env, Format, Serialized, Toml},
};
use serde::{Deserialize, Serialize};

pub use self::{
    access::{Access, ForwardedBy, Jwt, JwtAlgorithm, JwtKey},
    database_url::DatabaseUrl,
    github::Github,
    keys::{KEYS, Key, Shown, default_toml, known},
    mistakes::{Mistake, mistakes},
    sources::{NO_LINE, Origin, Setting, for_others, settings},
    ssh::Ssh,
    ssh_keys::SshKeys,
};

/// Everything that can be set. Unknown keys are errors.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where to listen.
    pub server: Server,
    /// Where things are kept.
    pub store: Store,
    /// Who may come in, and how often.
    pub access: Access,
    /// The root key.
    pub secrets: Secrets,
    /// What may be read of the server's own disk.
    pub git: Git,
    /// How apps of GitHub are followed.
    pub github: Github,
    /// How repositories are reached over SSH.
    pub ssh: Ssh,
    /// When a key of SSH counts as old, which folder has some, and what was published of those of hosts.
    pub ssh_keys: SshKeys,
    /// Work in the background.
    pub jobs: Jobs,
    /// What the server says of itself.
    pub log: Log,
    /// How a command finds its server. Said on the command line only.
    #[serde(skip)]
    pub reach: Reach,
}

/// How a command finds the server that it asks.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    /// The address of a server elsewhere: `--server`.
    pub server: Option<String>,
    /// The file with the token for it: `--token-file`. Without one the environment has it.
    pub token_file: Option<PathBuf>,
    /// Certificates, in PEM, of the authority that vouches for it: `--server-ca`.
    pub authority: Option<PathBuf>,
    /// Whether it may be asked over `http://` though it is not this machine.
    pub allow_http: bool,
    /// Whether the command starts a server for itself when none runs.
    pub starts: bool,
    /// The command that starts the server of the data folder, for whoever has to.
    pub start_with: String,
}

/// `[server]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// Address and port. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Threads that answer requests.
    pub workers: usize,
    /// How browsers and git services reach this server: scheme, host and port. `https`, unless it is this machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
    /// How git services send deliveries, when that is another address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook_url: Option<String>,
}

/// `[store]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Store {
    /// The data folder: the embedded store and caches.
    pub folder: PathBuf,
    /// `postgres://…` for a PostgreSQL database instead of the embedded store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database_url: Option<DatabaseUrl>,
    /// Connections to PostgreSQL.
    pub connections: u32,
    /// Which node this is among several over one database; the host's name when nothing is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
}

/// `[secrets]`
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Secrets {
    /// The file with the root key. On the embedded store it is made when it is missing; never below the data folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root_key_file: Option<PathBuf>,
}

/// `[git]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Git {
    /// Folders below which repositories of this machine may be added over HTTP.
    pub roots: Vec<PathBuf>,
    /// The git program; the first good one along `PATH` when nothing is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<PathBuf>,
    /// Whether the program named by `program` may be used though its version has known weaknesses, because a
    /// distribution mended it under its old number.
    pub program_trusted: bool,
    /// Whether addresses of private networks may be reached: all of them. Otherwise those in `hosts` and `networks`.
    pub allow_private: bool,
    /// Hosts that may be reached whatever their addresses are, this machine and link-local ones too.
    pub hosts: Vec<String>,
    /// Networks such as `10.0.0.0/8` that may be reached.
    pub networks: Vec<String>,
    /// Whether `http://` may be used: whoever listens on the way reads passwords, and writes what is fetched.
    pub allow_http: bool,
    /// Whether `git://` may be used: there is nothing that proves who answers.
    pub allow_git_protocol: bool,
    /// Bytes that one repository's copy may have, with what was fetched beside it for diffs.
    pub quota_bytes: u64,
    /// Bytes of memory that it may take to put together what a remote sent: of each process of the git program, or in
    /// this one.
    pub memory_bytes: u64,
    /// Bytes that fetches leave free on the disk of the data folder.
    pub free_bytes: u64,
    /// Bytes of folders and files that are kept because somebody looked at what a commit changed.
    pub diff_cache_bytes: u64,
    /// Seconds without any progress after which a remote counts as silent, and so does a share.
    pub silence_seconds: u64,
    /// Seconds that listing a remote's refs may take in all, however steadily they come.
    pub listing_seconds: u64,
    /// Seconds between two looks at a busy repository.
    pub shortest_poll_seconds: u64,
    /// Seconds between two looks at a repository where nothing happens.
    pub longest_poll_seconds: u64,
    /// Seconds between two looks after the copies of repositories: unneeded ones are deleted, others put in order.
    pub upkeep_seconds: u64,
    /// Seconds that a copy stays whose repository another node looks after, when that one has a copy of its own.
    pub handed_over_seconds: u64,
}

impl Default for Git {
    fn default() -> Self {
        Self {
            roots: Vec::new(),
            program: None,
            program_trusted: false,
            allow_private: false,
            hosts: Vec::new(),
            networks: Vec::new(),
            allow_http: false,
            allow_git_protocol: false,
            quota_bytes: 20_000_000_000,
            memory_bytes: 2_147_483_648,
            free_bytes: 1_000_000_000,
            diff_cache_bytes: 536_870_912,
            silence_seconds: 120,
            listing_seconds: 900,
            shortest_poll_seconds: 60,
            longest_poll_seconds: 3_600,
            upkeep_seconds: 3_600,
            handed_over_seconds: 604_800,
        }
    }
}

/// `[jobs]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Jobs {
    /// How many jobs run at once on this node.
    pub workers: usize,
}

/// `[log]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// `error`, `warn`, `info`, `debug`, `trace`, or a filter such as `keytrail=debug`.
    pub level: String,
    /// `json`, `pretty`, or `auto`: pretty on a terminal.
    pub format: LogFormat,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// Pretty on a terminal, JSON elsewhere.
    Auto,
    /// One JSON object a line.
    Json,
    /// For eyes.
    Pretty,
}

impl Default for Server {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 8421)), workers: 2, public_url: None, webhook_url: None }
    }
}

impl Default for Store {
    fn default() -> Self {
        Self { folder: home("XDG_DATA_HOME", ".local/share"), database_url: None, connections: 16, node: None }
    }
}

impl Default for Jobs {
    fn default() -> Self {
        // One is kept for what is done soon, and a slow server should not have all the others.
        Self { workers: 4 }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".into(), format: LogFormat::Auto }
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The named file is not there.
    #[error("there is no configuration file {}", .0.display())]
    NoFile(PathBuf),
    /// Something in it is wrong.
    #[error("the configuration cannot be used: {0}")]
    Bad(String),
}

/// Flags that override everything else.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--config`
    pub file: Option<PathBuf>,
    /// `--data`
    pub folder: Option<PathBuf>,
    /// `--database-url`
    pub database_url: Option<String>,
    /// `--listen`
    pub listen: Option<SocketAddr>,
    /// `--root-key-file`
    pub root_key_file: Option<PathBuf>,
    /// `--server` and what belongs to it
    pub reach: Reach,
}

impl Config {
    /// Reads it.
    pub fn load(overrides: &Overrides) -> Result<Self, ConfigError> {
        if let Some(file) = &overrides.file
            && !file.is_file()
        {
            return Err(ConfigError::NoFile(file.clone()));
        }
        let file = file_of(overrides);
        let figment = Figment::from(Serialized::defaults(Self::default()))
            .merge(Toml::file(&file))
            .merge(Env::prefixed("KEYTRAIL__").split("__"));
        let mut config: Self = figment.extract().map_err(|_| ConfigError::Bad(in_words(overrides)))?;
        if let Some(folder) = &overrides.folder {
            config.store.folder.clone_from(folder);
        }
        if let Some(url) = &overrides.database_url {
            config.store.database_url = Some(url.clone().into());
        }
        if let Some(listen) = overrides.listen {
            config.server.listen = listen;
        }
        config.reach = overrides.reach.clone();
        config.secrets.root_key_file = overrides.root_key_file.clone().or(config.secrets.root_key_file);
        if config.secrets.root_key_file.is_none() && config.store.database_url.is_none() {
            config.secrets.root_key_file = Some(file.with_file_name("root.key"));
        }
        config.ssh_keys = config.ssh_keys.at_home(home_folder().as_deref());
        // Programs are started in other folders: a folder is one whatever it is seen from.
        config.store.folder = std::path::absolute(&config.store.folder).unwrap_or(config.store.folder);
        config.secrets.root_key_file =
            config.secrets.root_key_file.map(|path| std::path::absolute(&path).unwrap_or(path));
        Ok(config)
    }
}

/// Why it cannot be used: every mistake. What the parsers say may quote a password.
fn in_words(overrides: &Overrides) -> String {
    let all: Vec<_> = mistakes(overrides).iter().map(ToString::to_string).collect();
    if all.is_empty() { "its values do not go together".to_owned() } else { all.join("; ") }
}

/// The file that is read, if it is there.
fn file_of(overrides: &Overrides) -> PathBuf {
    overrides.file.clone().unwrap_or_else(|| default_folder().join("keytrail.toml"))
}

/// The variables that set something, by name; capitals do not count.
fn environment() -> Vec<(String, String)> {
    let ours = |(name, value): (String, String)| {
        name.get(..10).is_some_and(|start| start.eq_ignore_ascii_case("KEYTRAIL__")).then_some((name, value))
    };
    variables().filter_map(ours).collect()
}

/// Variables that look as if they were to set something, and are not read; each with the name that may be meant.
pub fn misspelt_variables() -> Vec<(String, String)> {
    mistakes::misspelt(variables().map(|(name, _)| name))
}

fn variables() -> impl Iterator<Item = (String, String)> {
    let mut all: Vec<_> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    all.sort();
    all.into_iter()
}

/// The folder of the user who runs this (`HOME`).
#[expect(clippy::disallowed_methods, reason = "this is the place that reads the environment")]
pub fn home_folder() -> Option<PathBuf> {
    std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from)
}

/// Where the configuration is when nothing else is said.
fn default_folder() -> PathBuf {
    home("XDG_CONFIG_HOME", ".config")
}

#[expect(clippy::disallowed_methods, reason = "this is the place that reads the environment")]
fn home(variable: &str, below_home: &str) -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set(variable)
        .or_else(|| set("HOME").map(|home| home.join(below_home)))
        .unwrap_or_else(|| PathBuf::from("."))
        .join("keytrail")
}

/// The folders where programs are looked for (`PATH`).
#[expect(clippy::disallowed_methods, reason = "this is the place that reads the environment")]
pub fn program_folders() -> Vec<PathBuf> {
    std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default()
}

/// How this very program is called in a shell: by its name where that finds it, otherwise by its path.
pub fn this_program() -> PathBuf {
    let Some(path) = std::env::current_exe().ok() else { return PathBuf::from("keytrail") };
    let same = |folder: PathBuf| folder.join("keytrail").canonicalize().is_ok_and(|found| found == path);
    if program_folders().into_iter().any(same) { PathBuf::from("keytrail") } else { path }
}

/// Whether colours are unwelcome (`NO_COLOR`).
#[expect(clippy::disallowed_methods, reason = "this is the place that reads the environment")]
pub fn no_color() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// The access token for a server elsewhere (`KEYTRAIL_TOKEN`).
#[expect(clippy::disallowed_methods, reason = "this is the place that reads the environment")]
pub fn token() -> Option<String> {
    std::env::var("KEYTRAIL_TOKEN").ok().filter(|token| !token.is_empty())
}

/// Where the machine keeps what is not to stay (`TMPDIR`).
pub fn temporary_folder() -> PathBuf {
    std::env::temp_dir()
}
