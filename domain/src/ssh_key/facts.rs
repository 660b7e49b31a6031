//! What may be seen of a key: what it is, how it came, why it is of the kind that it is. Closed lists of words that are
//! stored; `src/ssh_keys` finds out which of them a key is.

use serde::{Deserialize, Serialize};

use crate::display_text::DisplayText;

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal: $title:literal),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $word)] $variant),*
        }

        impl $name {
            /// The whole list.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The stable word.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            /// As people say it.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title),* }
            }
        }
    )*};
}

words! {
    /// What a key is of, as SSH calls it.
    Algorithm {
        /// RSA
        Rsa = "ssh-rsa": "RSA",
        /// Ed25519
        Ed25519 = "ssh-ed25519": "Ed25519",
        /// ECDSA over P-256
        EcdsaP256 = "ecdsa-sha2-nistp256": "ECDSA",
        /// ECDSA over P-384
        EcdsaP384 = "ecdsa-sha2-nistp384": "ECDSA",
        /// ECDSA over P-521
        EcdsaP521 = "ecdsa-sha2-nistp521": "ECDSA",
    }
    /// How a key was written when it came.
    Format {
        /// `BEGIN OPENSSH PRIVATE KEY`
        OpenSsh = "openssh": "OpenSSH",
        /// `BEGIN RSA PRIVATE KEY`
        Pkcs1 = "pkcs1": "PEM (PKCS#1)",
        /// `BEGIN PRIVATE KEY`, `BEGIN ENCRYPTED PRIVATE KEY`
        Pkcs8 = "pkcs8": "PEM (PKCS#8)",
        /// `BEGIN EC PRIVATE KEY`
        Sec1 = "sec1": "PEM (SEC1)",
        /// `PuTTY-User-Key-File-2`
        PpkV2 = "ppk_v2": "PuTTY .ppk, version 2",
        /// `PuTTY-User-Key-File-3`
        PpkV3 = "ppk_v3": "PuTTY .ppk, version 3",
    }
    /// How a key that somebody had came into the pool.
    Origin {
        /// As text.
        Pasted = "pasted": "pasted",
        /// As a file.
        File = "file": "given as a file",
    }
    /// Why a key that the server made is of RSA.
    RsaReason {
        /// Its git host takes nothing else.
        AwsCodecommit = "aws_codecommit": "AWS CodeCommit takes RSA only",
        /// Its git host takes nothing else.
        AzureDevops = "azure_devops": "Azure DevOps takes RSA only",
        /// Whoever asked for it wanted it so.
        Asked = "asked": "it was asked for",
    }
}

/// The half that everybody may see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicKey {
    /// What it is of.
    pub algorithm: Algorithm,
    /// How long it is, as `ssh-keygen -l` counts.
    pub bits: u32,
    /// What its owner calls it, without addresses of persons; may be empty.
    pub comment: DisplayText,
    /// `SHA256:` and base64 without padding, as `ssh-keygen -l` writes it.
    pub sha256: String,
    /// `MD5:` and sixteen bytes in hex with colons between.
    pub md5: String,
    /// The key as it stands in `authorized_keys`: RFC 4253, section 6.6, in base64.
    pub blob: String,
}

/// How a key came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intake {
    /// As text, or as a file.
    pub origin: Origin,
    /// How it was written.
    pub format: Format,
    /// Whether it had a passphrase. It opened the key once and is not kept.
    pub had_passphrase: bool,
}
