//! The parser of remote URLs. Called by `RemoteUrl` and `ProxyUrl`. It accepts less than git does: what two programs
//! could read differently is refused.

use std::fmt::Write as _;

use super::{BadUrl, EmbeddedCredential, Host, Parsed, RemoteUrl, Scheme};

/// The hosts of Azure DevOps, which show people addresses of the form of scp with a percent-encoded path.
const ENCODED_BY: [&str; 2] = ["ssh.dev.azure.com", "vs-ssh.visualstudio.com"];

pub(super) fn parse(text: &str) -> Result<Parsed, BadUrl> {
    if text.is_empty() {
        return Err(BadUrl::Empty);
    }
    if text.len() > RemoteUrl::MAX_BYTES {
        return Err(BadUrl::TooLong);
    }
    // As git does: a name and two colons, whatever follows.
    if text.split_once("::").is_some_and(|(name, _)| !name.is_empty() && name.bytes().all(is_of_name)) {
        return Err(BadUrl::RemoteHelper);
    }
    // None of what follows needs to think of them.
    if text.bytes().any(|byte| byte < 0x21 || byte == 0x7f) {
        return Err(BadUrl::ControlCharacter);
    }
    if text.starts_with('-') {
        return Err(BadUrl::LeadingDash);
    }
    match text.split_once("://") {
        Some((scheme, rest)) if !scheme.contains(['/', '@', '[', ':']) => with_scheme(scheme, rest),
        _ => without_scheme(text),
    }
}

fn with_scheme(scheme: &str, rest: &str) -> Result<Parsed, BadUrl> {
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "https" => Scheme::Https,
        "http" => Scheme::Http,
        "git" => Scheme::Git,
        "ssh" | "git+ssh" | "ssh+git" => Scheme::Ssh,
        "file" => return Err(BadUrl::LocalPath),
        _ => return Err(BadUrl::UnknownScheme),
    };
    if rest.contains(['?', '#']) {
        return Err(BadUrl::QueryOrFragment);
    }
    let (before, path) = rest.split_at(rest.find(['/', '\\']).unwrap_or(rest.len()));
    let (credential, host, port) = authority(before)?;
    let port = port.filter(|port| *port != scheme.default_port());
    let path = checked_path(path)?;
    assemble(scheme, credential, host, port, path)
}

/// `[user@]host:path`, the form of scp; everything else without a scheme is a path of a machine.
fn without_scheme(text: &str) -> Result<Parsed, BadUrl> {
    if text.starts_with(['/', '\\', '~']) {
        return Err(BadUrl::LocalPath);
    }
    // Where an IPv6 address stands, its colons are no ends.
    let from = text.find(']').unwrap_or(0);
    let (Some(colon), slash) = (text[from..].find(':').map(|at| at + from), text.find(['/', '\\'])) else {
        return Err(BadUrl::RelativePath);
    };
    if slash.is_some_and(|slash| slash < colon) {
        return Err(BadUrl::RelativePath);
    }
    // A drive of Windows.
    if colon == 1 && slash == Some(2) {
        return Err(BadUrl::LocalPath);
    }
    let (user, host) = match text[..colon].rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, &text[..colon]),
    };
    let credential = user.map(|user| EmbeddedCredential { user: user.to_owned(), password: String::new() });
    let path = &text[colon + 1..];
    // Most likely `user:password@host/path` whose scheme was forgotten.
    if path.contains('@') {
        return Err(BadUrl::BadUser);
    }
    if path.contains(['?', '#']) {
        return Err(BadUrl::QueryOrFragment);
    }
    let host = Host::parse(host)?;
    if path.contains('%') {
        // Nothing is percent-decoded in this form, so it cannot be carried over to a URL, but for who shows it encoded.
        if !matches!(&host, Host::Name(name) if ENCODED_BY.contains(&name.as_str())) {
            return Err(BadUrl::PercentInScpPath);
        }
        let path = checked_path(&format!("/{}", path.trim_start_matches('/')))?;
        return assemble(Scheme::Ssh, credential, host, None, path);
    }
    let mut path = checked_path(path)?;
    if !path.starts_with('/') {
        // As it was written: what was encoded by the check is no part of this form.
        path = decode(&path)?;
    }
    assemble(Scheme::Ssh, credential, host, None, path)
}

