//! What a file is, and what stands in it without its wrapping: whatever line ends, blanks, marks and texts are around it.
//! Called by `read.rs`; it looks at no key.

use base64::{Engine, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use super::{
    MOST_BYTES,
    material::{Bytes, bytes, room},
    problem::Problem,
};
use crate::secrets::Secret;

/// A private key, unwrapped.
pub(super) enum Found {
    OpenSsh(Bytes),
    Ppk(Bytes),
    Pem(Pem),
}

/// What stood between the lines of a PEM block.
pub(super) struct Pem {
    pub(super) label: Label,
    /// `DEK-Info`, where it is encrypted the old way.
    pub(super) encryption: Option<String>,
    pub(super) der: Bytes,
}

/// Which block.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Label {
    Pkcs1,
    Sec1,
    Pkcs8,
    Pkcs8Encrypted,
}

const BEGIN: &[u8] = b"-----BEGIN ";
const DASHES: &[u8] = b"-----";

/// What the file is.
pub(super) fn unwrap(file: &[u8]) -> Result<Found, Problem> {
    if file.len() > MOST_BYTES {
        return Err(Problem::TooLarge);
    }
    let text = with_line_breaks(without_marks(file));
    let text = text.expose().trim_ascii();
    if text.is_empty() {
        return Err(Problem::Empty);
    }
    if text.starts_with(b"PuTTY-User-Key-File-") {
        return Ok(Found::Ppk(bytes(text)));
    }
    let mut at = 0;
    let mut first = None;
    while let Some(begin) = find(&text[at..], BEGIN) {
        let block = &text[at + begin + BEGIN.len()..];
        let Some(end) = find(block, DASHES) else {
            return Err(Problem::Truncated("its first line is not whole"));
        };
        let (label, body) = (&block[..end], &block[end + DASHES.len()..]);
        if label.ends_with(b"PRIVATE KEY") {
            let found = private(label, body)?;
            let more = further(body);
            return if more == 0 { Ok(found) } else { Err(Problem::Several(1 + more)) };
        }
        first.get_or_insert_with(|| label.to_vec());
        at += begin + BEGIN.len();
    }
    Err(none(file, text, first.as_deref()))
}

/// How many private keys follow.
fn further(text: &[u8]) -> u32 {
    let begins = memchr::memmem::find_iter(text, BEGIN).map(|at| &text[at + BEGIN.len()..]);
    let labels = begins.filter_map(|block| find(block, DASHES).map(|end| &block[..end]));
    labels.filter(|label| label.ends_with(b"PRIVATE KEY")).count() as u32
}

fn private(label: &[u8], body: &[u8]) -> Result<Found, Problem> {
    let end = [b"-----END ".as_slice(), label, DASHES].concat();
    let Some(length) = find(body, &end) else {
        return Err(Problem::Truncated("its last line, which begins with -----END, is missing or not whole"));
    };
    let body = &body[..length];
    let label = match label {
        b"OPENSSH PRIVATE KEY" => return Ok(Found::OpenSsh(decoded(body)?)),
        b"RSA PRIVATE KEY" => Label::Pkcs1,
        b"EC PRIVATE KEY" => Label::Sec1,
        b"PRIVATE KEY" => Label::Pkcs8,
        b"ENCRYPTED PRIVATE KEY" => Label::Pkcs8Encrypted,
        b"DSA PRIVATE KEY" => return Err(Problem::Dsa),
        _ => return Err(Problem::FormatUnsupported("a private key in a block of this name")),
    };
    let (encryption, body) = headers(body)?;
    Ok(Found::Pem(Pem { label, encryption, der: decoded(body)? }))
}

/// The headers of RFC 1421 that OpenSSL writes, and what follows them.
fn headers(body: &[u8]) -> Result<(Option<String>, &[u8]), Problem> {
    let mut rest = body.trim_ascii_start();
    let mut encryption = None;
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n' || *byte == b'\r') {
        let line = rest[..end].trim_ascii();
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { break };
        if line[..colon].eq_ignore_ascii_case(b"DEK-Info") {
            encryption = Some(String::from_utf8_lossy(line[colon + 1..].trim_ascii()).into_owned());
        }
        rest = rest[end..].trim_ascii_start();
    }
    if rest.contains(&b':') {
        return Err(Problem::Damaged("its line breaks are lost, and it has headers that need them"));
    }
    Ok((encryption, rest))
}

