//! Objects come in one request each for trees and files, from every server that filters; caches give way to each other.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, SystemTime},
};

use keytrail_domain::{index_run::batch::CommitSha, remote_url::RemoteUrl};
use keytrail_test_support::{
    repositories::{Repository, Shape, generate},
    web_server::{Door, WebServer},
};

use super::*;
use crate::git::{
    diff::{ChangedFiles, Comparison, DiffBounds, DiffObjects, Looked, compare},
    mirror::Filter,
    remote::{AddressMode, AddressPolicy, Limits, Remote, Trust},
    transport::{
        FetchError, FetchLimits, FetchProgress, FetchRequest, FetchSource, Fetched, GitProgram, LocalRepository,
        ObjectsRequest, Verdict, WantedRef, fetch, fetch_objects,
    },
};

struct Stage {
    folder: tempfile::TempDir,
    source: Repository,
    web: WebServer,
    program: GitProgram,
    limits: FetchLimits,
    cancel: AtomicBool,
}

enum From {
    Web(Box<Remote>),
    Folder(LocalRepository),
}

impl From {
    fn source(&self) -> FetchSource<'_> {
        match self {
            Self::Web(remote) => FetchSource::Remote(remote),
            Self::Folder(connection) => FetchSource::Local(connection),
        }
    }
}

impl Stage {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let shape = Shape { commits: 60, files_per_commit: 3, merges_percent: 20, seed: 3, ..Shape::default() };
        let source = generate(&folder.path().join("made.git"), &shape).expect("git fast-import works");
        let web = WebServer::start(folder.path());
        let found = std::process::Command::new("sh").args(["-c", "command -v git"]).output().expect("a shell");
        let path = PathBuf::from(String::from_utf8_lossy(&found.stdout).trim());
        let found = GitProgram::find(&[path]).await.expect("git is installed");
        // What it does is tested, not whether it may be used.
        let program = GitProgram { verdict: Verdict::Good, ..found };
        let limits = FetchLimits { free_bytes: 0, ..FetchLimits::default() };
        Self { folder, source, web, program, limits, cancel: AtomicBool::new(false) }
    }

    fn web(&self, door: Door) -> From {
        let url = RemoteUrl::parse(&self.web.url_at(door, "made.git")).expect("a URL").url;
        let mode = AddressMode::Listed { private: false, hosts: vec![url.host().clone()], networks: Vec::new() };
        let addresses = Arc::new(AddressPolicy { mode, allow_git_scheme: true, allow_http: true });
        let (trust, limits) = (Trust::WebPki, Limits::default());
        From::Web(Box::new(Remote { url, credential: None, trust, proxy: None, ssh: None, addresses, limits }))
    }

    fn folder(&self) -> From {
        From::Folder(LocalRepository::InPlace(self.source.path.clone()))
    }

    async fn mirror(&self, from: &From, name: &str) -> (Mirror, Fetched) {
        let mirror = Mirror::open_or_make(&self.folder.path().join(name)).expect("a mirror");
        let lines = self.source.git_line(&["for-each-ref", "--format=%(objectname)"]).expect("refs");
        let wanted: Vec<_> =
            lines.lines().map(|line| WantedRef { name: Vec::new(), target: line.parse().expect("a name") }).collect();
        let request = FetchRequest {
            mirror: &mirror,
            source: from.source(),
            wanted: &wanted,
            program: Some(&self.program),
            limits: self.limits,
            beside: 0,
            progress: &FetchProgress::default(),
            cancel: &self.cancel,
        };
        let fetched = fetch(&request).await.expect("a mirror");
        (mirror, fetched)
    }

    async fn objects(
        &self,
        from: &From,
        cache: &ObjectCache,
        wanted: &BTreeSet<CommitSha>,
    ) -> Result<Fetched, GitError> {
        fetch_objects(&ObjectsRequest {
            cache: cache.repository(),
            source: from.source(),
            wanted,
            generations: None,
            program: Some(&self.program),
            limits: self.limits,
            progress: &FetchProgress::default(),
            cancel: &self.cancel,
        })
        .await
    }

    fn commits(&self) -> Vec<CommitSha> {
        let names = self.source.git_line(&["rev-list", "--all"]).expect("commits");
        names.lines().map(|name| name.parse().expect("a name")).collect()
    }
}

