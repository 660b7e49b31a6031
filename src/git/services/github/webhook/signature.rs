//! Whether GitHub sent what came: HMAC-SHA-256 over the very bytes (docs.github.com, "Validating webhook deliveries").

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// `X-Hub-Signature-256` of these bytes under this secret.
pub fn signature(secret: &[u8], body: &[u8]) -> String {
    let tag = mac(secret, body).finalize().into_bytes();
    format!("sha256={}", keytrail_domain::hex::lower_hex(&tag))
}

/// Whether the bytes were signed with one of the secrets. The time that it takes says nothing of where a signature
/// differs, nor which secret it was. An empty secret signs nothing.
pub fn is_signed<'a>(secrets: impl IntoIterator<Item = &'a [u8]>, body: &[u8], header: &str) -> bool {
    let tag = header.trim().strip_prefix("sha256=").and_then(of_hex);
    let mut signed = false;
    for secret in secrets {
        if let (Some(tag), false) = (&tag, secret.is_empty()) {
            signed |= mac(secret, body).verify_slice(tag).is_ok();
        }
    }
    signed
}

fn mac(secret: &[u8], body: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(body);
    mac
}

fn of_hex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let mut tag = [0; 32];
    for (byte, pair) in tag.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(tag)
}
