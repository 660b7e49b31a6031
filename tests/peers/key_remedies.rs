//! Every command that the guide and the remedies show is carried out as it stands there, and the key that comes of it is
//! taken. `docs/ssh.md` is what the program says.

use std::fmt::Write;

use keytrail::ssh_keys::{self, Platform};
use serde_json::Value;

use super::{
    key_cells::{KINDS, base},
    key_programs::{Bench, WORD},
    ssh_keys::{table, without_comment, word},
};

#[track_caller]
fn is_taken(bench: &Bench, name: &str, passphrase: Option<&str>) {
    let key = ssh_keys::read(&bench.bytes(name), passphrase.map(word).as_ref());
    assert!(key.is_ok(), "{name}: {:?}", key.err());
}

#[test]
fn every_command_of_the_guide_works_and_its_key_is_taken() {
    for platform in Platform::ALL {
        let bench = Bench::new();
        base(&bench, "old", KINDS[0]);
        bench.run(&["puttygen", "old", "-O", "private", "-o", "key.ppk"]);
        let steps = ssh_keys::guide(platform);
        let commands: Vec<String> =
            steps.iter().flat_map(|step| step.commands).map(|line| (*line).to_owned()).collect();
        assert!(commands.iter().any(|line| line.starts_with("ssh-keygen -t ed25519")), "{}", platform.name());
        let said = bench.shell(&commands, false);
        assert!(said.contains("ssh-ed25519 AAAA") && said.contains("---- BEGIN SSH2 PUBLIC KEY ----"), "{said}");
        for name in ["keytrail_key", "keytrail_rsa_key", "keytrail_key.pem", "converted_key", "converted_by_puttygen"] {
            let made = commands.iter().any(|line| line.split(' ').any(|word| word == name));
            assert_eq!(bench.path(name).exists(), made, "{name} on {}", platform.name());
            if made {
                is_taken(&bench, name, None);
            }
        }
    }
}

/// The problem that our program sees, and the commands that it shows.
#[track_caller]
fn seen(bench: &Bench, name: &str, with_word: bool) -> (String, Vec<String>) {
    let line: &[&str] = &["ssh-key", "inspect", name, "--json", "--passphrase-file", "word"];
    let output = bench.keytrail(if with_word { line } else { &line[..4] });
    let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((output.status.code(), &found["usable"]), (Some(1), &Value::Bool(false)), "{found}");
    let commands = found["problem"]["commands"].as_array().expect("commands");
    let commands = commands.iter().map(|line| line.as_str().expect("text").to_owned()).collect();
    (found["problem"]["code"].as_str().expect("a code").to_owned(), commands)
}

/// What is wrong, and whether the key that the commands make has a passphrase.
fn mended(bench: &Bench, name: &str, code: &str, keeps_passphrase: bool) {
    let (found, commands) = seen(bench, name, true);
    assert_eq!(found, code, "{name}");
    bench.shell(&commands, keeps_passphrase);
    let made = if commands.iter().any(|line| line.contains("keytrail_key")) { "keytrail_key" } else { name };
    is_taken(bench, made, keeps_passphrase.then_some(WORD));
    if keeps_passphrase {
        // The same key as before, and still sealed.
        let key = ssh_keys::read(&bench.bytes(made), Some(&word(WORD))).unwrap_or_else(|problem| panic!("{problem}"));
        assert_eq!(key.public().openssh(""), without_comment(&bench.text("key.pub")), "{name}");
        assert!(key.encryption().is_some(), "{name}");
    }
    for file in ["keytrail_key", "keytrail_key.pub", "keytrail_rsa_key", "keytrail_rsa_key.pub"] {
        let _ = std::fs::remove_file(bench.path(file));
    }
}

