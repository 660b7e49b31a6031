//! A server with a repository, and a mirror to fetch it into.

use std::{collections::BTreeSet, path::PathBuf, process::Command, sync::Arc, sync::atomic::AtomicBool};

use keytrail_domain::{index_run::batch::CommitSha, person::PersonId, remote_url::RemoteUrl};
use keytrail_test_support::{
    git_daemon::GitDaemon,
    repositories::{Repository, Shape, generate},
    sshd::{Config, Sshd},
    web_server::{Door, WebServer},
};
use tempfile::TempDir;

use crate::git::{
    Bounds, GitError, Graph, MAX_REFS, Mirror, OpenedRepository, Progress, WalkRequest, list_refs,
    mirror::{Filter, TransportKind},
    remote::{AddressMode, AddressPolicy, Limits, Remote, Trust},
    ssh::tests::{access, key},
    transport::{
        FetchLimits, FetchProgress, FetchRequest, FetchSource, Fetched, GitProgram, LocalRepository, Verdict,
        WantedRef, fetch,
    },
    walk,
};

/// How to fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Program,
    InProcess,
}

pub(super) const WAYS: [Way; 2] = [Way::Program, Way::InProcess];

impl Way {
    pub(super) fn kind(self) -> TransportKind {
        match self {
            Self::Program => TransportKind::GitProgram,
            Self::InProcess => TransportKind::InProcess,
        }
    }

    /// What a server that filters leaves out.
    pub(super) fn best_filter(self) -> Filter {
        match self {
            Self::Program => Filter::Trees,
            Self::InProcess => Filter::Everything,
        }
    }
}

/// Who serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Server {
    Folder,
    Daemon,
    Web(Door),
    Tls,
    Ssh,
}

pub(super) const SERVERS: [Server; 6] =
    [Server::Daemon, Server::Folder, Server::Web(Door::Open), Server::Web(Door::Old), Server::Tls, Server::Ssh];

/// Every server with every way to fetch from it.
pub(super) fn all() -> impl Iterator<Item = (Server, Way)> {
    SERVERS.into_iter().flat_map(|server| WAYS.map(|way| (server, way)))
}

enum Place {
    Folder(LocalRepository),
    Remote(Box<Remote>),
}

pub(super) struct Stage {
    _folder: TempDir,
    pub(super) source: Repository,
    pub(super) mirror: Mirror,
    pub(super) limits: FetchLimits,
    pub(super) progress: FetchProgress,
    pub(super) cancel: AtomicBool,
    place: Place,
    pub(super) running: Running,
}

/// What serves, and ends with the value.
pub(super) enum Running {
    Nothing,
    Daemon(GitDaemon),
    Web(Box<WebServer>),
    Ssh { _server: Box<Sshd> },
}

/// A remote that may be on this machine.
pub(super) fn remote(url: &str) -> Remote {
    let url = RemoteUrl::parse(url).expect("a URL").url;
    let mode = AddressMode::Listed { private: false, hosts: vec![url.host().clone()], networks: Vec::new() };
    let addresses = Arc::new(AddressPolicy { mode, allow_git_scheme: true, allow_http: true });
    Remote { url, credential: None, trust: Trust::WebPki, proxy: None, ssh: None, addresses, limits: Limits::default() }
}

/// The git of this machine, whatever its version: what it does is tested, not whether it may be used.
pub(super) async fn git_program() -> GitProgram {
    let found = Command::new("sh").args(["-c", "command -v git"]).output().expect("a shell");
    let path = PathBuf::from(String::from_utf8_lossy(&found.stdout).trim());
    let found = GitProgram::find(&[path]).await.expect("git is installed");
    GitProgram { verdict: Verdict::Good, ..found }
}