fn assemble(
    scheme: Scheme,
    credential: Option<EmbeddedCredential>,
    host: Host,
    port: Option<u16>,
    path: String,
) -> Result<Parsed, BadUrl> {
    let (user, credential) = match (scheme, credential) {
        (Scheme::Git, Some(_)) => return Err(BadUrl::BadUser),
        (Scheme::Ssh, Some(found)) => {
            if !found.user.bytes().all(is_of_name) || !found.user.starts_with(|c: char| c.is_ascii_alphanumeric()) {
                return Err(BadUrl::BadUser);
            }
            (Some(found.user.clone()), (!found.password.is_empty()).then_some(found))
        }
        (_, credential) => (None, credential),
    };
    Ok(Parsed { url: RemoteUrl { scheme, user, host, port, path }, credential })
}

const fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'+')
}

/// Reads `[user[:password]@]host[:port]`.
pub(crate) fn authority(text: &str) -> Result<(Option<EmbeddedCredential>, Host, Option<u16>), BadUrl> {
    let (credential, place) = match text.split_once('@') {
        // Programs differ in which of two counts.
        Some((_, place)) if place.contains('@') => return Err(BadUrl::BadUser),
        Some((before, place)) => (Some(before), place),
        None => (None, text),
    };
    let credential = credential.map(embedded).transpose()?;
    let end = place.find(']').map_or(0, |at| at + 1);
    if place.starts_with('[') && end == 0 {
        return Err(BadUrl::BadHost);
    }
    let (host, port) = match place[end..].find(':') {
        Some(at) => (&place[..end + at], Some(&place[end + at + 1..])),
        None => (place, None),
    };
    let digits = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()).then(|| port.parse().ok()).flatten();
    let port = port.map(|port| digits(port).filter(|port| *port != 0).ok_or(BadUrl::BadPort)).transpose()?;
    Ok((credential, Host::parse(host)?, port))
}

fn embedded(text: &str) -> Result<EmbeddedCredential, BadUrl> {
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    let (user, password) = (decode(user)?, decode(password)?);
    if user.starts_with('-') {
        return Err(BadUrl::LeadingDash);
    }
    // A colon would end the user's name in what is sent.
    if user.is_empty() && password.is_empty() || user.contains(':') {
        return Err(BadUrl::BadUser);
    }
    Ok(EmbeddedCredential { user, password })
}

/// The path in its canonical form: what is not ASCII is percent-encoded.
fn checked_path(path: &str) -> Result<String, BadUrl> {
    let decoded = decode(path)?;
    if decoded.contains(['"', '\'', '`', '$', '\\', '<', '>', '{', '}', '[', ']', '|', '^']) {
        return Err(BadUrl::UnsafeCharacter);
    }
    let begin = decoded.trim_start_matches('/');
    if begin.is_empty() {
        return Err(BadUrl::NoPath);
    }
    if begin.starts_with('-') {
        return Err(BadUrl::LeadingDash);
    }
    if decoded.split('/').any(|part| part == "." || part == "..") {
        return Err(BadUrl::DotSegment);
    }
    let mut out = String::with_capacity(path.len());
    encode_into(&mut out, path);
    Ok(out)
}

/// Writes what is not ASCII as percent signs and digits.
pub(super) fn encode_into(out: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii() {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

/// Percent-decodes. A control character is refused; a blank may be written so.
pub(crate) fn decode(text: &str) -> Result<String, BadUrl> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || bytes.next().and_then(|byte| char::from(byte).to_digit(16)).ok_or(BadUrl::BadPercent);
        let byte = (digit()? << 4 | digit()?) as u8;
        if byte < 0x20 || byte == 0x7f {
            return Err(BadUrl::ControlCharacter);
        }
        out.push(byte);
    }
    String::from_utf8(out).map_err(|_| BadUrl::BadPercent)
}
