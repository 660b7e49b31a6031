//! What no program makes for us: files that ask for too much, bytes of all kinds, and what must never be shown. What real
//! programs make is in `tests/peers/ssh_keys.rs`.

use base64::{Engine, engine::general_purpose::STANDARD};
use proptest::prelude::*;

use super::{
    guide::{NEW_ED25519, NEW_RSA},
    *,
};
use crate::secrets::Secret;

const FRESH: Fresh = Fresh { check: [1, 2, 3, 4], salt: [5; 16], iv: [6; 16] };

fn key() -> SshKey {
    ed25519(Secret::new((0..32).collect()), "a key of a test").expect("a key")
}

fn passphrase(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

fn text(key: &SshKey, target: Target, word: Option<&str>) -> String {
    let word = word.map(passphrase);
    key.written(target, word.as_ref(), &FRESH).expect("it can be written").expose().clone()
}

fn code(file: &[u8]) -> &'static str {
    match read(file, Some(&passphrase("any"))) {
        Ok(_) => "none",
        Err(problem) => problem.code(),
    }
}

fn block(label: &str, bytes: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(bytes))
}

/// A block of OpenSSH with these options of bcrypt, and nothing that could be opened.
fn openssh_with(rounds: u32, cipher: &str) -> String {
    let mut whole = b"openssh-key-v1\0".to_vec();
    wire::put_string(&mut whole, cipher.as_bytes());
    wire::put_string(&mut whole, b"bcrypt");
    let mut options = Vec::new();
    wire::put_string(&mut options, &[7; 16]);
    options.extend_from_slice(&rounds.to_be_bytes());
    wire::put_string(&mut whole, &options);
    whole.extend_from_slice(&1_u32.to_be_bytes());
    wire::put_string(&mut whole, key().public().blob());
    wire::put_string(&mut whole, &[9; 160]);
    block("OPENSSH PRIVATE KEY", &whole)
}

fn ppk_with(memory: &str, passes: &str, lanes: &str) -> String {
    format!(
        "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: aes256-cbc\nComment: x\nPublic-Lines: 1\n{}\nKey-Derivation: \
         Argon2id\nArgon2-Memory: {memory}\nArgon2-Passes: {passes}\nArgon2-Parallelism: {lanes}\nArgon2-Salt: {}\n\
         Private-Lines: 1\n{}\nPrivate-MAC: {}\n",
        STANDARD.encode(key().public().blob()),
        "ab".repeat(16),
        STANDARD.encode([1; 48]),
        "cd".repeat(32),
    )
}

/// PBES2 with any parameters: (function, cipher) in DER.
fn pbes2(function: &[u8], cipher: &[u8]) -> String {
    fn sequence(parts: &[&[u8]]) -> Vec<u8> {
        let inside = parts.concat();
        [&[0x30, u8::try_from(inside.len()).expect("a short one")], inside.as_slice()].concat()
    }
    let pbes2 = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 13];
    let scheme = sequence(&[&pbes2, &sequence(&[function, cipher])]);
    block("ENCRYPTED PRIVATE KEY", &sequence(&[&scheme, &[4, 8, 1, 2, 3, 4, 5, 6, 7, 8]]))
}

const AES_256: [u8; 31] =
    [0x30, 29, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 42, 4, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
const SCRYPT: [u8; 11] = [6, 9, 0x2b, 6, 1, 4, 1, 0xda, 0x47, 4, 11];
const PBKDF2: [u8; 11] = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 12];

fn function(oid: &[u8], numbers: &[u8]) -> Vec<u8> {
    let salt = [4, 8, 1, 1, 1, 1, 1, 1, 1, 1];
    let parameters = [&[0x30, (salt.len() + numbers.len()) as u8], salt.as_slice(), numbers].concat();
    [&[0x30, (oid.len() + parameters.len()) as u8], oid, parameters.as_slice()].concat()
}

