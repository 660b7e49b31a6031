//! How long the intake of a private key of SSH takes: it is read, tried out, and written in the form that is sealed. Beside
//! it ssh-keygen reads the same file and says its public half. Without a passphrase: how long its function takes is chosen
//! by whoever wrote the file.
//!
//! `cargo bench --bench ssh_keys -- [--rounds 9]`

#[path = "measure/flags.rs"]
mod flags;
#[path = "measure/table.rs"]
mod table;

use std::{
    fs,
    hint::black_box,
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use flags::Flags;
use keytrail::ssh_keys::{self, Fresh, Target};
use table::{Table, median, seconds};

/// As ssh-keygen calls them, with their bits; the last one is the largest that is taken.
const KINDS: [(&str, &str); 4] = [("ed25519", "256"), ("ecdsa", "521"), ("rsa", "4096"), ("rsa", "8192")];

fn main() {
    let flags = Flags::read();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let table = Table::new();
    for (kind, bits) in KINDS {
        let file = folder.path().join(format!("{kind}_{bits}"));
        ssh_keygen(&["-q", "-t", kind, "-b", bits, "-N", "", "-f"], &file);
        let bytes = fs::read(&file).expect("ssh-keygen wrote it");
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..flags.or("rounds", 9) {
            let started = Instant::now();
            take_in(&bytes);
            ours.push(seconds(started.elapsed()));
            let started = Instant::now();
            ssh_keygen(&["-y", "-f"], &file);
            theirs.push(seconds(started.elapsed()));
        }
        let (ours, theirs) = (median(ours), median(theirs));
        table.line(
            &format!("a key is taken in, {kind}, {bits} bits"),
            &format!("{:.1} ms", ours * 1e3),
            &format!("ssh-keygen -y {:.1} ms", theirs * 1e3),
            &format!("{:.2}", ours / theirs),
            "<= 300 ms",
        );
    }
}

/// What is done with a key that comes, until it is sealed.
fn take_in(bytes: &[u8]) {
    let key = ssh_keys::read(bytes, None).expect("a key that is taken");
    let fresh = Fresh { check: [1; 4], salt: [2; 16], iv: [3; 16] };
    black_box(key.written(Target::OpenSsh, None, &fresh).expect("a form of it"));
}

fn ssh_keygen(words: &[&str], file: &Path) {
    let status = Command::new("ssh-keygen").args(words).arg(file).stdout(Stdio::null()).status();
    assert!(status.expect("install the Debian package openssh-client").success());
}
