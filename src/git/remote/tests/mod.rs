//! The listing against a real web server before git, and against answers that no real server gives.

mod authority;
mod connections;
mod credentials;
mod listings;
mod refusals;
mod wire;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use keytrail_domain::{index_run::FailureCode, ref_selection::RefSelection, remote_url::RemoteUrl};
use keytrail_test_support::{
    repositories::{Repository, Shape, generate},
    web_server::WebServer,
};

use super::{AddressMode, AddressPolicy, Limits, Listed, Remote, Trust, list_remote_refs};
use crate::git::GitError;

/// A web server with one generated repository, `demo.git`.
struct Stage {
    folder: tempfile::TempDir,
    server: WebServer,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let demo = generate(&folder.path().join("demo.git"), &Shape::default()).expect("a repository");
        demo.git(&["update-server-info"]).expect("the files of a dumb server");
        // What is listed only when it is switched on, or never.
        for name in ["refs/notes/commits", "refs/changes/01/1/1", "refs/pull-requests/3/from"] {
            demo.commit(name, "beside the usual refs", &[]).expect("a commit");
        }
        for name in ["refs/pull/1/merge", "refs/keep-around/1", "refs/stash", "refs/remotes/origin/main"] {
            demo.commit(name, "never listed", &[]).expect("a commit");
        }
        let server = WebServer::start(folder.path());
        Self { folder, server }
    }

    fn demo(&self) -> Repository {
        Repository { path: self.path("demo.git") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// A policy that lets this machine be reached.
fn loopback() -> Arc<AddressPolicy> {
    let networks = vec!["127.0.0.0/8".parse().expect("a network"), "::1".parse().expect("a network")];
    let mode = AddressMode::Listed { private: false, hosts: Vec::new(), networks };
    Arc::new(AddressPolicy { mode, allow_http: true, allow_git_scheme: false })
}

fn remote(url: &str) -> Remote {
    Remote {
        url: RemoteUrl::parse(url).expect("a URL").url,
        credential: None,
        trust: Trust::WebPki,
        proxy: None,
        ssh: None,
        addresses: loopback(),
        limits: Limits::default(),
    }
}

/// With limits that a silent remote meets at once.
fn impatient(url: &str) -> Remote {
    let (connect, silence) = (Duration::from_secs(2), Duration::from_millis(300));
    let limits = Limits { connect, silence, ..Limits::default() };
    Remote { limits, ..remote(url) }
}

async fn list(remote: &Remote) -> Result<Listed, GitError> {
    list_remote_refs(remote, &RefSelection::default(), 100_000).await
}

/// The code of a refusal; its sentence names the host and none of the secrets.
async fn refusal(remote: &Remote) -> FailureCode {
    let error = list(remote).await.expect_err("a refusal");
    let text = format!("{error} {error:?}");
    assert!(text.contains(&remote.url.host().to_string()), "{text}");
    for secret in ["alice", "p@ss", "Basic", "Sign in"] {
        assert!(!text.contains(secret), "{text}");
    }
    error.failure_code().expect("a failure")
}

/// Adds refs to the file that git packs them in: thousands of small files would take seconds.
fn add_refs(repository: &Repository, lines: impl Iterator<Item = String>) {
    let file = repository.path.join("packed-refs");
    let text = std::fs::read_to_string(&file).expect("refs are packed");
    let (head, refs) = text.split_once('\n').expect("a first line");
    // What a tag leads to stands below it, after a `^`.
    let mut refs: Vec<String> = refs.replace("\n^", "^").lines().map(String::from).chain(lines).collect();
    refs.sort_by(|one, other| one[41..].cmp(&other[41..]));
    let refs = refs.join("\n").replace('^', "\n^");
    std::fs::write(&file, format!("{head}\n{refs}\n")).expect("we may write our repository");
}

/// What git itself lists there, in the form of [`shown`].
fn by_git(repository: &Path, selects: impl Fn(&str) -> bool) -> Vec<String> {
    let repository = Repository { path: repository.to_owned() };
    let format = "--format=%(refname) %(objectname) %(*objectname)";
    let text = String::from_utf8(repository.git(&["for-each-ref", format]).expect("refs")).expect("UTF-8");
    let mut lines: Vec<String> =
        text.lines().filter(|line| selects(line.split(' ').next().unwrap_or_default())).map(String::from).collect();
    lines.sort();
    lines
}

fn shown(listed: &Listed) -> Vec<String> {
    let line = |one: &super::ListedRef| {
        let peeled = one.peeled.map(|sha| sha.to_string()).unwrap_or_default();
        format!("{} {} {peeled}", String::from_utf8_lossy(&one.name), one.target)
    };
    let mut lines: Vec<String> = listed.refs.iter().map(line).collect();
    lines.sort();
    lines
}

fn usual(name: &str) -> bool {
    name.starts_with("refs/heads/")
        || name.starts_with("refs/tags/")
        || name.starts_with("refs/pull/") && name.ends_with("/head")
}