#[test]
fn a_file_cannot_ask_for_gigabytes_or_minutes() {
    for (memory, passes, lanes) in [
        ("262145", "1", "1"),
        ("4294967295", "1", "1"),
        ("99999999999999999999", "1", "1"),
        ("8192", "4294967295", "1"),
        ("8192", "1", "4294967295"),
    ] {
        assert_eq!(code(ppk_with(memory, passes, lanes).as_bytes()), "ssh_key_too_costly", "{memory} {passes} {lanes}");
    }
    assert_eq!(code(openssh_with(513, "aes256-ctr").as_bytes()), "ssh_key_too_costly");
    assert_eq!(code(openssh_with(u32::MAX, "aes256-ctr").as_bytes()), "ssh_key_too_costly");
    let rounds = function(&PBKDF2, &[2, 4, 0x7f, 0xff, 0xff, 0xff]);
    assert_eq!(code(pbes2(&rounds, &AES_256).as_bytes()), "ssh_key_too_costly");
    // N = 2^30, r = 8, p = 1: a terabyte.
    let memory = function(&SCRYPT, &[2, 4, 0x40, 0, 0, 0, 2, 1, 8, 2, 1, 1]);
    assert_eq!(code(pbes2(&memory, &AES_256).as_bytes()), "ssh_key_too_costly");
}

#[test]
fn parameters_that_no_program_writes_are_damage_and_no_panic() {
    // Nothing, and no power of two, for N of scrypt.
    for cost in [&[2_u8, 1, 0][..], &[2, 1, 1], &[2, 1, 6]] {
        let numbers = [cost, &[2, 1, 8, 2, 1, 1]].concat();
        assert_eq!(code(pbes2(&function(&SCRYPT, &numbers), &AES_256).as_bytes()), "ssh_key_damaged", "{cost:?}");
    }
    // Triple DES with a start of four bytes, which the library would cut eight of.
    let triple_des = [0x30, 16, 6, 8, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 3, 7, 4, 4, 1, 2, 3, 4];
    let rounds = function(&PBKDF2, &[2, 2, 8, 0]);
    assert_eq!(code(pbes2(&rounds, &triple_des).as_bytes()), "ssh_key_damaged");
    // No rounds, no salt, no memory.
    assert_eq!(code(openssh_with(0, "aes256-ctr").as_bytes()), "ssh_key_damaged");
    assert_eq!(code(ppk_with("0", "0", "0").as_bytes()), "ssh_key_damaged");
    assert_eq!(code(ppk_with("64", "1", "16").as_bytes()), "ssh_key_damaged");
    assert_eq!(code(ppk_with("-1", "1", "1").as_bytes()), "ssh_key_damaged");
    assert_eq!(code(openssh_with(16, "rot13").as_bytes()), "ssh_key_cipher_unsupported");
}

#[test]
fn what_is_not_a_private_key_is_called_by_its_name() {
    let public = key().public().openssh("me");
    let wide: Vec<u8> = [0xff, 0xfe].into_iter().chain(public.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let large = vec![b' '; MOST_BYTES + 1];
    let rfc4716 = key().public().rfc4716("me");
    let cases: Vec<(&[u8], &str)> = vec![
        (b"", "ssh_key_empty"),
        (b" \r\n\t \xef\xbb\xbf"[..5].as_ref(), "ssh_key_empty"),
        (&large, "ssh_key_too_large"),
        (public.as_bytes(), "ssh_key_public"),
        (&wide, "ssh_key_public"),
        (rfc4716.as_bytes(), "ssh_key_public"),
        (b"restrict,command=\"x\" ssh-rsa AAAA me", "ssh_key_public"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "ssh_key_public"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "ssh_key_certificate"),
        (b"ssh-ed25519-cert-v01@openssh.com AAAA me", "ssh_key_certificate"),
        (b"-----BEGIN DSA PRIVATE KEY-----\nAAAA\n-----END DSA PRIVATE KEY-----", "ssh_key_dsa"),
        (b"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nAAAA\n", "ssh_key_format_unsupported"),
        (b"PuTTY-User-Key-File-1: ssh-rsa\nEncryption: none\n", "ssh_key_format_unsupported"),
        (b"---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\n", "ssh_key_format_unsupported"),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA", "ssh_key_truncated"),
        (b"b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAA\n-----END OPENSSH PRIVATE KEY-----", "ssh_key_truncated"),
        (b"b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAA", "ssh_key_truncated"),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\n\n-----END OPENSSH PRIVATE KEY-----", "ssh_key_damaged"),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\n=?!\n-----END OPENSSH PRIVATE KEY-----", "ssh_key_damaged"),
        (b"\x30\x82\x04\xa4\x02\x01\x00\xff\xfe\x80", "ssh_key_binary"),
        (b"hello", "ssh_key_unknown_format"),
        (b"\x89PNG\r\n\x1a\n\0\0", "ssh_key_unknown_format"),
    ];
    for (file, expected) in cases {
        assert_eq!(code(file), expected, "{}", String::from_utf8_lossy(&file[..file.len().min(60)]));
    }
}