impl Stage {
    pub(super) fn new(server: Server, shape: &Shape) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let source = generate(&folder.path().join("made.git"), shape).expect("git fast-import works");
        let (place, running) = match server {
            Server::Folder => (Place::Folder(LocalRepository::InPlace(source.path.clone())), Running::Nothing),
            Server::Daemon => {
                let daemon = GitDaemon::start(folder.path()).expect("git daemon runs");
                (Place::Remote(Box::new(remote(&daemon.url("made.git")))), Running::Daemon(daemon))
            }
            Server::Web(door) => {
                let web = WebServer::start(folder.path());
                (Place::Remote(Box::new(remote(&web.url_at(door, "made.git")))), Running::Web(web.into()))
            }
            Server::Tls => {
                let web = WebServer::start(folder.path());
                let trust = Trust::Authority { pem: web.ca_pem() };
                let remote = Remote { trust, ..remote(&web.tls_url("made.git")) };
                (Place::Remote(Box::new(remote)), Running::Web(web.into()))
            }
            Server::Ssh => {
                source.git(&["config", "uploadpack.allowFilter", "true"]).expect("git works");
                let (authorized, lines) =
                    (vec![key(2).public().openssh("")], vec!["AcceptEnv GIT_PROTOCOL".to_owned()]);
                let sshd = Sshd::start(Config { authorized, lines, ..Config::default() });
                let sshd = sshd.expect("install the Debian package openssh-server");
                let path = source.path.display();
                let url = format!("ssh://{}@127.0.0.1:{}{path}", sshd.user(), sshd.port);
                let ssh = access(&sshd, folder.path().join("ssh"), &[1, 2]);
                let remote = Remote { ssh: Some(Arc::new(ssh)), ..remote(&url) };
                (Place::Remote(Box::new(remote)), Running::Ssh { _server: sshd.into() })
            }
        };
        let mirror = Mirror::open_or_make(&folder.path().join("mirror")).expect("a mirror");
        Self {
            _folder: folder,
            source,
            mirror,
            limits: FetchLimits { free_bytes: 0, ..FetchLimits::default() },
            progress: FetchProgress::default(),
            cancel: AtomicBool::new(false),
            place,
            running,
        }
    }

    /// Fetches from there from now on.
    pub(super) fn from(&mut self, remote: Remote) {
        self.place = Place::Remote(Box::new(remote));
    }

    /// The same server, and a new mirror.
    pub(super) fn again(&self, remote: Remote) -> Afresh<'_> {
        let folder = tempfile::tempdir().expect("a folder");
        let mirror = Mirror::open_or_make(&folder.path().join("mirror")).expect("a mirror");
        Afresh { _folder: folder, mirror, remote, stage: self }
    }

    /// Goes on with a mirror that holds nothing.
    pub(super) fn empties_its_mirror(&mut self) {
        let path = self.mirror.path().to_owned();
        std::fs::remove_dir_all(&path).expect("a folder");
        self.mirror = Mirror::open_or_make(&path).expect("a mirror");
    }

    /// Gives the folder of the source another name.
    pub(super) fn move_source(&mut self, name: &str) {
        let moved = self.source.path.with_file_name(name);
        std::fs::rename(&self.source.path, &moved).expect("a folder");
        self.source.path = moved.clone();
        self.place = Place::Folder(LocalRepository::InPlace(moved));
    }

    /// Files of packs that are not whole.
    pub(super) fn torn(&self) -> Vec<String> {
        let names = std::fs::read_dir(self.mirror.packs()).expect("a folder");
        let names = names.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
        names.filter(|name| !name.starts_with("pack-")).collect()
    }

    pub(super) fn packs(&self) -> usize {
        let entries = std::fs::read_dir(self.mirror.packs()).expect("a folder");
        entries
            .filter(|entry| entry.as_ref().is_ok_and(|entry| entry.path().extension().is_some_and(|end| end == "pack")))
            .count()
    }

    /// What stands in the small files of the mirror.
    pub(super) fn text_in_the_mirror(&self) -> String {
        let entries = std::fs::read_dir(self.mirror.path()).expect("a folder");
        let files = entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_file());
        files.map(|path| String::from_utf8_lossy(&std::fs::read(path).expect("a file")).into_owned()).collect()
    }

    /// Processes whose working folder is the mirror, which is where the git program is run.
    pub(super) fn processes_in_the_mirror(&self) -> usize {
        let of_mirror = |entry: &std::fs::DirEntry| {
            std::fs::read_link(entry.path().join("cwd")).is_ok_and(|folder| folder == self.mirror.path())
        };
        std::fs::read_dir("/proc").expect("Linux").flatten().filter(of_mirror).count()
    }

    pub(super) fn remote(&self) -> &Remote {
        match &self.place {
            Place::Remote(remote) => remote,
            Place::Folder(_) => panic!("a folder is no remote"),
        }
    }

    pub(super) fn web(&self) -> &WebServer {
        match &self.running {
            Running::Web(web) => web,
            Running::Nothing | Running::Daemon(_) | Running::Ssh { .. } => panic!("this stage has no web server"),
        }
    }

    /// The refs that are fetched by default.
    pub(super) fn refs(&self) -> Vec<WantedRef> {
        let lines = self
            .source
            .git_line(&["for-each-ref", "--format=%(objectname) %(refname)", "refs/heads", "refs/tags", "refs/pull"])
            .expect("refs");
        let of_line = |line: &str| {
            let (sha, name) = line.split_once(' ').expect("two words");
            WantedRef { name: name.as_bytes().to_vec(), target: sha.parse().expect("a name") }
        };
        lines.lines().map(of_line).collect()
    }

    pub(super) async fn fetch(&self, way: Way) -> Result<Fetched, GitError> {
        self.fetch_these(way, &self.refs()).await
    }

    pub(super) async fn fetch_these(&self, way: Way, wanted: &[WantedRef]) -> Result<Fetched, GitError> {
        let program = git_program().await;
        self.fetch_by((way == Way::Program).then_some(&program), wanted).await
    }

    pub(super) async fn fetch_by(
        &self,
        program: Option<&GitProgram>,
        wanted: &[WantedRef],
    ) -> Result<Fetched, GitError> {
        let source = match &self.place {
            Place::Folder(connection) => FetchSource::Local(connection),
            Place::Remote(remote) => FetchSource::Remote(remote),
        };
        fetch(&FetchRequest {
            mirror: &self.mirror,
            source,
            wanted,
            program,
            limits: self.limits,
            beside: 0,
            progress: &self.progress,
            cancel: &self.cancel,
        })
        .await
    }

    /// What git says is on the server.
    pub(super) fn on_the_server(&self) -> BTreeSet<CommitSha> {
        let names = self.source.git_line(&["rev-list", "--glob=heads", "--glob=tags", "--glob=pull"]).expect("commits");
        names.lines().map(|name| name.parse().expect("a name")).collect()
    }

    /// What our own reader finds in the mirror, from the refs of the server.
    pub(super) fn in_the_mirror(&self) -> BTreeSet<CommitSha> {
        let source = LocalRepository::InPlace(self.source.path.clone()).open().expect("the source");
        let refs =
            list_refs(&source, &Graph::empty(), &keytrail_domain::ref_selection::RefSelection::default(), MAX_REFS)
                .expect("refs");
        let request = WalkRequest {
            refs: &refs,
            known: &Graph::empty(),
            after: None,
            identify: &|_| PersonId::of_keyed_hash(&[0; 32]),
            cancel: &AtomicBool::new(false),
            progress: &Progress::default(),
            bounds: Bounds::default(),
        };
        let walked = walk(&self.opened(), &request, &mut |_| Ok(())).expect("every commit is there");
        (0..walked.new.len()).map(|place| walked.new.cursor(place).expect("in bounds").sha).collect()
    }

    pub(super) fn opened(&self) -> OpenedRepository {
        self.mirror.open().expect("a mirror")
    }

    pub(super) fn has(&self, sha: &str) -> bool {
        self.opened().reader().exists(sha.parse().expect("a name"))
    }
}

/// Another mirror of the same server.
pub(super) struct Afresh<'a> {
    _folder: TempDir,
    mirror: Mirror,
    remote: Remote,
    stage: &'a Stage,
}

impl Afresh<'_> {
    pub(super) async fn fetch(&self, way: Way) -> Result<Fetched, GitError> {
        let program = git_program().await;
        fetch(&FetchRequest {
            mirror: &self.mirror,
            source: FetchSource::Remote(&self.remote),
            wanted: &self.stage.refs(),
            program: (way == Way::Program).then_some(&program),
            limits: self.stage.limits,
            beside: 0,
            progress: &self.stage.progress,
            cancel: &self.stage.cancel,
        })
        .await
    }
}
