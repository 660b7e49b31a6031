//! A key in another form, as other programs want it. Called by the command line; whoever calls gives what is random.

use base64::{Engine, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use super::{
    der_keys,
    material::{Material, room},
    openssh, pkcs8,
    problem::Problem,
    read::SshKey,
};
use crate::secrets::Secret;

/// A form to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The form of OpenSSH. With a passphrase: bcrypt, aes256-ctr.
    OpenSsh,
    /// PEM: PKCS#1 for RSA, SEC1 for ECDSA, PKCS#8 for Ed25519. With a passphrase: PKCS#8, PBES2 with PBKDF2 and AES-256.
    Pem,
}

/// What is random in a file: from the operating system, new each time.
pub struct Fresh {
    /// For the check numbers of OpenSSH.
    pub check: [u8; 4],
    /// For the passphrase.
    pub salt: [u8; 16],
    /// For the cipher of PEM.
    pub iv: [u8; 16],
}

impl SshKey {
    /// The private half as text, encrypted where there is a passphrase.
    ///
    /// # Errors
    /// None that is known: the key was written once already, when it was tried out.
    pub fn written(
        &self,
        target: Target,
        passphrase: Option<&Secret<String>>,
        fresh: &Fresh,
    ) -> Result<Secret<String>, Problem> {
        match (target, passphrase) {
            (Target::OpenSsh, passphrase) => {
                let random = openssh::Random { check: fresh.check, salt: fresh.salt };
                let whole = openssh::written(&self.material, &self.public, &self.comment, passphrase, &random)?;
                Ok(block("OPENSSH PRIVATE KEY", whole.expose(), 70))
            }
            (Target::Pem, Some(passphrase)) => {
                let random = pkcs8::Random { salt: fresh.salt, iv: fresh.iv };
                let plain = pkcs8::written(&self.material, self.public.point())?;
                let sealed = pkcs8::encrypted(&plain, passphrase, &random)?;
                Ok(block("ENCRYPTED PRIVATE KEY", &sealed, 64))
            }
            (Target::Pem, None) => {
                let (label, der) = match &self.material {
                    Material::Rsa(rsa) => ("RSA PRIVATE KEY", der_keys::rsa_written(rsa)?),
                    Material::Ecdsa { curve, scalar, .. } => {
                        ("EC PRIVATE KEY", der_keys::ecdsa_written(Some(*curve), scalar, Some(self.public.point()))?)
                    }
                    Material::Ed25519 { .. } => ("PRIVATE KEY", pkcs8::written(&self.material, self.public.point())?),
                };
                Ok(block(label, der.expose(), 64))
            }
        }
    }
}

fn block(label: &str, bytes: &[u8], width: usize) -> Secret<String> {
    let digits = Zeroizing::new(STANDARD.encode(bytes));
    let mut text = String::with_capacity(2 * room().capacity());
    text += &format!("-----BEGIN {label}-----\n");
    let mut rest = digits.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(width.min(rest.len()));
        text += line;
        text.push('\n');
        rest = after;
    }
    text += &format!("-----END {label}-----\n");
    Secret::new(text)
}
