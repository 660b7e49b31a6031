//! Each cell of the table of formats at a real OpenSSH server: a key that a program wrote in that form lets us in.

use keytrail::ssh_keys;
use keytrail_test_support::sshd::{Config, HostKeyKind, Sshd};

use crate::{
    key_cells::{KINDS, ROWS, base},
    key_programs::{Bench, WORD},
    ssh_keys::word,
    ssh_transport::{Stage, list, trusted},
};

async fn lets_us_in(kind: (&str, &str, &str)) {
    let (bench, stage) = (Bench::new(), Stage::new());
    base(&bench, "key", kind);
    // The usual exchange of keys would take most of the time.
    let lines = vec!["KexAlgorithms curve25519-sha256".to_owned()];
    let authorized = vec![bench.text("key.pub").trim_end().to_owned()];
    let sshd = Sshd::start(Config { host_keys: vec![HostKeyKind::Ed25519], authorized, lines });
    let sshd = sshd.expect("install the Debian package openssh-server");
    let url = format!("ssh://{}@127.0.0.1:{}{}", sshd.user(), sshd.port, stage.repository.path.display());
    for row in ROWS.iter().filter(|row| row.exists_for(kind.0)) {
        let what = format!("{} / {}", row.title, kind.0);
        let _ = std::fs::remove_file(bench.path("cell"));
        row.write(&bench, "key", "cell");
        let key = ssh_keys::read(&bench.bytes("cell"), row.encryption.map(|_| word(WORD)).as_ref());
        let key = key.unwrap_or_else(|problem| panic!("{what}: {problem}"));
        let listed = list(&stage.remote_at(&url, vec![key], trusted(&sshd))).await;
        assert!(listed.is_ok_and(|listed| !listed.refs.is_empty()), "{what}: {}", sshd.log());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_rsa_key_lets_us_in_from_every_form() {
    lets_us_in(KINDS[0]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ed25519_key_lets_us_in_from_every_form() {
    lets_us_in(KINDS[1]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_curves_let_us_in_from_every_form() {
    for kind in &KINDS[2..] {
        lets_us_in(*kind).await;
    }
}
