//! gitolite, which lets several keys in as one user and gives each its own repositories: what a key may read is read, and
//! of what it may not nothing is told but that it is not there. It runs in a home of its own, behind our server of SSH, as
//! whoever runs the tests.

use std::{path::Path, process::Command};

use keytrail::git::remote::{Remote, RemoteTrouble};
use keytrail_test_support::{
    repositories::Repository,
    sshd::{Config, HostKeyKind, Sshd},
};

use crate::ssh_transport::{Stage, is_fetched_whole, key, list, trouble, trusted};

/// Each with the number of the one key that may read it.
const REPOSITORIES: [(&str, u8); 2] = [("alpha", 1), ("beta", 2)];
/// What gitolite says to who may not read.
const ITS_WORDS: [&str; 4] = ["FATAL", "DENIED", "fallthru", "reponame"];

fn gitolite(home: &Path, words: &[&str]) {
    let output = Command::new("gitolite")
        .args(words)
        .current_dir(home)
        .env_clear()
        .envs([("PATH", "/usr/local/bin:/usr/bin:/bin"), ("USER", "git"), ("GIT_CONFIG_NOSYSTEM", "1")])
        .env("HOME", home)
        .output()
        .expect("install the Debian package gitolite3");
    assert!(output.status.success(), "gitolite {words:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The repositories below `home`, each a copy of the stage's, and the server before them.
fn served(stage: &Stage, home: &Path) -> Sshd {
    let public = |number: u8| key(number).public().openssh("") + "\n";
    std::fs::write(home.join("admin.pub"), public(9)).expect("a file");
    gitolite(home, &["setup", "-pk", "admin.pub"]);
    // As a push of its administrator would, without one.
    let mut rights = String::new();
    for (name, number) in REPOSITORIES {
        rights += &format!("repo {name}\n    R = {name}\n");
        std::fs::write(home.join(format!(".gitolite/keydir/{name}.pub")), public(number)).expect("a file");
    }
    std::fs::write(home.join(".gitolite/conf/gitolite.conf"), rights).expect("a file");
    gitolite(home, &["compile"]);
    gitolite(home, &["trigger", "POST_COMPILE"]);
    let from = stage.repository.path.to_str().expect("UTF-8");
    for (name, _) in REPOSITORIES {
        let bare = Repository { path: home.join(format!("repositories/{name}.git")) };
        bare.git(&["fetch", "-q", from, "+refs/*:refs/*"]).expect("git works");
    }
    let lines = vec![
        format!("SetEnv HOME={}", home.display()),
        format!("AuthorizedKeysFile {}", home.join(".ssh/authorized_keys").display()),
    ];
    let sshd = Sshd::start(Config { host_keys: vec![HostKeyKind::Ed25519], lines, ..Config::default() });
    sshd.expect("install the Debian package openssh-server")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_key_reads_its_own_repository_of_gitolite_and_is_told_of_no_other() {
    let (stage, home) = (Stage::new(), tempfile::tempdir().expect("a folder"));
    let sshd = served(&stage, home.path());
    let remote = |name: &str, numbers: &[u8]| {
        let url = format!("ssh://{}@127.0.0.1:{}/{name}", sshd.user(), sshd.port);
        stage.remote_at(&url, numbers.iter().map(|number| key(*number)).collect(), trusted(&sshd))
    };
    let told = |remote: &Remote| remote.ssh.as_ref().and_then(|ssh| ssh.told()).expect("keys were offered");
    for (own, number) in REPOSITORIES {
        is_fetched_whole(&stage, || remote(own, &[number]), own).await;
        let others = REPOSITORIES.iter().map(|(name, _)| *name).filter(|name| *name != own);
        for other in others.chain(["absent"]) {
            let refused = remote(other, &[number]);
            let error = list(&refused).await.expect_err("this key may not read it").to_string();
            assert!(ITS_WORDS.iter().all(|word| !error.contains(word)), "{error}");
            assert_eq!(trouble(&refused).await, RemoteTrouble::NotFound, "{own} {other}");
            assert!(told(&refused).accepted.is_some(), "the key is known there");
        }
    }
    // A key that is taken is the last one: whether another may read more is not tried.
    let [(_, first), (second, other)] = REPOSITORIES;
    let both = remote(second, &[first, other]);
    assert_eq!(trouble(&both).await, RemoteTrouble::NotFound);
    assert_eq!(told(&both).offered.len(), 1);
    assert_eq!(trouble(&remote(second, &[7])).await, RemoteTrouble::SshAuthFailed, "a key that it does not know");
}
