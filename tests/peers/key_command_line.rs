//! `keytrail ssh-key` as a person uses it: on a terminal, with files that are there already, and new keys.

use std::{
    io::{Read, Write},
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
};

use keytrail::ssh_keys;

use super::{
    key_cells::{KINDS, base},
    key_programs::{Bench, WORD},
    ssh_keys::{without_comment, word},
};

#[test]
fn a_passphrase_is_asked_for_on_the_terminal_and_not_shown() {
    let bench = Bench::new();
    base(&bench, "key", KINDS[1]);
    bench.run(&["ssh-keygen", "-q", "-p", "-P", "", "-N", WORD, "-a", "2", "-f", "key"]);
    let line = format!("{} ssh-key inspect key", env!("CARGO_BIN_EXE_keytrail"));
    let mut child = Command::new("script")
        .args(["--quiet", "--return", "--command", &line, "/dev/null"])
        .current_dir(bench.path("."))
        .env("HOME", bench.path("."))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("these tests need `script`: install the Debian package `bsdutils`");
    let mut screen = child.stdout.take().expect("it is piped");
    let mut seen = Vec::new();
    let mut byte = [0];
    while !seen.ends_with(b"Passphrase of key: ") && screen.read(&mut byte).expect("the screen") == 1 {
        seen.extend_from_slice(&byte);
    }
    let mut keyboard = child.stdin.take().expect("it is piped");
    keyboard.write_all(format!("{WORD}\n").as_bytes()).expect("the keyboard");
    screen.read_to_end(&mut seen).expect("the screen");
    let status = child.wait().expect("it ends");
    let seen = String::from_utf8_lossy(&seen);
    assert!(status.success() && seen.contains("its halves belong together"), "{status}: {seen}");
    assert!(seen.contains("SHA256:") && !seen.contains("correct horse"), "{seen}");
}

#[test]
fn nothing_is_overwritten_and_what_is_written_is_for_its_owners_eyes() {
    let bench = Bench::new();
    base(&bench, "key", KINDS[1]);
    let convert = |out: &str| bench.keytrail(&["ssh-key", "convert", "key", "--to", "pem", "--out", out]);
    assert!(convert("new").status.success());
    let mode = std::fs::metadata(bench.path("new")).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let before = bench.bytes("key");
    let refused = convert("key");
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("is not overwritten"));
    assert_eq!(bench.bytes("key"), before);
    // A link is not followed to what it points at, be that there or not.
    std::os::unix::fs::symlink(bench.path("nowhere"), bench.path("link")).expect("a link");
    assert_eq!(convert("link").status.code(), Some(2));
    assert!(!bench.path("nowhere").exists());
    bench.write("half.pub", "something");
    assert_eq!(bench.keytrail(&["ssh-key", "make-file", "--out", "half"]).status.code(), Some(2));
    assert!(!bench.path("half").exists() && bench.text("half.pub") == "something");
}

#[test]
fn what_cannot_be_used_is_not_converted_and_nothing_is_written() {
    let bench = Bench::new();
    base(&bench, "key", KINDS[1]);
    for (name, code) in [("key.pub", "ssh_key_public"), ("word", "ssh_key_unknown_format")] {
        let output = bench.keytrail(&["ssh-key", "convert", name, "--to", "pem", "--out", "new"]);
        let complained = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{complained}");
        assert!(complained.contains(code) && complained.contains("ssh-keygen -t ed25519"), "{complained}");
        assert!(!complained.contains("correct horse") && !bench.path("new").exists());
    }
    assert_eq!(bench.keytrail(&["ssh-key", "inspect", "nowhere"]).status.code(), Some(3));
}

#[test]
fn new_keys_are_taken_by_ssh_keygen_and_have_their_public_half_beside_them() {
    let bench = Bench::new();
    for (name, more, passphrase) in [
        ("usual", &[][..], ""),
        ("rsa", &["--type", "rsa", "--comment", "for a host"], ""),
        ("sealed", &["--passphrase-file", "word"], WORD),
    ] {
        let output = bench.keytrail(&[&["ssh-key", "make-file", "--out", name], more].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let derived = bench.run(&["ssh-keygen", "-y", "-P", passphrase, "-f", name]);
        let beside = bench.text(&format!("{name}.pub"));
        assert_eq!(without_comment(&derived), without_comment(&beside));
        let listed = bench.run(&["ssh-keygen", "-l", "-f", &format!("{name}.pub")]);
        assert_eq!(listed.starts_with("4096 "), name == "rsa", "{listed}");
        let key = ssh_keys::read(&bench.bytes(name), Some(&word(WORD))).map(|key| key.encryption().is_some());
        assert_eq!(key, Ok(!passphrase.is_empty()));
        let mode = std::fs::metadata(bench.path(name)).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    assert_ne!(bench.bytes("usual"), bench.bytes("sealed"));
}

#[test]
fn a_key_and_a_passphrase_come_from_standard_input_and_no_answer_holds_the_private_half() {
    let bench = Bench::new();
    base(&bench, "key", KINDS[0]);
    let public = without_comment(&bench.text("key.pub"));
    let on_stdin = |line: &str| bench.run(&["sh", "-c", line]);
    let plain = on_stdin("keytrail ssh-key inspect - <key.pem");
    assert!(plain.contains(&public));
    let json = on_stdin("keytrail ssh-key inspect --json - <key.pem");
    let private = bench.text("key.pem");
    // The public numbers come first, in 400 characters.
    for line in private.lines().skip(8).filter(|line| line.len() > 40) {
        assert!(!plain.contains(line) && !json.contains(line), "{line}");
    }
    bench.run(&["ssh-keygen", "-q", "-p", "-P", "", "-N", WORD, "-a", "2", "-f", "key"]);
    assert!(on_stdin("keytrail ssh-key inspect key --passphrase-stdin <word").contains(&public));
    // Both cannot be there, and nothing is asked where nobody sits.
    let both = bench.output(&["sh", "-c", "keytrail ssh-key inspect - --passphrase-stdin <key"]);
    assert_eq!(both.status.code(), Some(2));
    let silent = bench.keytrail(&["ssh-key", "convert", "key", "--to", "pem"]);
    assert!(silent.stdout.is_empty() && String::from_utf8_lossy(&silent.stderr).contains("ssh_key_passphrase_needed"));
    // There is no option that would take a passphrase from the arguments.
    let help = bench.run(&["keytrail", "ssh-key", "convert", "--help"]);
    let options = help.split_whitespace().filter(|word| word.contains("passphrase") && word.starts_with("--"));
    let options: std::collections::BTreeSet<_> = options.map(|word| word.trim_matches([',', '.'])).collect();
    let known = ["--new-passphrase-file", "--no-passphrase", "--passphrase-file", "--passphrase-stdin"];
    assert_eq!(options, known.into());
}
