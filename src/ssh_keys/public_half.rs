//! The half that may be seen: its forms for git hosts and its fingerprints. Made by the readers, and by the proof from the
//! private half; it holds nothing secret.

use base64::{Engine, engine::general_purpose::STANDARD, engine::general_purpose::STANDARD_NO_PAD};
use md5::{Digest as _, Md5};
use sha2::{Digest as _, Sha256};

use super::{
    algorithm::{Algorithm, Curve},
    material::MOST_RSA_BITS,
    problem::{Problem, shown},
    wire::{self, Reader, Short},
};

/// The fewest bits of RSA: with fewer, signatures have been forged.
const FEWEST_RSA_BITS: u32 = 2048;
/// RFC 4716: no line is longer than 72 bytes; programs write 70.
const LINE: usize = 70;

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicHalf {
    algorithm: Algorithm,
    bits: u32,
    blob: Vec<u8>,
}

impl PublicHalf {
    /// From RFC 4253, section 6.6, as files of OpenSSH and PuTTY hold it. Kinds that cannot be used are told apart here, so
    /// that nobody is asked for a passphrase in vain.
    pub(super) fn parse(blob: &[u8]) -> Result<Self, Problem> {
        let damaged = |_: Short| Problem::Damaged("its public half is not whole");
        let mut reader = Reader::new(blob);
        let name = reader.string().map_err(damaged)?;
        let half = match name {
            b"ssh-rsa" => {
                let exponent = reader.large().map_err(damaged)?;
                Self::rsa(reader.large().map_err(damaged)?, exponent)?
            }
            b"ssh-ed25519" => Self::ed25519(reader.string().map_err(damaged)?),
            b"ssh-dss" => return Err(Problem::Dsa),
            _ if name.starts_with(b"sk-") => return Err(Problem::Fido),
            _ if name.ends_with(b"-cert-v01@openssh.com") => {
                return Err(Problem::Certificate("a certificate of OpenSSH"));
            }
            _ => {
                let curve = Curve::ALL.into_iter().find(|curve| Algorithm::Ecdsa(*curve).name().as_bytes() == name);
                let curve = curve.ok_or_else(|| Problem::AlgorithmUnsupported(shown(name)))?;
                if reader.string().map_err(damaged)? != curve.name().as_bytes() {
                    return Err(Problem::Damaged("its public half names two curves"));
                }
                Self::ecdsa(curve, reader.string().map_err(damaged)?)
            }
        };
        // What follows, zeros before numbers, or another length: the fingerprint would be another one.
        if half.blob == blob { Ok(half) } else { Err(Problem::Damaged("its public half is not written as it must be")) }
    }

    /// `modulus` and `exponent` without sign.
    pub(super) fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, Problem> {
        let modulus = wire::without_zeros(modulus);
        let bits = modulus.first().map_or(0, |first| modulus.len() as u32 * 8 - first.leading_zeros());
        match bits {
            ..FEWEST_RSA_BITS => return Err(Problem::RsaTooShort(bits)),
            FEWEST_RSA_BITS..=MOST_RSA_BITS => {}
            _ => return Err(Problem::RsaTooLong(bits)),
        }
        let mut blob = Vec::with_capacity(modulus.len() + exponent.len() + 24);
        wire::put_string(&mut blob, Algorithm::Rsa.name().as_bytes());
        wire::put_large(&mut blob, exponent);
        wire::put_large(&mut blob, modulus);
        Ok(Self { algorithm: Algorithm::Rsa, bits, blob })
    }

    pub(super) fn ed25519(point: &[u8]) -> Self {
        let mut blob = Vec::with_capacity(51);
        wire::put_string(&mut blob, Algorithm::Ed25519.name().as_bytes());
        wire::put_string(&mut blob, point);
        Self { algorithm: Algorithm::Ed25519, bits: 256, blob }
    }

    /// `point` as SEC1 writes it uncompressed.
    pub(super) fn ecdsa(curve: Curve, point: &[u8]) -> Self {
        let algorithm = Algorithm::Ecdsa(curve);
        let mut blob = Vec::with_capacity(point.len() + 48);
        wire::put_string(&mut blob, algorithm.name().as_bytes());
        wire::put_string(&mut blob, curve.name().as_bytes());
        wire::put_string(&mut blob, point);
        Self { algorithm, bits: curve.bits(), blob }
    }

    /// What [`Self::base64`] wrote.
    ///
    /// # Errors
    /// When it did not.
    pub fn from_base64(text: &str) -> Result<Self, Problem> {
        let blob = STANDARD.decode(text).map_err(|_| Problem::Damaged("its public half is not base64"))?;
        Self::parse(&blob)
    }

    /// As it stands in `authorized_keys`.
    pub fn base64(&self) -> String {
        STANDARD.encode(&self.blob)
    }

