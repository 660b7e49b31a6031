//! Every cell of the table of formats: which program writes a key of this kind in this form, and how.

use super::key_programs::{Bench, WORD};

/// Columns: what `ssh-keygen -t` and `-b` call them.
pub(crate) const KINDS: [(&str, &str, &str); 5] = [
    ("RSA", "rsa", "2048"),
    ("Ed25519", "ed25519", ""),
    ("ECDSA P-256", "ecdsa", "256"),
    ("ECDSA P-384", "ecdsa", "384"),
    ("ECDSA P-521", "ecdsa", "521"),
];

/// A row: how a key is written.
pub(crate) struct Row {
    /// As `docs/ssh.md` calls it.
    pub(crate) title: &'static str,
    /// What `keytrail ssh-key inspect` calls it: the format, and what the encryption begins with.
    pub(crate) format: &'static str,
    pub(crate) encryption: Option<&'static str>,
    /// Which program writes it.
    pub(crate) by: &'static str,
    write: Write,
}

/// How it is written, from a key of OpenSSH.
enum Write {
    /// As it is.
    AsItIs,
    /// `ssh-keygen -p` with these.
    SshKeygen(&'static [&'static str]),
    /// The old way of OpenSSL, with this flag.
    Traditional(&'static str),
    /// `openssl pkcs8 -topk8` with these.
    Pkcs8(&'static [&'static str]),
    /// `puttygen` with these parameters, and a passphrase or none.
    Puttygen(&'static str, bool),
}

const fn row(
    title: &'static str,
    format: &'static str,
    encryption: Option<&'static str>,
    by: &'static str,
    write: Write,
) -> Row {
    Row { title, format, encryption, by, write }
}

const fn openssh(title: &'static str, cipher: &'static str, options: &'static [&'static str]) -> Row {
    row(title, "openssh", Some(cipher), "ssh-keygen", Write::SshKeygen(options))
}

const fn old(title: &'static str, cipher: &'static str, flag: &'static str) -> Row {
    row(title, "", Some(cipher), "openssl", Write::Traditional(flag))
}

const fn pkcs8(title: &'static str, encryption: Option<&'static str>, options: &'static [&'static str]) -> Row {
    row(title, "pkcs8", encryption, "openssl", Write::Pkcs8(options))
}

const fn ppk(
    title: &'static str,
    format: &'static str,
    encryption: Option<&'static str>,
    parameters: &'static str,
) -> Row {
    row(title, format, encryption, "puttygen", Write::Puttygen(parameters, encryption.is_some()))
}

/// All rows.
pub(crate) const ROWS: &[Row] = &[
    row("OpenSSH", "openssh", None, "ssh-keygen", Write::AsItIs),
    openssh("OpenSSH, aes256-ctr (usual)", "aes256-ctr", &["-Z", "aes256-ctr"]),
    openssh("OpenSSH, aes128-ctr", "aes128-ctr", &["-Z", "aes128-ctr"]),
    openssh("OpenSSH, aes192-ctr", "aes192-ctr", &["-Z", "aes192-ctr"]),
    openssh("OpenSSH, aes128-cbc", "aes128-cbc", &["-Z", "aes128-cbc"]),
    openssh("OpenSSH, aes192-cbc", "aes192-cbc", &["-Z", "aes192-cbc"]),
    openssh("OpenSSH, aes256-cbc", "aes256-cbc", &["-Z", "aes256-cbc"]),
    openssh("OpenSSH, 3des-cbc", "3des-cbc", &["-Z", "3des-cbc"]),
    openssh("OpenSSH, aes128-gcm", "aes128-gcm@openssh.com", &["-Z", "aes128-gcm@openssh.com"]),
    openssh("OpenSSH, aes256-gcm", "aes256-gcm@openssh.com", &["-Z", "aes256-gcm@openssh.com"]),
    openssh("OpenSSH, chacha20-poly1305", "chacha20-poly1305@openssh.com", &["-Z", "chacha20-poly1305@openssh.com"]),
    row("PEM: PKCS#1 (RSA), SEC1 (ECDSA)", "", None, "ssh-keygen", Write::SshKeygen(&["-m", "PEM"])),
    old("PEM, Proc-Type, AES-128", "AES-128-CBC", "-aes128"),
    old("PEM, Proc-Type, AES-192", "AES-192-CBC", "-aes192"),
    old("PEM, Proc-Type, AES-256", "AES-256-CBC", "-aes256"),
    old("PEM, Proc-Type, triple DES", "DES-EDE3-CBC", "-des3"),
    pkcs8("PKCS#8", None, &["-nocrypt"]),
    pkcs8("PKCS#8, PBKDF2, AES-256 (usual)", Some("AES-256-CBC, PBKDF2"), &["-v2", "aes-256-cbc"]),
    pkcs8("PKCS#8, PBKDF2, AES-192", Some("AES-192-CBC, PBKDF2"), &["-v2", "aes-192-cbc"]),
    pkcs8(
        "PKCS#8, PBKDF2 with SHA-1, AES-128",
        Some("AES-128-CBC, PBKDF2"),
        &["-v2", "aes-128-cbc", "-v2prf", "hmacWithSHA1"],
    ),
    pkcs8(
        "PKCS#8, PBKDF2 with SHA-512, triple DES",
        Some("DES-EDE3-CBC, PBKDF2"),
        &["-v2", "des3", "-v2prf", "hmacWithSHA512"],
    ),
    pkcs8("PKCS#8, scrypt, AES-256", Some("AES-256-CBC, scrypt"), &["-scrypt"]),
    ppk("PuTTY .ppk, version 3", "ppk_v3", None, "version=3"),
    ppk("PuTTY .ppk, version 3, Argon2id (usual)", "ppk_v3", Some("aes256-cbc, Argon2id"), "version=3,passes=2"),
    ppk("PuTTY .ppk, version 3, Argon2i", "ppk_v3", Some("aes256-cbc, Argon2i"), "version=3,kdf=argon2i,passes=2"),
    ppk("PuTTY .ppk, version 3, Argon2d", "ppk_v3", Some("aes256-cbc, Argon2d"), "version=3,kdf=argon2d,passes=2"),
    ppk("PuTTY .ppk, version 2", "ppk_v2", None, "version=2"),
    ppk("PuTTY .ppk, version 2, SHA-1", "ppk_v2", Some("aes256-cbc, SHA-1"), "version=2"),
];