fn looked(mirror: &Mirror, cache: &ObjectCache, commit: CommitSha) -> (DiffObjects, Looked) {
    let (mirror, cache) = (mirror.open().expect("a mirror"), cache.open().expect("a cache"));
    let mut objects = DiffObjects::of(&[&mirror, &cache]);
    let looked = compare(&mut objects, commit, None).expect("the commit is in the mirror");
    (objects, looked)
}

fn compared(looked: Looked) -> Comparison {
    match looked {
        Looked::Compared(compared) => compared,
        Looked::Lacking(trees) => panic!("{} trees did not come", trees.len()),
    }
}

async fn a_commit_is_read_from_a_mirror_of_commits(door: Option<Door>) {
    let stage = Stage::new().await;
    let from = door.map_or_else(|| stage.folder(), |door| stage.web(door));
    let (mirror, fetched) = stage.mirror(&from, "mirror").await;
    assert!(fetched.objects > 0);
    assert_eq!(mirror.filled_by().expect("memory").map(|(filter, _)| filter), Some(Filter::Trees));
    let cache = ObjectCache::open_or_make(&stage.folder.path().join("caches/objects")).expect("a cache");
    let source = LocalRepository::InPlace(stage.source.path.clone()).open().expect("the source");
    let bounds = DiffBounds::default();
    let mut fetches = 0;
    for commit in stage.commits().into_iter().step_by(7) {
        let (_, first) = looked(&mirror, &cache, commit);
        if let Looked::Lacking(trees) = first {
            assert!(trees.len() <= 2, "of the commit and its parent");
            stage.objects(&from, &cache, &trees).await.expect("trees");
            fetches += 1;
        }
        let (mut objects, found) = looked(&mirror, &cache, commit);
        let files = compared(found).files(&bounds, None);
        let lacking = objects.lacking(files);
        if !lacking.is_empty() {
            stage.objects(&from, &cache, &lacking).await.expect("files");
            fetches += 1;
        }
        let (mut objects, found) = looked(&mirror, &cache, commit);
        let ours = ChangedFiles::of(&mut objects, &compared(found), &bounds, None).expect("files");
        let mut objects = DiffObjects::of(&[&source]);
        let there = compared(compare(&mut objects, commit, None).expect("a commit"));
        let theirs = ChangedFiles::of(&mut objects, &there, &bounds, None).expect("files");
        assert_eq!(ours, theirs, "{commit}");
        assert!(!ours.files.is_empty());
    }
    assert!(fetches > 5, "the mirror has no files");
}

#[tokio::test]
async fn a_commit_is_read_from_a_mirror_of_commits_over_http() {
    a_commit_is_read_from_a_mirror_of_commits(Some(Door::Open)).await;
}

#[tokio::test]
async fn a_commit_is_read_from_a_mirror_of_a_folder() {
    a_commit_is_read_from_a_mirror_of_commits(None).await;
}

