//! From the bytes of a file to a key that was tried out, or to what is wrong with it. Called by the command line.

use super::{
    armour::{self, Found, Label, Pem},
    der_keys,
    legacy_pem::Encryption,
    material::Material,
    openssh::{Container, Opened},
    pkcs8,
    ppk::Ppk,
    problem::Problem,
    proof,
    public_half::{PublicHalf, clean},
};
use crate::secrets::Secret;

/// How a private key is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `BEGIN OPENSSH PRIVATE KEY`
    OpenSsh,
    /// `BEGIN RSA PRIVATE KEY`
    Pkcs1,
    /// `BEGIN PRIVATE KEY`, `BEGIN ENCRYPTED PRIVATE KEY`
    Pkcs8,
    /// `BEGIN EC PRIVATE KEY`
    Sec1,
    /// `PuTTY-User-Key-File-2`
    PpkV2,
    /// `PuTTY-User-Key-File-3`
    PpkV3,
}

impl Format {
    /// One word, which stays.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenSsh => "openssh",
            Self::Pkcs1 => "pkcs1",
            Self::Pkcs8 => "pkcs8",
            Self::Sec1 => "sec1",
            Self::PpkV2 => "ppk_v2",
            Self::PpkV3 => "ppk_v3",
        }
    }

    /// As people call it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::OpenSsh => "OpenSSH",
            Self::Pkcs1 => "PEM (PKCS#1)",
            Self::Pkcs8 => "PEM (PKCS#8)",
            Self::Sec1 => "PEM (SEC1)",
            Self::PpkV2 => "PuTTY .ppk, version 2",
            Self::PpkV3 => "PuTTY .ppk, version 3",
        }
    }
}

/// What a file says of itself, without its passphrase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// How it is written.
    pub format: Format,
    /// How it is encrypted, where it is: the cipher, and the function that makes its key where that is not always the same.
    pub encryption: Option<String>,
    /// The public half, where it stands outside of what is encrypted.
    pub public: Option<PublicHalf>,
    /// What its owner calls it, where that stands outside.
    pub comment: Option<String>,
}

/// A private key that was tried out: its halves belong together, and it signs. It cannot be printed or copied.
pub struct SshKey {
    pub(super) material: Material,
    pub(super) public: PublicHalf,
    pub(super) comment: String,
    format: Format,
    encryption: Option<String>,
}

impl SshKey {
    /// Tries it out.
    pub(super) fn proven(
        material: Material,
        claimed: Option<&PublicHalf>,
        comment: &[u8],
        format: Format,
        encryption: Option<String>,
    ) -> Result<Self, Problem> {
        let public = proof::prove(&material, claimed)?;
        let comment = clean(&String::from_utf8_lossy(comment));
        Ok(Self { material, public, comment, format, encryption })
    }

    /// Its public half.
    pub const fn public(&self) -> &PublicHalf {
        &self.public
    }

    /// What its owner calls it; may be empty. It has no control characters, and at most 256 others.
    pub fn comment(&self) -> &str {
        &self.comment
    }

    /// How it was written.
    pub const fn format(&self) -> Format {
        self.format
    }

    /// How it was encrypted; nothing where it was not.
    pub fn encryption(&self) -> Option<&str> {
        self.encryption.as_deref()
    }
}

/// What the file says of itself.
///
/// # Errors
/// What makes it useless whatever the passphrase is.
pub fn look(file: &[u8]) -> Result<Look, Problem> {
    match armour::unwrap(file)? {
        Found::OpenSsh(whole) => {
            let container = Container::parse(whole.expose())?;
            let encryption = container.encryption().map(str::to_owned);
            Ok(Look { format: Format::OpenSsh, encryption, public: Some(container.public), comment: None })
        }
        Found::Ppk(text) => {
            let ppk = Ppk::parse(text.expose())?;
            let comment = Some(clean(&String::from_utf8_lossy(ppk.comment)));
            Ok(Look { format: format_of(&ppk), encryption: ppk.encryption(), public: Some(ppk.public), comment })
        }
        Found::Pem(pem) => {
            let (format, encryption) = kind_of(&pem)?;
            Ok(Look { format, encryption, public: None, comment: None })
        }
    }
}

/// The key in the file, opened with the passphrase where it has one, and tried out.
///
/// # Errors
/// [`Problem::PassphraseNeeded`] where it has one and none is given; [`Problem::PassphraseWrong`] where it is another;
/// otherwise what is wrong with the file. A passphrase that is not needed is not looked at.
pub fn read(file: &[u8], passphrase: Option<&Secret<String>>) -> Result<SshKey, Problem> {
    let passphrase = passphrase.filter(|passphrase| !passphrase.expose().is_empty());
    match armour::unwrap(file)? {
        Found::OpenSsh(whole) => {
            let container = Container::parse(whole.expose())?;
            let Opened { material, comment } = container.open(passphrase)?;
            let encryption = container.encryption().map(str::to_owned);
            SshKey::proven(material, Some(&container.public), &comment, Format::OpenSsh, encryption)
        }
        Found::Ppk(text) => {
            let ppk = Ppk::parse(text.expose())?;
            let Opened { material, comment } = ppk.open(passphrase)?;
            SshKey::proven(material, Some(&ppk.public), &comment, format_of(&ppk), ppk.encryption())
        }
        Found::Pem(pem) => {
            let (format, encryption) = kind_of(&pem)?;
            SshKey::proven(opened(&pem, passphrase)?, None, b"", format, encryption)
        }
    }
}

const fn format_of(ppk: &Ppk<'_>) -> Format {
    if ppk.version == 2 { Format::PpkV2 } else { Format::PpkV3 }
}

/// Which format of PEM, and how it is encrypted.
fn kind_of(pem: &Pem) -> Result<(Format, Option<String>), Problem> {
    let format = match pem.label {
        Label::Pkcs1 => Format::Pkcs1,
        Label::Sec1 => Format::Sec1,
        Label::Pkcs8 => Format::Pkcs8,
        Label::Pkcs8Encrypted => {
            let encrypted = pkcs8::Encrypted::parse(pem.der.expose())?;
            return Ok((Format::Pkcs8, Some(encrypted.encryption())));
        }
    };
    let encryption = pem.encryption.as_deref().map(Encryption::parse).transpose()?;
    Ok((format, encryption.map(|encryption| encryption.name.to_owned())))
}

fn opened(pem: &Pem, passphrase: Option<&Secret<String>>) -> Result<Material, Problem> {
    let parse: fn(&[u8]) -> Result<Material, Problem> = match pem.label {
        Label::Pkcs1 => der_keys::rsa,
        Label::Sec1 => |der| der_keys::ecdsa(der, None),
        Label::Pkcs8 | Label::Pkcs8Encrypted => pkcs8::parse,
    };
    let plain = match &pem.encryption {
        Some(info) => Encryption::parse(info)?.open(pem.der.expose(), passphrase)?,
        None if pem.label == Label::Pkcs8Encrypted => {
            let sealed = pem.der.expose();
            pkcs8::Encrypted::parse(sealed)?.open(passphrase)?
        }
        None => return parse(pem.der.expose()),
    };
    // One wrong passphrase in 256 leaves what looks whole at its end.
    parse(plain.expose()).map_err(|problem| match problem {
        Problem::Damaged(_) => Problem::PassphraseWrong,
        other => other,
    })
}
