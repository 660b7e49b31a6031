//! What mends a key that cannot be used: a sentence, and the commands to type. Every command that begins with `ssh-keygen`,
//! `puttygen` or `openssl` is run by `tests/peers/key_remedies.rs`, and what comes out is taken.

use super::{
    guide::{NEW_ED25519, NEW_RSA},
    problem::{Problem, TooCostly},
};

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remedy {
    /// In words.
    pub says: &'static str,
    /// Commands for a shell, in their order. They never hold a passphrase: programs ask for it.
    pub commands: Vec<String>,
}

impl Problem {
    /// What mends it, where the key lies in `file`, written as a shell takes it for one word.
    pub fn remedy(&self, file: &str) -> Remedy {
        let new = || vec![NEW_ED25519.to_owned()];
        let (says, commands) = match self {
            Self::Empty | Self::NotAKey | Self::TooLarge => {
                ("Look whether it is the right file. Where there is no key yet, make one:", new())
            }
            Self::Public | Self::Certificate(_) => (
                "Give the file of the same name without .pub, -cert.pub or .crt. Where it is lost, no program makes it again; \
                 make a new key, and give its public half to the git host:",
                new(),
            ),
            Self::Binary => {
                ("Write it as text:", vec![format!("openssl pkey -inform DER -in {file} -out keytrail_key")])
            }
            Self::FormatUnsupported(_) => {
                ("Where PuTTY's puttygen reads it, write it in the form of OpenSSH:", with_puttygen(file))
            }
            Self::Truncated(_) => (
                "Copy the whole file again, from the line that begins with -----BEGIN (or PuTTY-User-Key-File) to the very last \
                 one. Where the file itself is like that, make a new key:",
                new(),
            ),
            Self::Damaged(_) | Self::HalvesDiffer => {
                ("Copy the file again from where it works. Where it works nowhere, make a new key:", new())
            }
            Self::Several(_) => ("Use a key of its own for this server:", new()),
            Self::PassphraseNeeded => (
                "Give the passphrase on the terminal, when it is asked for, or in a file:",
                vec![format!("keytrail ssh-key inspect {file} --passphrase-file PASSPHRASE_FILE")],
            ),
            Self::PassphraseWrong => (
                "Try again; upper and lower case differ. Where it is lost, nobody opens the key again; make a new one:",
                new(),
            ),
            Self::CipherUnsupported(_) => ("Encrypt a copy of it in a way of today:", with_ssh_keygen(file, "")),
            Self::TooCostly { function: TooCostly::Argon2, .. } => {
                ("Write it in the form of OpenSSH, with the same passphrase:", with_puttygen(file))
            }
            Self::TooCostly { function: TooCostly::Bcrypt, .. } => {
                ("Encrypt a copy of it with fewer rounds:", with_ssh_keygen(file, "-a 24 "))
            }
            Self::TooCostly { .. } => ("Encrypt a copy of it with fewer rounds:", with_openssl(file)),
            Self::RsaTooShort(_) | Self::RsaTooLong(_) => (
                "Make a new key; the second one is for git hosts that take RSA only:",
                vec![NEW_ED25519.to_owned(), NEW_RSA.to_owned()],
            ),
            Self::AlgorithmUnsupported(_) | Self::Dsa | Self::Fido => {
                ("Make a key for this server alone, and give its public half to the git host:", new())
            }
        };
        Remedy { says, commands }
    }
}

fn with_puttygen(file: &str) -> Vec<String> {
    vec![format!("puttygen {file} -O private-openssh-new -o keytrail_key")]
}

fn with_openssl(file: &str) -> Vec<String> {
    vec![format!("openssl pkey -in {file} -aes256 -out keytrail_key")]
}

fn with_ssh_keygen(file: &str, options: &str) -> Vec<String> {
    vec![
        format!("cp {file} keytrail_key"),
        "chmod 600 keytrail_key".to_owned(),
        format!("ssh-keygen -p {options}-f keytrail_key"),
    ]
}
