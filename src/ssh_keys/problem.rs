//! Why a key cannot be used, in words for a person and with a code that stays. `remedy.rs` says what mends it. Made by
//! the readers; it repeats nothing of a private half.

/// What is wrong with what was given. `docs/errors.md` lists the codes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Nothing but blanks.
    #[error("there is nothing in it")]
    Empty,
    /// Over [`super::MOST_BYTES`].
    #[error("it has more than 64 KiB, and the largest private key has a fraction of that; this is another file")]
    TooLarge,
    /// The other half.
    #[error(
        "this is the public half of a key. It goes to the git host; what is needed here is the private half, which \
         begins with a line such as -----BEGIN OPENSSH PRIVATE KEY-----"
    )]
    Public,
    /// The public half with a signature of an authority.
    #[error(
        "this is {0}, which has no private half in it; what is needed here is the private key that it was made for"
    )]
    Certificate(&'static str),
    /// Nothing that is known.
    #[error(
        "this is no private key in a format that is known: OpenSSH, PEM (PKCS#1, PKCS#8, SEC1) and PuTTY .ppk version 2 \
         and 3 are"
    )]
    NotAKey,
    /// PEM without its text.
    #[error("this is the binary form (DER) of a key or a certificate; its text form (PEM) is needed")]
    Binary,
    /// A format that is known and not read.
    #[error("{0} is not read")]
    FormatUnsupported(&'static str),
    /// An end is missing.
    #[error("the key is cut off: {0}")]
    Truncated(&'static str),
    /// All is there, and something of it is not as it must be.
    #[error("the key is damaged: {0}")]
    Damaged(&'static str),
    /// More keys than one.
    #[error("there are {0} keys in it; give a file with one")]
    Several(u32),
    /// It is encrypted, and nothing was given to open it.
    #[error("the key has a passphrase, and none was given")]
    PassphraseNeeded,
    /// It is encrypted, and not with that.
    #[error("this is not the passphrase of the key, or the key is damaged")]
    PassphraseWrong,
    /// Encrypted in a way that is not read. The word is the file's own, with nothing in it that a terminal minds.
    #[error("the key is encrypted by {0}, which is not read")]
    CipherUnsupported(String),
    /// The file asks for more than it may.
    #[error(
        "to open the key {} with {asked}, which is more than a file may ask for ({})", .function.name(), .function.most()
    )]
    TooCostly {
        /// Which function.
        function: TooCostly,
        /// What the file asks for.
        asked: String,
    },
    /// A kind that is not used. The word is clean, as above.
    #[error("keys of the kind {0} cannot be used; RSA, Ed25519 and ECDSA with a curve of NIST can")]
    AlgorithmUnsupported(String),
    /// DSA.
    #[error("this is a DSA key; OpenSSH and the git hosts take none any more")]
    Dsa,
    /// The private half is elsewhere.
    #[error(
        "this key belongs to a security key (FIDO): its private half never leaves that, and a person must touch it for \
         each use, which a server cannot"
    )]
    Fido,
    /// So many bits.
    #[error("this RSA key has {0} bits; at least 2048 are needed, and git hosts refuse it, too")]
    RsaTooShort(u32),
    /// So many bits.
    #[error("this RSA key has {0} bits; at most 8192 are used")]
    RsaTooLong(u32),
    /// It signs what its public half does not know.
    #[error(
        "the private half and the public half do not belong together; the file was put together from two, or damaged"
    )]
    HalvesDiffer,
}

/// A function that makes a key of a passphrase, and takes as long as the file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TooCostly {
    /// Of PuTTY.
    Argon2,
    /// Of OpenSSH.
    Bcrypt,
    /// Of PKCS#8.
    Pbkdf2,
    /// Of PKCS#8.
    Scrypt,
}

impl TooCostly {
    const fn name(self) -> &'static str {
        match self {
            Self::Argon2 => "Argon2 is to run",
            Self::Bcrypt => "bcrypt is to run",
            Self::Pbkdf2 => "PBKDF2 is to run",
            Self::Scrypt => "scrypt is to run",
        }
    }

    const fn most(self) -> &'static str {
        match self {
            Self::Argon2 => "256 MiB, 4 GiB in all passes, 16 lanes",
            Self::Bcrypt => "512 rounds",
            Self::Pbkdf2 => "5,000,000 rounds",
            Self::Scrypt => "256 MiB, and N × r × p of 4,194,304",
        }
    }
}

impl Problem {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Empty => "ssh_key_empty",
            Self::TooLarge => "ssh_key_too_large",
            Self::Public => "ssh_key_public",
            Self::Certificate(_) => "ssh_key_certificate",
            Self::NotAKey => "ssh_key_unknown_format",
            Self::Binary => "ssh_key_binary",
            Self::FormatUnsupported(_) => "ssh_key_format_unsupported",
            Self::Truncated(_) => "ssh_key_truncated",
            Self::Damaged(_) => "ssh_key_damaged",
            Self::Several(_) => "ssh_key_several",
            Self::PassphraseNeeded => "ssh_key_passphrase_needed",
            Self::PassphraseWrong => "ssh_key_passphrase_wrong",
            Self::CipherUnsupported(_) => "ssh_key_cipher_unsupported",
            Self::TooCostly { .. } => "ssh_key_too_costly",
            Self::AlgorithmUnsupported(_) => "ssh_key_algorithm_unsupported",
            Self::Dsa => "ssh_key_dsa",
            Self::Fido => "ssh_key_fido",
            Self::RsaTooShort(_) => "ssh_key_rsa_too_short",
            Self::RsaTooLong(_) => "ssh_key_rsa_too_long",
            Self::HalvesDiffer => "ssh_key_halves_differ",
        }
    }
}

/// A word of the file, fit to be shown: printable ASCII, not long.
pub(super) fn shown(word: &[u8]) -> String {
    let printable = word.iter().take(40).map(|byte| if byte.is_ascii_graphic() { char::from(*byte) } else { '?' });
    let text: String = printable.collect();
    if text.is_empty() { "no name".to_owned() } else { text }
}