#[test]
fn what_cannot_be_used_is_told_exactly_and_the_commands_that_are_shown_mend_it() {
    let bench = Bench::new();
    base(&bench, "key", KINDS[0]);
    bench.write("empty", "");
    mended(&bench, "empty", "ssh_key_empty", false);
    bench.write("large", vec![b'x'; 70_000]);
    mended(&bench, "large", "ssh_key_too_large", false);
    bench.write("garbage", [0x89, 0x50, 0x4e, 0x47, 0, 1, 2, 3]);
    mended(&bench, "garbage", "ssh_key_unknown_format", false);
    mended(&bench, "key.pub", "ssh_key_public", false);
    bench.run(&["openssl", "pkey", "-in", "key.pem", "-pubout", "-out", "public.pem"]);
    mended(&bench, "public.pem", "ssh_key_public", false);
    bench.run(&["ssh-keygen", "-q", "-s", "key", "-I", "id", "-n", "git", "key.pub"]);
    mended(&bench, "key-cert.pub", "ssh_key_certificate", false);
    bench.run(&["openssl", "req", "-x509", "-key", "key.pem", "-subj", "/CN=x", "-out", "x509.pem"]);
    mended(&bench, "x509.pem", "ssh_key_certificate", false);
    let whole = bench.bytes("key");
    bench.write("cut", &whole[..whole.len() / 2]);
    mended(&bench, "cut", "ssh_key_truncated", false);
    bench.write("spoiled", bench.text("key").replacen("b3BlbnNzaC1rZXktdjE", "b3BlbnNzaC1rZXktdjI", 1));
    mended(&bench, "spoiled", "ssh_key_damaged", false);
    bench.write("several", [&whole[..], &whole].concat());
    mended(&bench, "several", "ssh_key_several", false);
    bench.run(&["openssl", "dsaparam", "-genkey", "-noout", "-out", "dsa", "1024"]);
    mended(&bench, "dsa", "ssh_key_dsa", false);
    bench.run(&["openssl", "genrsa", "-traditional", "-out", "short", "1024"]);
    mended(&bench, "short", "ssh_key_rsa_too_short", false);
    bench.run(&["openssl", "ecparam", "-genkey", "-noout", "-name", "secp256k1", "-out", "koblitz"]);
    mended(&bench, "koblitz", "ssh_key_algorithm_unsupported", false);
    bench.run(&["openssl", "genpkey", "-algorithm", "ed448", "-out", "ed448"]);
    mended(&bench, "ed448", "ssh_key_algorithm_unsupported", false);
    bench.run(&["openssl", "pkcs8", "-topk8", "-in", "key.pem", "-out", "sealed", "-passout", "pass:other"]);
    mended(&bench, "sealed", "ssh_key_passphrase_wrong", false);
}

