//! Every form of private keys that people have, written by the programs that people have: read, said what it is, and written
//! in another form that those programs take.

use std::fmt::Write;

use keytrail::{
    secrets::Secret,
    ssh_keys::{self, Fresh, Problem, SshKey, Target},
};
use serde_json::Value;

use super::{
    key_cells::{KINDS, ROWS, Row, base},
    key_programs::{Bench, WORD},
};

const FRESH: Fresh = Fresh { check: [9, 8, 7, 6], salt: [5; 16], iv: [4; 16] };

pub(crate) fn word(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

/// The first two words of a public half: the comment is not of the key.
pub(crate) fn without_comment(line: &str) -> String {
    line.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}

fn text(key: &SshKey, target: Target, passphrase: Option<&str>) -> String {
    let passphrase = passphrase.map(word);
    key.written(target, passphrase.as_ref(), &FRESH).expect("it is written").expose().clone()
}

/// One cell of the table.
fn judge(bench: &Bench, row: &Row, kind: &str, base: &str) {
    let what = format!("{} / {kind}", row.title);
    let name = format!("{base}.cell");
    let _ = std::fs::remove_file(bench.path(&name));
    row.write(bench, base, &name);
    let file = bench.bytes(&name);
    let look = ssh_keys::look(&file).unwrap_or_else(|problem| panic!("{what}: {problem}"));
    assert_eq!((look.format.name(), look.encryption.as_deref()), (row.format_of(kind), row.encryption), "{what}");
    if row.encryption.is_some() {
        assert_eq!(ssh_keys::read(&file, None).err(), Some(Problem::PassphraseNeeded), "{what}");
        let wrong = ssh_keys::read(&file, Some(&word("another word"))).err();
        assert_eq!(wrong, Some(Problem::PassphraseWrong), "{what}");
    }
    let key = ssh_keys::read(&file, row.encryption.map(|_| word(WORD)).as_ref());
    let key = key.unwrap_or_else(|problem| panic!("{what}: {problem}"));
    let public = bench.text(&format!("{base}.pub"));
    assert_eq!(key.public().openssh(""), without_comment(&public), "{what}");
    assert_eq!(key.comment(), if row.has_comment() { "made by a test" } else { "" }, "{what}");
    // What stands outside is the same.
    assert!(look.public.is_none_or(|outside| outside == *key.public()), "{what}");
    // The same key for ssh-keygen when we wrote it.
    let written = format!("{base}.written");
    bench.write(&written, text(&key, Target::OpenSsh, None));
    assert_eq!(without_comment(&bench.run(&["ssh-keygen", "-y", "-f", &written])), without_comment(&public), "{what}");
}

fn judge_row_of(kind: (&str, &str, &str)) {
    let bench = Bench::new();
    base(&bench, "key", kind);
    for row in ROWS.iter().filter(|row| row.exists_for(kind.0)) {
        judge(&bench, row, kind.0, "key");
    }
}

#[test]
fn an_rsa_key_is_read_from_every_form_that_programs_write() {
    judge_row_of(KINDS[0]);
}

#[test]
fn an_ed25519_key_is_read_from_every_form_that_programs_write() {
    judge_row_of(KINDS[1]);
}

#[test]
fn keys_of_curves_are_read_from_every_form_that_programs_write() {
    KINDS[2..].iter().for_each(|kind| judge_row_of(*kind));
}

#[test]
fn private_numbers_that_begin_with_zeros_are_read_from_every_form() {
    // Half of the numbers of P-521 are a byte shorter than the curve's.
    let bench = Bench::new();
    let rows: Vec<&Row> = ROWS.iter().filter(|row| row.encryption.is_none()).collect();
    for number in 0..8 {
        let name = format!("key{number}");
        base(&bench, &name, KINDS[4]);
        rows.iter().for_each(|row| judge(&bench, row, KINDS[4].0, &name));
    }
}

#[test]
fn fingerprints_and_both_forms_of_the_public_half_are_those_of_ssh_keygen() {
    let bench = Bench::new();
    for (number, kind) in KINDS.into_iter().enumerate() {
        let name = format!("key{number}");
        base(&bench, &name, kind);
        let output = bench.keytrail(&["ssh-key", "inspect", &name, "--json"]);
        let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert!(output.status.success(), "{found}");
        for (hash, field) in [("sha256", "fingerprint_sha256"), ("md5", "fingerprint_md5")] {
            let line = bench.run(&["ssh-keygen", "-l", "-E", hash, "-f", &format!("{name}.pub")]);
            let words: Vec<&str> = line.split_whitespace().collect();
            assert_eq!(
                (found["bits"].to_string().as_str(), found[field].as_str()),
                (words[0], Some(words[1])),
                "{line}"
            );
        }
        assert_eq!(found["public_key"], bench.text(&format!("{name}.pub")).trim_end());
        bench.write("rfc4716", found["public_key_rfc4716"].as_str().expect("text"));
        let back = bench.run(&["ssh-keygen", "-i", "-f", "rfc4716"]);
        assert_eq!(without_comment(&back), without_comment(&bench.text(&format!("{name}.pub"))));
        let theirs = bench.run(&["ssh-keygen", "-e", "-f", &format!("{name}.pub")]);
        let body = |text: &str| text.lines().filter(|line| !line.contains([':', '-'])).collect::<Vec<_>>().join("\n");
        assert_eq!(body(&bench.text("rfc4716")), body(&theirs));
    }
}

#[test]
fn what_we_convert_is_taken_by_the_programs_with_and_without_a_passphrase() {
    let bench = Bench::new();
    let word = format!("pass:{WORD}");
    for (number, kind) in KINDS.into_iter().enumerate() {
        let name = format!("key{number}");
        base(&bench, &name, kind);
        bench.run(&["puttygen", &name, "-O", "private", "-o", "in.ppk", "--new-passphrase", "word"]);
        let public = without_comment(&bench.text(&format!("{name}.pub")));
        let convert = |out: &str, more: &[&str]| {
            let _ = std::fs::remove_file(bench.path(out));
            let line = ["ssh-key", "convert", "in.ppk", "--passphrase-file", "word", "--out", out];
            let output = bench.keytrail(&[&line, more].concat());
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        };
        convert("out", &["--to", "openssh"]);
        assert_eq!(without_comment(&bench.run(&["ssh-keygen", "-y", "-P", WORD, "-f", "out"])), public);
        let theirs = bench.run(&["puttygen", "out", "-O", "public-openssh", "--old-passphrase", "word"]);
        assert_eq!(without_comment(&theirs), public);
        // It did not lose its passphrase unasked.
        assert!(!bench.output(&["ssh-keygen", "-y", "-P", "", "-f", "out"]).status.success());
        convert("out", &["--to", "openssh", "--no-passphrase"]);
        assert_eq!(without_comment(&bench.run(&["ssh-keygen", "-y", "-P", "", "-f", "out"])), public);
        let point =
            bench.output(&["openssl", "pkey", "-in", &format!("{name}.pem"), "-pubout", "-outform", "DER"]).stdout;
        assert!(!point.is_empty());
        for (more, pass) in [(&["--to", "pem"][..], word.as_str()), (&["--to", "pem", "--no-passphrase"], "pass:")] {
            convert("out", more);
            let line = ["openssl", "pkey", "-in", "out", "-passin", pass, "-pubout", "-outform", "DER"];
            assert_eq!(bench.output(&line).stdout, point, "{} {more:?}", kind.0);
        }
        convert("out", &["--to", "pem", "--new-passphrase-file", "other"]);
        bench.run(&["openssl", "pkey", "-in", "out", "-passin", "pass:another word", "-noout"]);
        // Other programs look closely at the numbers that OpenSSH and PuTTY leave out.
        if kind.0 == "RSA" {
            convert("out", &["--to", "pem", "--no-passphrase"]);
            assert!(bench.run(&["openssl", "rsa", "-in", "out", "-check", "-noout"]).contains("RSA key ok"));
        }
    }
}

#[test]
fn a_key_that_is_cut_off_anywhere_is_told_and_never_taken() {
    let bench = Bench::new();
    base(&bench, "rsa", KINDS[0]);
    base(&bench, "key", KINDS[1]);
    base(&bench, "curve", KINDS[2]);
    for row in ROWS {
        for name in ["rsa", "key", "curve"] {
            if name == "key" && !row.exists_for("Ed25519") {
                continue;
            }
            row.write(&bench, name, "cut");
            let whole = bench.bytes("cut");
            let end = whole.trim_ascii_end().len();
            for length in 0..end {
                let found = ssh_keys::read(&whole[..length], None).err();
                assert!(found.is_some(), "{} {name}: {length} of {end} bytes are taken", row.title);
                assert_ne!(found, Some(Problem::PassphraseNeeded), "{} {name}: {length} of {end}", row.title);
            }
            std::fs::remove_file(bench.path("cut")).expect("it is there");
        }
    }
}

/// The table as `docs/ssh.md` has it.
pub(crate) fn table() -> String {
    let mut text = "| form | written by |".to_owned();
    let columns: Vec<&str> = KINDS.iter().map(|kind| kind.0).collect();
    let _ = writeln!(text, " {} |\n|---|---|{}", columns.join(" | "), "---|".repeat(columns.len()));
    for row in ROWS {
        let cells: Vec<&str> =
            columns.iter().map(|kind| if row.exists_for(kind) { "read" } else { "not written" }).collect();
        let _ = writeln!(text, "| {} | {} | {} |", row.title, row.by, cells.join(" | "));
    }
    text
}