/// Base64 with any blanks in it.
fn decoded(body: &[u8]) -> Result<Bytes, Problem> {
    let mut digits = room();
    digits.extend(body.iter().filter(|byte| !byte.is_ascii_whitespace()));
    let digits = Secret::new(digits);
    let mut decoded = Zeroizing::new(vec![0; digits.expose().len() / 4 * 3 + 3]);
    let length = STANDARD.decode_slice(digits.expose(), &mut decoded);
    let length = length.map_err(|_| Problem::Damaged("what stands between its lines is not base64 as it must be"))?;
    Ok(bytes(&decoded[..length]))
}

/// As UTF-8 without a mark at its beginning: editors of Windows write UTF-16, too.
fn without_marks(file: &[u8]) -> Bytes {
    let wide = |units: &[u8], read: fn([u8; 2]) -> u16| {
        let units = units.chunks_exact(2).map(|pair| read([pair[0], pair[1]]));
        let mut text = String::with_capacity(2 * MOST_BYTES);
        text.extend(char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)));
        Secret::new(text.into_bytes())
    };
    match file {
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => bytes(rest),
        _ => bytes(file),
    }
}

/// Stores of secrets and settings in JSON write a line break as two characters, and people copy it so.
fn with_line_breaks(text: Bytes) -> Bytes {
    let bytes = text.expose();
    if bytes.trim_ascii().contains(&b'\n') || find(bytes, b"\\n").is_none() {
        return text;
    }
    let mut broken = Vec::with_capacity(bytes.len());
    let mut rest = bytes.as_slice();
    while let Some(at) = find(rest, b"\\n") {
        broken.extend_from_slice(&rest[..at]);
        broken.push(b'\n');
        rest = &rest[at + 2..];
    }
    broken.extend_from_slice(rest);
    Secret::new(broken)
}

/// Why there is no private key in it.
fn none(file: &[u8], text: &[u8], label: Option<&[u8]>) -> Problem {
    match label {
        Some(label) if label.ends_with(b"PUBLIC KEY") => return Problem::Public,
        Some(b"CERTIFICATE" | b"TRUSTED CERTIFICATE" | b"X509 CERTIFICATE") => {
            return Problem::Certificate("a certificate for TLS (X.509)");
        }
        Some(b"CERTIFICATE REQUEST" | b"NEW CERTIFICATE REQUEST") => {
            return Problem::Certificate("a request for a certificate");
        }
        Some(_) => return Problem::FormatUnsupported("a block of this name"),
        None => {}
    }
    if text.starts_with(b"---- BEGIN SSH2 PUBLIC KEY") {
        return Problem::Public;
    }
    if text.starts_with(b"---- BEGIN SSH2 ENCRYPTED PRIVATE KEY") {
        return Problem::FormatUnsupported("the form of ssh.com (SSH2 ENCRYPTED PRIVATE KEY)");
    }
    if text.starts_with(b"SSH PRIVATE KEY FILE FORMAT") {
        return Problem::FormatUnsupported("the form of SSH version 1");
    }
    // The magic words of OpenSSH and the beginning of most DER, in base64.
    let without_begin = [b"b3BlbnNzaC1rZXktdjE".as_slice(), b"MII", b"MHcC", b"MC4C"];
    if without_begin.iter().any(|begin| text.starts_with(begin)) || find(text, b"-----END ").is_some() {
        return Problem::Truncated("its first line, which begins with -----BEGIN, is missing");
    }
    if BEGIN.starts_with(text) || b"PuTTY-User-Key-File-".starts_with(text) {
        return Problem::Truncated("its first line is not whole");
    }
    let mut words = text.split(u8::is_ascii_whitespace).take(64);
    let public = ["ssh-rsa", "ssh-ed25519", "ssh-dss", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"];
    if let Some(word) = words.find(|word| public.iter().any(|begin| word.starts_with(begin.as_bytes()))) {
        let is_certificate = word.ends_with(b"-cert-v01@openssh.com");
        return if is_certificate { Problem::Certificate("a certificate of OpenSSH") } else { Problem::Public };
    }
    // A SEQUENCE of more than 127 bytes, or one that is as long as the file.
    let is_der = matches!(file, [0x30, 0x81..=0x84, ..])
        || matches!(file, [0x30, length, rest @ ..] if usize::from(*length) == rest.len());
    if is_der { Problem::Binary } else { Problem::NotAKey }
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    memchr::memmem::find(text, what)
}