#[test]
fn whatever_is_around_a_key_does_no_harm() {
    for target in [Target::OpenSsh, Target::Pem] {
        let plain = text(&key(), target, None);
        let wide: Vec<u8> = [0xfe, 0xff].into_iter().chain(plain.encode_utf16().flat_map(u16::to_be_bytes)).collect();
        let narrow: Vec<u8> = [0xff, 0xfe].into_iter().chain(plain.encode_utf16().flat_map(u16::to_le_bytes)).collect();
        let variants: Vec<Vec<u8>> = vec![
            plain.replace('\n', "\r\n").into_bytes(),
            plain.replace('\n', "\r").into_bytes(),
            plain.trim_end().as_bytes().to_vec(),
            format!("\n\n   {plain}").into_bytes(),
            format!("\u{feff}{plain}").into_bytes(),
            format!("  {}", plain.replace('\n', "\n  ")).into_bytes(),
            plain.replace('\n', " ").into_bytes(),
            plain.replace('\n', "\\n").into_bytes(),
            format!("Bag Attributes\n    friendlyName: x\n{plain}").into_bytes(),
            wide,
            narrow,
        ];
        for variant in variants {
            let found = read(&variant, None).map(|key| key.public().sha256());
            assert_eq!(found, Ok(key().public().sha256()), "{}", String::from_utf8_lossy(&variant));
        }
    }
}

#[test]
fn a_passphrase_that_is_needed_is_told_from_one_that_is_wrong_and_one_too_many_does_no_harm() {
    for target in [Target::OpenSsh, Target::Pem] {
        let sealed = text(&key(), target, Some("right"));
        assert_eq!(read(sealed.as_bytes(), None).err(), Some(Problem::PassphraseNeeded));
        assert_eq!(read(sealed.as_bytes(), Some(&passphrase(""))).err(), Some(Problem::PassphraseNeeded));
        assert_eq!(read(sealed.as_bytes(), Some(&passphrase("wrong"))).err(), Some(Problem::PassphraseWrong));
        assert!(read(sealed.as_bytes(), Some(&passphrase("right"))).is_ok());
        assert!(read(text(&key(), target, None).as_bytes(), Some(&passphrase("any"))).is_ok());
    }
}

#[test]
fn one_key_is_not_chosen_among_several() {
    let (one, other) = (text(&key(), Target::OpenSsh, None), text(&key(), Target::Pem, None));
    assert_eq!(read(format!("{one}\n{other}").as_bytes(), None).err(), Some(Problem::Several(2)));
    // What belongs to a key may stand beside it.
    let certificate = block("CERTIFICATE", b"of somebody");
    assert!(read(format!("{certificate}{other}{certificate}").as_bytes(), None).is_ok());
}

#[test]
fn two_halves_of_two_keys_are_told() {
    let other = ed25519(Secret::new(vec![9; 32]), "other").expect("a key");
    let plain = text(&key(), Target::OpenSsh, None);
    let body: String = plain.lines().filter(|line| !line.starts_with("-----")).collect();
    let whole = STANDARD.decode(body).expect("base64");
    let (mine, others) = (key().public().blob().to_vec(), other.public().blob().to_vec());
    let at = whole.windows(mine.len()).position(|window| window == mine).expect("the public half");
    let mixed = [&whole[..at], &others, &whole[at + mine.len()..]].concat();
    assert_eq!(code(block("OPENSSH PRIVATE KEY", &mixed).as_bytes()), "ssh_key_halves_differ");
}

