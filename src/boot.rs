//! From a configuration to a running server: opens the store, migrates it, opens the vault, starts the app, and says
//! where it is.

mod node_identity;

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use keytrail_domain::remote_url::Host;
use serde::{Deserialize, Serialize};

use crate::{
    app::{App, Parts},
    clock::Clock,
    config::{self, Config},
    git::{
        self,
        remote::{AddressMode, AddressPolicy, Network},
        ssh::Places,
        transport::{FetchLimits, GitProgram, Verdict},
    },
    jobs::{Caches, GitSettings, KeysOnDisk, SshSettings},
    key_folder::KeyFolder,
    log::OnFatal,
    public_address::PublicAddress,
    secrets::{RootKey, RootKeyPlace, SecretsError, ServerSecrets, Vault},
    store::{
        self, Db, FolderLock, StoreError,
        migrate::{self, MigrateError},
    },
};

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    /// The data folder, or the one of the root key.
    #[error("the folder {} cannot be used: {source}", .path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The store.
    #[error("the store cannot be opened: {0}")]
    Store(#[from] StoreError),
    /// The migrations.
    #[error("the store cannot be made ready: {0}")]
    Migrate(#[from] MigrateError),
    /// Somebody only looks, and no server was ever here.
    #[error("there is no store in {place} yet; `keytrail serve` makes it")]
    NoStore {
        /// Where there is none; no address of a database.
        place: String,
    },
    /// Somebody only looks, and a start would change the tables.
    #[error("the store lacks these migrations, which the next start of the server runs: {}", .0.join(", "))]
    NotMigrated(Vec<&'static str>),
    /// Somebody only looks, and a start would take away views that another version shows.
    #[error(
        "these views are shown in the form of another version, and the next start of the server builds them anew: {}",
        .0.join(", ")
    )]
    NotBuilt(Vec<&'static str>),
    /// Something in the configuration.
    #[error("the setting {key} cannot be used: {text}")]
    Setting {
        /// Which.
        key: &'static str,
        /// Why.
        text: String,
    },
    /// The vault.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// The address.
    #[error("the server cannot listen on {address}: {source}")]
    Listen {
        /// Where.
        address: std::net::SocketAddr,
        /// Why.
        source: io::Error,
    },
}

/// What is linked into the program, with its version: the embedded store, and what reads repositories in this process.
pub fn engines() -> [(&'static str, String); 2] {
    [("SQLite", store::embedded_version().to_owned()), ("libgit2", git::library_version())]
}

/// Opens the store of a configuration, as it is.
pub async fn open_store(config: &Config) -> Result<Arc<Db>, BootError> {
    let folder = &config.store.folder;
    make_folder(folder).map_err(|source| BootError::Folder { path: folder.clone(), source })?;
    Ok(Arc::new(match &config.store.database_url {
        None => Db::open_sqlite(folder)?,
        Some(url) => Db::open_postgres(url.expose(), config.store.connections).await?,
    }))
}

/// The store of a configuration for who only looks: it is there, and a start would change nothing in it. Makes neither a
/// folder nor a table.
async fn begun_store(config: &Config) -> Result<Arc<Db>, BootError> {
    let folder = &config.store.folder;
    let (place, db) = match &config.store.database_url {
        None => {
            let place = folder.display().to_string();
            // Opening it would make it.
            if !folder.join("log.db").exists() {
                return Err(BootError::NoStore { place });
            }
            (place, Db::open_sqlite(folder)?)
        }
        Some(url) => ("the database".to_owned(), Db::open_postgres(url.expose(), config.store.connections).await?),
    };
    let pending = migrate::pending(&db).await?;
    if pending.len() == migrate::count() {
        return Err(BootError::NoStore { place });
    }
    if !pending.is_empty() {
        return Err(BootError::NotMigrated(pending));
    }
    // Tables alone, without a key: no server has started on them.
    if !Vault::is_begun(&db).await? {
        return Err(BootError::NoStore { place });
    }
    // Other nodes may show them.
    let replaced = App::replaced_views(&db).await?;
    if !replaced.is_empty() {
        return Err(BootError::NotBuilt(replaced));
    }
    Ok(Arc::new(db))
}

/// Starts everything but the doors.
pub async fn start(config: &Config, clock: Clock) -> Result<Arc<App>, BootError> {
    started(config, clock, true).await
}

/// The same, but nobody works: no policy reacts, no job is done, no repository is looked at, and nothing is made that is
/// not there: no store, no key, no folder, no name of a node. For who only looks.
pub async fn start_to_look(config: &Config, clock: Clock) -> Result<Arc<App>, BootError> {
    started(config, clock, false).await
}

async fn started(config: &Config, clock: Clock, works: bool) -> Result<Arc<App>, BootError> {
    let folder = &config.store.folder;
    let place = root_key_place(config)?;
    if let RootKeyPlace::File(path) = &place {
        // A node that cannot go on must not migrate a database that others use.
        RootKey::read(path, folder)?;
    }
    let db = if works { open_store(config).await? } else { begun_store(config).await? };
    let lock = match &*db {
        // The embedded store has it itself.
        Db::Sqlite(_) => None,
        // Where there is none, no server was ever in this folder.
        Db::Postgres(_) if !works && !folder.join("lock").exists() => None,
        Db::Postgres(_) => Some(FolderLock::take(folder)?),
    };
    let on_fatal = end_process();
    if let Db::Sqlite(sqlite) = &*db {
        let end = on_fatal.clone();
        sqlite.on_disk_failure(Box::new(move |error| end(error)));
    }
    let now = clock.now();
    if works {
        let ran = migrate::migrate(&db, now).await?;
        if !ran.is_empty() {
            tracing::info!(migrations = ?ran, "the store was made ready");
        }
    }
    if works
        && let RootKeyPlace::MadeWhenMissing(path) = &place
        && let Some(beside) = path.parent()
    {
        make_folder(beside).map_err(|source| BootError::Folder { path: beside.to_owned(), source })?;
    }
    let vault = Vault::open_at(db.clone(), &place, folder, now).await?;
    let keys = ServerSecrets::load_or_make(&vault, now).await?;
    let caches = Caches::new(folder.join("caches"));
    if works {
        let mirrors = caches.mirrors();
        make_folder(&mirrors).map_err(|source| BootError::Folder { path: mirrors.clone(), source })?;
        // Left behind by a process that was killed; it need not be there.
        let _ = fs::remove_dir_all(caches.ssh());
    }
    let git = GitSettings {
        stuck: Duration::from_secs(config.github.stuck_seconds),
        confirm_repositories: config.github.confirm_repositories,
        ssh: SshSettings {
            keys_on_disk: Arc::new(KeysOnDisk::new(key_folder(&config.ssh_keys)?)),
            ..ssh_settings(&config.ssh)
        },
        ..git_settings(&config.git).await?
    };
    let node = node_identity::node_identity(config, works);
    let node = node.map_err(|source| BootError::Folder { path: folder.clone(), source })?;
    let public_address = public_address(&config.server)?;
    let (workers, config) = (config.jobs.workers, Arc::new(config.clone()));
    let parts =
        Parts { db, clock, node, lock, vault, keys, caches, git, workers, works, config, public_address, on_fatal };
    Ok(App::start(parts).await?)
}

/// How the server is reached from outside.
pub fn public_address(server: &config::Server) -> Result<PublicAddress, BootError> {
    PublicAddress::of(server).map_err(|bad| BootError::Setting { key: bad.key, text: bad.text })
}

/// Less memory than this is none for the git program.
const LEAST_MEMORY: u64 = 64 << 20;

fn bad(key: &'static str, value: &str, what: &dyn std::fmt::Display) -> BootError {
    BootError::Setting { key, text: format!("{value:?}: {what}") }
}

/// What keeps a server from starting with these settings, though each has the right form.
pub fn setting_mistakes(git: &config::Git) -> Vec<BootError> {
    let hosts = git.hosts.iter().filter_map(|host| Some(bad("git.hosts", host, &Host::parse(host).err()?)));
    let networks =
        git.networks.iter().filter_map(|text| Some(bad("git.networks", text, &text.parse::<Network>().err()?)));
    let mut mistakes: Vec<_> = hosts.chain(networks).collect();
    if git.shortest_poll_seconds == 0 || git.shortest_poll_seconds > git.longest_poll_seconds {
        let what = "it is at least 1, and not more than git.longest_poll_seconds";
        mistakes.push(bad("git.shortest_poll_seconds", &git.shortest_poll_seconds.to_string(), &what));
    }
    if git.memory_bytes < LEAST_MEMORY {
        let what = format!("git itself needs {LEAST_MEMORY} bytes");
        mistakes.push(bad("git.memory_bytes", &git.memory_bytes.to_string(), &what));
    }
    if git.program_trusted && git.program.is_none() {
        let what = "it vouches for one program: name that as git.program";
        mistakes.push(bad("git.program_trusted", "true", &what));
    }
    mistakes
}

/// How repositories are reached, with the git program looked up.
pub async fn git_settings(git: &config::Git) -> Result<GitSettings, BootError> {
    let hosts = git.hosts.iter().map(|host| Host::parse(host).map_err(|error| bad("git.hosts", host, &error)));
    let hosts = hosts.collect::<Result<Vec<_>, _>>()?;
    let networks = git.networks.iter().map(|text| text.parse().map_err(|error| bad("git.networks", text, &error)));
    let networks = networks.collect::<Result<Vec<_>, _>>()?;
    let seconds = Duration::from_secs;
    if let Some(mistake) = setting_mistakes(git).into_iter().next() {
        return Err(mistake);
    }
    let candidates = match &git.program {
        Some(program) => vec![program.clone()],
        None => config::program_folders().into_iter().map(|folder| folder.join("git")).collect(),
    };
    let mut program = GitProgram::find(&candidates).await;
    if git.program_trusted {
        program = program.map(GitProgram::vouched);
    }
    match &program {
        Some(program) if program.verdict == Verdict::Good => tracing::info!("{}", program.sentence()),
        Some(program) if program.is_good() => tracing::warn!("{}", program.sentence()),
        Some(program) => tracing::warn!("{}; repositories are fetched whole, in this process", program.sentence()),
        None => tracing::warn!("there is no git program; repositories are fetched whole, in this process"),
    }
    Ok(GitSettings {
        roots: git.roots.clone().into(),
        addresses: Arc::new(AddressPolicy {
            mode: AddressMode::Listed { private: git.allow_private, hosts, networks },
            allow_git_scheme: git.allow_git_protocol,
            allow_http: git.allow_http,
        }),
        program,
        ssh: ssh_settings(&config::Ssh::default()),
        limits: FetchLimits {
            silence: seconds(git.silence_seconds),
            window: git::transport::WINDOW,
            quota_bytes: git.quota_bytes,
            free_bytes: git.free_bytes,
            memory_bytes: git.memory_bytes,
        },
        listing: seconds(git.listing_seconds.max(1)),
        diff_cache_bytes: git.diff_cache_bytes,
        shortest_poll: seconds(git.shortest_poll_seconds),
        longest_poll: seconds(git.longest_poll_seconds),
        upkeep: seconds(git.upkeep_seconds.max(1)),
        handed_over: seconds(git.handed_over_seconds),
        stuck: seconds(config::Github::default().stuck_seconds),
        confirm_repositories: config::Github::default().confirm_repositories,
    })
}

/// How repositories are reached over SSH, with the ssh program looked up.
fn ssh_settings(ssh: &config::Ssh) -> SshSettings {
    let folders: Arc<[PathBuf]> = config::program_folders().into();
    let candidates = match &ssh.program {
        Some(program) => vec![program.clone()],
        None => folders.iter().map(|folder| folder.join("ssh")).collect(),
    };
    let program = candidates.into_iter().find(|path| path.is_absolute() && path.is_file());
    let places = usize::try_from(ssh.connections_per_host).unwrap_or(usize::MAX);
    let keys_on_disk = Arc::new(KeysOnDisk::new(None));
    SshSettings { program, folders, places: Arc::new(Places::new(places)), keys_on_disk }
}

/// The folder with keys of the server's account, if one is named.
pub fn key_folder(ssh_keys: &config::SshKeys) -> Result<Option<KeyFolder>, BootError> {
    match &ssh_keys.folder {
        Some(folder) if !folder.is_absolute() => {
            let what =
                "it is an absolute path, or begins with ~/ where the home of the server's account is known (HOME)";
            Err(bad("ssh_keys.folder", &folder.to_string_lossy(), &what))
        }
        folder => Ok(folder.clone().map(KeyFolder::at)),
    }
}

/// Where the root key is.
pub fn root_key_place(config: &Config) -> Result<RootKeyPlace, SecretsError> {
    match (&config.secrets.root_key_file, &config.store.database_url) {
        (Some(path), None) => Ok(RootKeyPlace::MadeWhenMissing(path.clone())),
        (Some(path), Some(_)) => Ok(RootKeyPlace::File(path.clone())),
        (None, _) => Err(SecretsError::RootKeyNotGiven),
    }
}

/// A failed sync means that memory and disk may differ; a newer epoch means that the log is another node's. Whatever
/// this process would say from here on could be wrong, so it says nothing more. What was acknowledged is on disk.
fn end_process() -> OnFatal {
    Arc::new(|error| {
        tracing::error!(%error, "the process ends, so that nothing is acknowledged that is not on disk");
        const IO_ERROR: i32 = 74;
        std::process::exit(IO_ERROR);
    })
}

fn make_folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Where a running server is, and how who can read its data folder comes in.
#[derive(Serialize, Deserialize)]
pub struct Endpoint {
    /// `http://address:port`
    pub url: String,
    /// Works as long as this process runs.
    pub token: String,
    /// The process.
    pub pid: u32,
}

/// The file that tells it.
fn endpoint_file(folder: &Path) -> PathBuf {
    folder.join("server.json")
}

impl Endpoint {
    /// Tells it to the command line of who can read the folder.
    pub fn publish(&self, folder: &Path) -> io::Result<()> {
        let (path, new) = (endpoint_file(folder), folder.join("server.json.new"));
        // Left over from a crash in just this moment.
        let _ = fs::remove_file(&new);
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        fs::rename(new, path)
    }

    /// The server of a folder; what a crash left behind is told apart by asking it.
    pub fn find(folder: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(endpoint_file(folder)).ok()?).ok()
    }

    /// The server has stopped.
    pub fn withdraw(folder: &Path) {
        // Gone already, or left for the next start to overwrite.
        let _ = fs::remove_file(endpoint_file(folder));
    }
}