impl Row {
    /// Whether any program writes a key of this kind so: neither ssh-keygen nor openssl has another PEM than PKCS#8 for
    /// Ed25519.
    pub(crate) fn exists_for(&self, kind: &str) -> bool {
        !(kind == "Ed25519" && self.format.is_empty())
    }

    /// What our program calls the format of this kind.
    pub(crate) fn format_of(&self, kind: &str) -> &'static str {
        match (self.format, kind) {
            ("", "RSA") => "pkcs1",
            ("", _) => "sec1",
            (format, _) => format,
        }
    }

    /// Whether its comment comes along: PEM has none.
    pub(crate) fn has_comment(&self) -> bool {
        self.format == "openssh" || self.format.starts_with("ppk")
    }

    /// Writes the key `base`, of OpenSSH and without a passphrase, as `to`. A PEM of it is beside it, called `{base}.pem`.
    pub(crate) fn write(&self, bench: &Bench, base: &str, to: &str) {
        let word = format!("pass:{WORD}");
        let pem = format!("{base}.pem");
        match self.write {
            Write::AsItIs => bench.copy(base, to),
            Write::SshKeygen(options) => {
                bench.copy(base, to);
                let new = if self.encryption.is_some() { WORD } else { "" };
                let line = ["ssh-keygen", "-q", "-p", "-P", "", "-N", new, "-a", "2", "-f", to];
                bench.run(&[&line, options].concat());
            }
            Write::Traditional(flag) => {
                // Not by `pkey`: that would write PKCS#8.
                let program = if bench.text(&pem).contains("BEGIN RSA") { "rsa" } else { "ec" };
                let mut line = vec!["openssl", program, "-in", &pem, "-out", to, flag, "-passout", &word];
                if program == "rsa" {
                    line.push("-traditional");
                }
                bench.run(&line);
            }
            Write::Pkcs8(options) => {
                let line = ["openssl", "pkcs8", "-topk8", "-in", &pem, "-out", to, "-passout", &word];
                bench.run(&[&line, options].concat());
            }
            Write::Puttygen(parameters, is_encrypted) => {
                let line = ["puttygen", base, "-O", "private", "-o", to, "--ppk-param", parameters];
                let sealed = ["--new-passphrase", "word"];
                bench.run(&[&line[..], if is_encrypted { &sealed } else { &[] }].concat());
            }
        }
    }
}

/// A key of OpenSSH without a passphrase, called `name`, its public half as `{name}.pub`, and the same as PEM.
pub(crate) fn base(bench: &Bench, name: &str, kind: (&str, &str, &str)) {
    let (_, kind, bits) = kind;
    let mut line = vec!["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "made by a test", "-f", name];
    if !bits.is_empty() {
        line.extend(["-b", bits]);
    }
    bench.run(&line);
    let pem = format!("{name}.pem");
    if kind == "ed25519" {
        // ssh-keygen has no PEM for it, and openssl reads no OpenSSH: the 32 bytes are put where RFC 8410 has them.
        bench.write(&pem, ed25519_pem(bench, name));
    } else {
        bench.copy(name, &pem);
        bench.run(&["ssh-keygen", "-q", "-p", "-P", "", "-N", "", "-m", "PEM", "-f", &pem]);
    }
}

fn ed25519_pem(bench: &Bench, name: &str) -> Vec<u8> {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let text = bench.text(name);
    let body: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
    let whole = STANDARD.decode(body).expect("base64");
    // Twice the same length of 64: the seed, then the public half.
    let at = whole.windows(4).rposition(|window| window == [0, 0, 0, 64]).expect("the private half") + 4;
    let der = [&[0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 34, 4, 32], &whole[at..at + 32]].concat();
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der)).into_bytes()
}