#[test]
fn every_code_is_explained_and_every_problem_has_a_remedy_without_the_word_of_the_file() {
    let problems = [
        Problem::Empty,
        Problem::TooLarge,
        Problem::Public,
        Problem::Certificate("a certificate"),
        Problem::NotAKey,
        Problem::Binary,
        Problem::FormatUnsupported("that"),
        Problem::Truncated("there"),
        Problem::Damaged("there"),
        Problem::Several(2),
        Problem::PassphraseNeeded,
        Problem::PassphraseWrong,
        Problem::CipherUnsupported("x".to_owned()),
        Problem::TooCostly { function: TooCostly::Argon2, asked: "x".to_owned() },
        Problem::AlgorithmUnsupported("x".to_owned()),
        Problem::Dsa,
        Problem::Fido,
        Problem::RsaTooShort(1024),
        Problem::RsaTooLong(16_384),
        Problem::HalvesDiffer,
    ];
    let page = include_str!("../../docs/errors.md");
    let (_, section) = page.split_once("## Codes of SSH keys").expect("the section");
    let section = section.split("\n## ").next().unwrap_or_default();
    let spans = section.split('`').skip(1).step_by(2);
    let explained: std::collections::BTreeSet<_> = spans.filter(|span| span.starts_with("ssh_key_")).collect();
    assert_eq!(explained, problems.iter().map(Problem::code).collect());
    for problem in &problems {
        let remedy = problem.remedy("'a file'");
        assert!(remedy.says.ends_with(':') && !remedy.commands.is_empty(), "{problem}");
    }
    assert!(NEW_ED25519.contains("ed25519") && NEW_RSA.contains("4096"));
}

/// Whole files that hold something of each reader, to be spoiled.
fn seeds() -> Vec<Vec<u8>> {
    let rounds = function(&PBKDF2, &[2, 2, 8, 0]);
    vec![
        text(&key(), Target::OpenSsh, None).into_bytes(),
        text(&key(), Target::Pem, None).into_bytes(),
        openssh_with(1, "aes256-gcm@openssh.com").into_bytes(),
        ppk_with("64", "1", "1").into_bytes(),
        pbes2(&rounds, &AES_256).into_bytes(),
        block("RSA PRIVATE KEY", &[0x30, 6, 2, 1, 0, 2, 1, 5]).into_bytes(),
        b"-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\n\
          AAAAAAAAAAAAAAAAAAAAAA==\n-----END EC PRIVATE KEY-----\n"
            .to_vec(),
    ]
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let _ = (look(&bytes), read(&bytes, Some(&passphrase("x"))).is_ok());
    }

    #[test]
    fn no_bytes_in_a_block_make_it_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..256),
        label in prop_oneof![
            Just("OPENSSH PRIVATE KEY"), Just("RSA PRIVATE KEY"), Just("EC PRIVATE KEY"),
            Just("PRIVATE KEY"), Just("ENCRYPTED PRIVATE KEY")
        ],
    ) {
        let file = block(label, &bytes);
        let _ = (look(file.as_bytes()), read(file.as_bytes(), Some(&passphrase("x"))).is_ok());
    }

    #[test]
    fn no_spoiled_file_makes_it_panic(seed in 0_usize..7, changes in proptest::collection::vec((any::<u16>(), any::<u8>()), 1..6)) {
        let mut file = seeds()[seed].clone();
        for (at, byte) in changes {
            let place = usize::from(at) % file.len();
            file[place] = byte;
        }
        let _ = (look(&file), read(&file, Some(&passphrase("x"))).is_ok());
    }

    #[test]
    fn what_was_written_is_read_again(seed: [u8; 32], comment in "\\PC{0,40}") {
        let key = ed25519(Secret::new(seed.to_vec()), &comment).expect("any 32 bytes are a key");
        for target in [Target::OpenSsh, Target::Pem] {
            let again = read(text(&key, target, None).as_bytes(), None).expect("our own");
            prop_assert_eq!(again.public(), key.public());
            // PEM has no comment.
            prop_assert_eq!(again.comment(), if target == Target::OpenSsh { key.comment() } else { "" });
        }
    }
}