async fn a_commit_is_read_where_there_is_no_mirror(door: Option<Door>) {
    let stage = Stage::new().await;
    let from = door.map_or_else(|| stage.folder(), |door| stage.web(door));
    let cache = ObjectCache::open_or_make(&stage.folder.path().join("caches/objects")).expect("a cache");
    let source = LocalRepository::InPlace(stage.source.path.clone()).open().expect("the source");
    let (bounds, all) = (DiffBounds::default(), stage.commits());
    let alone = |cache: &ObjectCache| DiffObjects::of(&[&cache.open().expect("a cache")]);
    for commit in all.iter().copied().step_by(20) {
        let wanted = BTreeSet::from([commit]);
        let request = ObjectsRequest {
            cache: cache.repository(),
            source: from.source(),
            wanted: &wanted,
            generations: Some(2),
            program: Some(&stage.program),
            limits: stage.limits,
            progress: &FetchProgress::default(),
            cancel: &stage.cancel,
        };
        fetch_objects(&request).await.expect("the commit, its parents and their trees");
        let mut objects = alone(&cache);
        let found = compared(compare(&mut objects, commit, None).expect("the commit and its parents came"));
        let lacking = objects.lacking(found.files(&bounds, None));
        // The cache has but a part of the history by now, and goes on all the same.
        stage.objects(&from, &cache, &lacking).await.expect("files");
        let mut objects = alone(&cache);
        let found = compared(compare(&mut objects, commit, None).expect("a commit"));
        let ours = ChangedFiles::of(&mut objects, &found, &bounds, None).expect("files");
        let mut objects = DiffObjects::of(&[&source]);
        let there = compared(compare(&mut objects, commit, None).expect("a commit"));
        assert_eq!(ours, ChangedFiles::of(&mut objects, &there, &bounds, None).expect("files"), "{commit}");
    }
    assert!(alone(&cache).lacking(all).len() > 30, "what is behind them did not come");
}

#[tokio::test]
async fn a_commit_is_read_where_there_is_no_mirror_of_a_server() {
    a_commit_is_read_where_there_is_no_mirror(Some(Door::Open)).await;
}

#[tokio::test]
async fn a_commit_is_read_where_there_is_no_mirror_of_a_folder() {
    a_commit_is_read_where_there_is_no_mirror(None).await;
}

#[tokio::test]
async fn what_the_remote_does_not_have_or_is_too_much_is_told() {
    let stage = Stage::new().await;
    let (from, cache) = (stage.web(Door::Open), ObjectCache::open_or_make(&stage.folder.path().join("c")));
    let cache = cache.expect("a cache");
    let gone = stage.objects(&from, &cache, &BTreeSet::from([CommitSha([7; 20])])).await;
    assert!(matches!(gone, Err(GitError::Fetch(FetchError::RefsMoved))), "{gone:?}");
    let forbidden = stage.objects(&stage.web(Door::Forbidden), &cache, &BTreeSet::from([CommitSha([7; 20])])).await;
    assert!(matches!(forbidden, Err(GitError::Remote(_))), "{forbidden:?}");
    let tree = stage.source.git_line(&["rev-parse", "main^{tree}"]).expect("a tree").trim().parse().expect("a name");
    let stage = Stage { limits: FetchLimits { quota_bytes: 10, ..stage.limits }, ..stage };
    let much = stage.objects(&from, &cache, &BTreeSet::from([tree])).await;
    assert!(matches!(much, Err(GitError::Fetch(FetchError::QuotaExceeded { .. }))), "{much:?}");
}

#[test]
fn the_cache_that_was_used_longest_ago_goes_first() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    for (age, name) in ["old", "middle", "young"].into_iter().enumerate() {
        ObjectCache::open_or_make(&at(name)).expect("a cache");
        fs::write(at(name).join("objects/pack/some.pack"), vec![0; 10_000]).expect("a file");
        let used = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000 + age as u64);
        File::options().write(true).open(at(name).join(USED)).and_then(|file| file.set_modified(used)).expect("a time");
    }
    assert_eq!(keep_room(folder.path(), 100_000, |_| Some(())).expect("room"), 0);
    assert!(bytes(folder.path()).expect("a sum") >= 30_000);
    let nobody_uses = |cache: &Path| (!cache.ends_with("old")).then_some(());
    assert!(keep_room(folder.path(), 25_000, nobody_uses).expect("room") >= 10_000);
    assert!(at("old").exists() && !at("middle").exists(), "who is used stays");
    assert!(keep_room(folder.path(), 15_000, |_| Some(())).expect("room") >= 10_000);
    let left = ["old", "middle", "young"].map(|name| at(name).exists());
    assert_eq!(left, [false, false, true]);
    ObjectCache::open_or_make(&at("old")).expect("it is made again");
    assert!(keep_room(folder.path(), 5_000, |_| Some(())).expect("room") >= 10_000);
    assert!(at("old").exists() && !at("young").exists(), "the younger use stays");
}