#[test]
fn a_security_key_is_told_from_its_file_alone() {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let string = |bytes: &[u8]| [&u32::try_from(bytes.len()).expect("short").to_be_bytes()[..], bytes].concat();
    let bench = Bench::new();
    // What PROTOCOL.u2f says of such a file; no test has the thing that it belongs to.
    let name = string(b"sk-ssh-ed25519@openssh.com");
    let public = [name.clone(), string(&[7; 32]), string(b"ssh:")].concat();
    let private = [&[1; 8], name.as_slice(), &string(&[7; 32]), &string(b"ssh:"), &[1], &string(&[3; 64])].concat();
    let parts = [string(b"none"), string(b"none"), string(b""), vec![0, 0, 0, 1], string(&public), string(&private)];
    let whole = [b"openssh-key-v1\0".as_slice(), &parts.concat()].concat();
    let body = STANDARD.encode(whole);
    bench.write("fido", format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{body}\n-----END OPENSSH PRIVATE KEY-----\n"));
    mended(&bench, "fido", "ssh_key_fido", false);
}

#[test]
fn a_form_that_is_not_read_is_written_in_another_by_the_commands_that_are_shown() {
    let bench = Bench::new();
    base(&bench, "key", KINDS[0]);
    let pass = format!("pass:{WORD}");
    bench.run(&["puttygen", "key", "-O", "private-sshcom", "-o", "ssh.com", "--new-passphrase", "word"]);
    mended(&bench, "ssh.com", "ssh_key_format_unsupported", true);
    bench.run(&[
        "openssl",
        "rsa",
        "-in",
        "key.pem",
        "-traditional",
        "-camellia256",
        "-passout",
        &pass,
        "-out",
        "camellia",
    ]);
    mended(&bench, "camellia", "ssh_key_cipher_unsupported", true);
    let pbes1 = ["-v1", "PBE-SHA1-3DES", "-passout", &pass];
    bench.run(&[&["openssl", "pkcs8", "-topk8", "-in", "key.pem", "-out", "pbes1"], &pbes1[..]].concat());
    mended(&bench, "pbes1", "ssh_key_cipher_unsupported", true);
    bench.run(&["openssl", "pkey", "-in", "key.pem", "-outform", "DER", "-out", "key.der"]);
    mended(&bench, "key.der", "ssh_key_binary", false);
}

#[test]
fn a_key_that_asks_for_too_much_is_made_modest_by_the_commands_that_are_shown() {
    let bench = Bench::new();
    base(&bench, "key", KINDS[0]);
    let pass = format!("pass:{WORD}");
    let much = ["--new-passphrase", "word", "--ppk-param", "memory=270000,passes=1"];
    bench.run(&[&["puttygen", "key", "-O", "private", "-o", "much.ppk"], &much[..]].concat());
    mended(&bench, "much.ppk", "ssh_key_too_costly", true);
    let rounds = ["-v2", "aes-256-cbc", "-iter", "5000001", "-passout", &pass];
    bench.run(&[&["openssl", "pkcs8", "-topk8", "-in", "key.pem", "-out", "pbkdf2"], &rounds[..]].concat());
    mended(&bench, "pbkdf2", "ssh_key_too_costly", true);
    let passes = ["-scrypt", "-scrypt_p", "64", "-passout", &pass];
    bench.run(&[&["openssl", "pkcs8", "-topk8", "-in", "key.pem", "-out", "scrypt"], &passes[..]].concat());
    mended(&bench, "scrypt", "ssh_key_too_costly", true);
    bench.copy("key", "bcrypt");
    bench.run(&["ssh-keygen", "-q", "-p", "-P", "", "-N", WORD, "-a", "513", "-f", "bcrypt"]);
    mended(&bench, "bcrypt", "ssh_key_too_costly", true);
}

#[test]
fn a_passphrase_that_is_missing_is_asked_for_by_the_command_that_is_shown() {
    let bench = Bench::new();
    base(&bench, "key", KINDS[1]);
    bench.run(&["ssh-keygen", "-q", "-p", "-P", "", "-N", WORD, "-a", "2", "-f", "key"]);
    let (code, commands) = seen(&bench, "key", false);
    assert_eq!(code, "ssh_key_passphrase_needed");
    bench.copy("word", "PASSPHRASE_FILE");
    assert!(bench.shell(&commands, false).contains("its halves belong together"));
}

/// The part of the page between two marks.
fn between<'a>(page: &'a str, what: &str) -> (&'a str, &'a str, &'a str) {
    let (begin, end) = (format!("<!-- {what} -->\n"), format!("<!-- end of {what} -->"));
    let at = page.find(&begin).unwrap_or_else(|| panic!("docs/ssh.md has no mark {what}")) + begin.len();
    let length = page[at..].find(&end).unwrap_or_else(|| panic!("docs/ssh.md has no end of {what}"));
    (&page[..at], &page[at..at + length], &page[at + length..])
}

#[test]
fn the_page_about_keys_has_the_table_as_tested_and_the_guide_as_shown() {
    let mut guide = String::new();
    for platform in Platform::ALL {
        let _ = writeln!(guide, "### {}\n", platform.title());
        for (number, step) in ssh_keys::guide(platform).iter().enumerate() {
            let _ = writeln!(guide, "{}. {}", number + 1, step.says);
            if !step.commands.is_empty() {
                let lines: Vec<String> = step.commands.iter().map(|line| format!("       {line}")).collect();
                let _ = writeln!(guide, "\n{}\n", lines.join("\n"));
            }
        }
        guide.push('\n');
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/ssh.md");
    for (what, wanted) in [("table", table()), ("guide", guide)] {
        let page = std::fs::read_to_string(path).expect("the page");
        let (before, found, after) = between(&page, what);
        #[expect(clippy::disallowed_methods, reason = "whoever runs the test says by it that the page may change")]
        if std::env::var_os("KEYTRAIL_WRITE_SSH").is_some() {
            std::fs::write(path, format!("{before}{wanted}{after}")).expect("the page can be written");
            continue;
        }
        assert!(
            found == wanted,
            "docs/ssh.md ({what}) is not what the program says: run this test with KEYTRAIL_WRITE_SSH=1"
        );
    }
}