    /// What it is of.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// How long it is, as `ssh-keygen -l` counts.
    pub const fn bits(&self) -> u32 {
        self.bits
    }

    /// As SSH sends it (RFC 4253, section 6.6).
    pub fn blob(&self) -> &[u8] {
        &self.blob
    }

    /// The point, for all but RSA: what stands last in the blob.
    pub(super) fn point(&self) -> &[u8] {
        let names = match self.algorithm {
            Algorithm::Rsa => return &[],
            Algorithm::Ed25519 => 1,
            Algorithm::Ecdsa(_) => 2,
        };
        let mut reader = Reader::new(&self.blob);
        for _ in 0..names {
            let _name = reader.string();
        }
        reader.string().unwrap_or_default()
    }

    /// As `ssh-keygen -l` shows it: `SHA256:` and 43 characters.
    pub fn sha256(&self) -> String {
        format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(&self.blob)))
    }

    /// As older programs show it: `MD5:` and sixteen pairs of digits.
    pub fn md5(&self) -> String {
        let pairs: Vec<String> = Md5::digest(&self.blob).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("MD5:{}", pairs.join(":"))
    }

    /// One line, as in a `.pub` file and `authorized_keys`; no line break at its end.
    pub fn openssh(&self, comment: &str) -> String {
        let line = format!("{} {} {}", self.algorithm.name(), STANDARD.encode(&self.blob), clean(comment));
        line.trim_end().to_owned()
    }

    /// The form of RFC 4716, with a line break at its end.
    pub fn rfc4716(&self, comment: &str) -> String {
        let mut text = "---- BEGIN SSH2 PUBLIC KEY ----\n".to_owned();
        let comment = clean(comment).replace('"', "'");
        if !comment.is_empty() {
            let header = format!("Comment: \"{comment}\"");
            // A line that goes on ends with a backslash.
            text += &in_lines(&header).join("\\\n");
            text.push('\n');
        }
        text += &in_lines(&STANDARD.encode(&self.blob)).join("\n");
        text += "\n---- END SSH2 PUBLIC KEY ----\n";
        text
    }
}

/// Nothing in a comment of a file may begin another line of `authorized_keys`, or speak to a terminal.
pub(super) fn clean(comment: &str) -> String {
    let kept =
        comment.chars().filter(|character| !character.is_control() && !matches!(character, '\u{2028}'..='\u{202e}'));
    kept.take(256).collect::<String>().trim().to_owned()
}

/// Pieces of at most [`LINE`] bytes, never within a character.
fn in_lines(text: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = text;
    while rest.len() > LINE {
        let (line, after) = rest.split_at(rest.floor_char_boundary(LINE));
        lines.push(line);
        rest = after;
    }
    lines.push(rest);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_begins_no_line_of_its_own_and_says_nothing_to_a_terminal() {
        let half = PublicHalf::ed25519(&[7; 32]);
        let hostile = "me\nssh-rsa AAAA other \u{1b}[31m\u{202e}\u{7f}";
        assert_eq!(half.openssh(hostile).lines().count(), 1);
        assert!(half.openssh(hostile).ends_with("messh-rsa AAAA other [31m"));
        assert_eq!(half.openssh(" \t").split(' ').count(), 2);
    }

    #[test]
    fn a_long_comment_goes_on_in_the_next_line() {
        let half = PublicHalf::ed25519(&[7; 32]);
        let text = half.rfc4716(&"ä".repeat(100));
        assert!(text.lines().all(|line| line.len() <= 72), "{text}");
        assert!(text.lines().nth(1).is_some_and(|line| line.ends_with('\\')));
    }

    #[test]
    fn kinds_that_cannot_be_used_are_told_apart_before_anybody_is_asked_for_a_passphrase() {
        let named = |name: &str| {
            let mut blob = Vec::new();
            wire::put_string(&mut blob, name.as_bytes());
            PublicHalf::parse(&blob).expect_err("no key").code()
        };
        assert_eq!(named("ssh-dss"), "ssh_key_dsa");
        assert_eq!(named("sk-ssh-ed25519@openssh.com"), "ssh_key_fido");
        assert_eq!(named("ssh-ed25519-cert-v01@openssh.com"), "ssh_key_certificate");
        assert_eq!(named("ssh-ed448"), "ssh_key_algorithm_unsupported");
        assert_eq!(named("ssh-rsa"), "ssh_key_damaged");
        assert_eq!(PublicHalf::rsa(&[0xff; 128], &[1, 0, 1]), Err(Problem::RsaTooShort(1024)));
        assert_eq!(PublicHalf::rsa(&[0xff; 1025], &[1, 0, 1]), Err(Problem::RsaTooLong(8200)));
    }
}
