//! dropbear, which is not OpenSSH: its host keys are those that it is looked at with, its repositories are listed and fetched
//! by either way, and what stands in the way is told as at any other server.

use keytrail::{
    git::{
        remote::{AddressMode, AddressPolicy, Remote, RemoteTrouble},
        ssh::HOST_ALIAS,
    },
    ssh_hosts::{self, Scanner},
    ssh_keys::SshKey,
};
use keytrail_domain::host_key::HostPublicKey;
use keytrail_test_support::{dropbear::Dropbear, sshd::HostKeyKind};

use crate::ssh_transport::{Stage, every_kind, is_fetched_whole, is_offered_nothing, key, list, trouble};

fn letting_in(keys: &[SshKey]) -> Dropbear {
    let lines: Vec<String> = keys.iter().map(|key| key.public().openssh("")).collect();
    Dropbear::start(&lines).expect("install the Debian packages dropbear-bin and libnss-wrapper")
}

fn remote(stage: &Stage, dropbear: &Dropbear, name: &str, keys: Vec<SshKey>) -> Remote {
    let path = stage.folder.path().join(name);
    let url = format!("ssh://{}@127.0.0.1:{}{}", dropbear.user(), dropbear.port, path.display());
    let host_keys = dropbear.host_keys().expect("it has keys");
    let lines = host_keys.iter().map(|(algorithm, blob, _)| format!("{HOST_ALIAS} {algorithm} {blob}"));
    stage.remote_at(&url, keys, lines.collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_fetched_from_dropbear_is_what_the_repository_has() {
    let stage = Stage::new();
    let dropbear = letting_in(&[key(1)]);
    is_fetched_whole(&stage, || remote(&stage, &dropbear, "shop.git", vec![key(1)]), "dropbear").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_key_lets_us_in_at_dropbear() {
    let stage = Stage::new();
    let kinds = every_kind(&stage);
    let dropbear = letting_in(&kinds.iter().map(|(_, read)| read()).collect::<Vec<_>>());
    for (name, read) in &kinds {
        let listed = list(&remote(&stage, &dropbear, "shop.git", vec![read()])).await;
        assert!(listed.is_ok_and(|listed| !listed.refs.is_empty()), "{name}: {}", dropbear.log());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_at_dropbear_shows_the_host_keys_that_it_tells_itself() {
    let dropbear = letting_in(&[]);
    let told = dropbear.host_keys().expect("it has keys");
    let mut keys = Vec::new();
    for (algorithm, blob, fingerprint) in &told {
        let key = HostPublicKey::read(algorithm, blob).expect("it is a key");
        assert_eq!(key.sha256(), *fingerprint, "{algorithm}");
        keys.push(key);
    }
    let server = ssh_hosts::endpoint(&format!("127.0.0.1:{}", dropbear.port)).expect("a server");
    let networks = vec!["127.0.0.0/8".parse().expect("a network")];
    let mode = AddressMode::Listed { private: false, hosts: Vec::new(), networks };
    let addresses = AddressPolicy { mode, allow_http: false, allow_git_scheme: false };
    let scanner = Scanner::find(&["/usr/bin".into()]).expect("install the Debian package openssh-client");
    let mut shown = scanner.scan(&server, &addresses).await.expect("it shows its keys");
    shown.sort();
    keys.sort();
    assert_eq!(shown, keys);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_and_a_missing_repository_are_told_apart_at_dropbear() {
    let stage = Stage::new();
    let dropbear = letting_in(&[key(1)]);
    let at = |name: &str, number: u8| remote(&stage, &dropbear, name, vec![key(number)]);
    assert_eq!(trouble(&at("shop.git", 2)).await, RemoteTrouble::SshAuthFailed);
    assert_eq!(trouble(&at("absent.git", 1)).await, RemoteTrouble::NotFound);
    assert!(list(&at("shop.git", 1)).await.is_ok(), "{}", dropbear.log());
    // One after the other, each in a connection of its own.
    let several = remote(&stage, &dropbear, "shop.git", vec![key(2), key(1)]);
    assert!(list(&several).await.is_ok(), "{}", dropbear.log());
    assert_eq!(several.ssh.as_ref().and_then(|ssh| ssh.told()).map(|told| told.offered.len()), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_host_key_of_dropbear_is_offered_nothing_by_either_way() {
    let stage = Stage::new();
    let mut dropbear = letting_in(&[key(1)]);
    let remotes = [(), ()].map(|()| remote(&stage, &dropbear, "shop.git", vec![key(1)]));
    let listed = list(&remotes[0]).await.expect("a list");
    dropbear.replace_host_key(HostKeyKind::Ed25519).expect("it starts again");
    let logins = || dropbear.log().matches("Pubkey auth succeeded").count();
    let before = logins();
    assert_eq!(before, 1, "{}", dropbear.log());
    is_offered_nothing(&stage, &remotes, &listed).await;
    assert_eq!(logins(), before);
}
