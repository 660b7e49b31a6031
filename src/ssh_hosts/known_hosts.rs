//! A known_hosts file, line by line: for which servers it vouches, and what of it is not taken and why. Nothing of it is
//! passed over in silence. Names that are hashed are found by trying those of servers that somebody named.

use std::collections::BTreeSet;

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use keytrail_domain::{
    display_text::DisplayText,
    host_key::{Endpoint, HostPublicKey},
};

use super::endpoint;

/// The most bytes of a file that is read.
pub const MOST_BYTES: usize = 64 << 10;
/// The length of a salt, and of what is made with it.
const HASHED: usize = 20;

/// One name of one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The number of the line, from 1.
    pub line: usize,
    /// The name as it stands there, cleaned; for a hashed one that was found, the server's.
    pub name: String,
    /// For which server it vouches, by which key; or why it is not taken.
    pub says: Result<(Endpoint, HostPublicKey), Why>,
}

/// Why an entry is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// `@revoked`, or a key that another line revokes.
    #[error(
        "the file says that this key is revoked; it is not taken from this file, and whether it is trusted stays as it was"
    )]
    Revoked,
    /// `@cert-authority`.
    #[error("certificates of hosts are not used; give the keys of the server themselves")]
    CertAuthority,
    /// Another word behind an `@`.
    #[error("this marker is not known")]
    UnknownMarker,
    /// `*` or `?`.
    #[error("a pattern vouches for servers that nobody named; name the server with its port")]
    Wildcard,
    /// `!`.
    #[error("this is an exception from a pattern, and patterns are not taken")]
    Negated,
    /// None of the servers that were tried.
    #[error("the name is hashed, and is none of the servers that were tried; name the server that is meant")]
    HashedUnknown,
    /// Neither a name nor an address, or no port.
    #[error("this is no host and port")]
    BadName,
    /// Not whole, or of SSH 1.
    #[error("there is no key of SSH 2 in this line, or it is damaged")]
    BadKey,
    /// A kind that no look at a server asks for, and that `ssh` may not read.
    #[error("keys of this kind are not used; give the server's key of Ed25519, ECDSA or RSA (1024 bits and more)")]
    OtherKind,
}

impl Why {
    /// The stable word.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::CertAuthority => "cert_authority",
            Self::UnknownMarker => "unknown_marker",
            Self::Wildcard => "wildcard",
            Self::Negated => "negated",
            Self::HashedUnknown => "hashed_unknown",
            Self::BadName => "bad_name",
            Self::BadKey => "bad_key",
            Self::OtherKind => "other_kind",
        }
    }

    /// The whole list.
    pub const ALL: [Self; 9] = [
        Self::Revoked,
        Self::CertAuthority,
        Self::UnknownMarker,
        Self::Wildcard,
        Self::Negated,
        Self::HashedUnknown,
        Self::BadName,
        Self::BadKey,
        Self::OtherKind,
    ];
}

/// A line taken apart.
struct Line<'a> {
    number: usize,
    marker: Option<&'a str>,
    names: &'a str,
    key: Option<HostPublicKey>,
}

/// What a file says. Hashed names are compared with those of `tried`.
pub fn read(text: &str, tried: &[Endpoint]) -> Vec<Entry> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines: Vec<_> = text.lines().enumerate().filter_map(|(index, line)| apart(index + 1, line)).collect();
    let revoked: BTreeSet<_> =
        lines.iter().filter(|line| line.marker == Some("@revoked")).filter_map(|line| line.key.clone()).collect();
    let tried: Vec<_> = tried.iter().map(|server| (server.known_hosts_name(), server)).collect();
    let mut entries = Vec::new();
    for line in &lines {
        let why = match (line.marker, &line.key) {
            (Some("@revoked"), _) => Some(Why::Revoked),
            (Some("@cert-authority"), _) => Some(Why::CertAuthority),
            (Some(_), _) => Some(Why::UnknownMarker),
            (None, None) => Some(Why::BadKey),
            (None, Some(key)) if revoked.contains(key) => Some(Why::Revoked),
            // One that ssh cannot read would make each look at the server one at a server with another key.
            (None, Some(key)) if !is_used(key) => Some(Why::OtherKind),
            (None, Some(_)) => None,
        };
        for name in line.names.split(',').filter(|name| !name.is_empty()) {
            let server = match why {
                Some(why) => Err(why),
                None => server(name, &tried),
            };
            let shown = server.as_ref().map_or_else(|_| name.to_owned(), ToString::to_string);
            let says = match (server, &line.key) {
                (Ok(server), Some(key)) => Ok((server, key.clone())),
                (Ok(_), None) => Err(Why::BadKey),
                (Err(why), _) => Err(why),
            };
            entries.push(Entry { line: line.number, name: DisplayText::clean(&shown).as_str().to_owned(), says });
        }
    }
    entries
}

/// Whether it is of a kind that is looked for, and as long as keys of that kind are.
fn is_used(key: &HostPublicKey) -> bool {
    let mut rest = key.blob.as_slice();
    let mut fields = Vec::new();
    while let Some((length, behind)) = rest.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        let Some((field, behind)) = behind.split_at_checked(length) else { return false };
        fields.push(field);
        rest = behind;
    }
    let of_curve = |curve: &str, bytes: usize| match fields[..] {
        [_, name, point] => name == curve.as_bytes() && point.len() == bytes && point[0] == 4,
        _ => false,
    };
    rest.is_empty()
        && match key.algorithm.as_str() {
            "ssh-ed25519" => matches!(fields[..], [_, point] if point.len() == 32),
            "ssh-rsa" => matches!(fields[..], [_, exponent, modulus] if !exponent.is_empty() && modulus.len() >= 128),
            "ecdsa-sha2-nistp256" => of_curve("nistp256", 65),
            "ecdsa-sha2-nistp384" => of_curve("nistp384", 97),
            "ecdsa-sha2-nistp521" => of_curve("nistp521", 133),
            _ => false,
        }
}

/// Nothing where nothing is said: an empty line, a comment.
fn apart(number: usize, line: &str) -> Option<Line<'_>> {
    let mut words = line.split_ascii_whitespace().peekable();
    let first = *words.peek()?;
    if first.starts_with('#') {
        return None;
    }
    let marker = if first.starts_with('@') { words.next() } else { None };
    let names = words.next().unwrap_or(first);
    let key = match (words.next(), words.next()) {
        (Some(algorithm), Some(base64)) => HostPublicKey::read(algorithm, base64).ok(),
        _ => None,
    };
    Some(Line { number, marker, names, key })
}

fn server(name: &str, tried: &[(String, &Endpoint)]) -> Result<Endpoint, Why> {
    if let Some(hashed) = name.strip_prefix("|1|") {
        let (salt, hash) = hashed.split_once('|').ok_or(Why::BadName)?;
        let bytes = |text: &str| STANDARD.decode(text).ok().filter(|bytes| bytes.len() == HASHED).ok_or(Why::BadName);
        let (salt, hash) = (bytes(salt)?, bytes(hash)?);
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &salt);
        let meant = tried.iter().find(|(name, _)| hmac::verify(&key, name.as_bytes(), &hash).is_ok());
        return meant.map(|(_, server)| (*server).clone()).ok_or(Why::HashedUnknown);
    }
    if name.starts_with('!') {
        return Err(Why::Negated);
    }
    if name.contains(['*', '?']) {
        return Err(Why::Wildcard);
    }
    // Here a port stands behind brackets only.
    match name.matches(':').count() {
        1 if !name.starts_with('[') => Err(Why::BadName),
        _ => endpoint(name).ok_or(Why::BadName),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    const ONE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB";
    const OTHER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIC";

    fn said(text: &str) -> Vec<(usize, String, Result<String, Why>)> {
        let entries = read(text, &[]).into_iter();
        let says = |says: Result<(Endpoint, HostPublicKey), Why>| says.map(|(server, _)| server.to_string());
        entries.map(|entry| (entry.line, entry.name, says(entry.says))).collect()
    }

    #[test]
    fn each_name_of_a_line_is_taken_or_it_is_said_why_not() {
        let text = format!(
            "# a comment\r\n\r\ngit.example.com,[10.0.0.1]:2222,*.example.com,!bad.example.com,a:22 {ONE} ann@laptop\r\n"
        );
        assert_eq!(
            said(&text),
            [
                (3, "git.example.com:22".to_owned(), Ok("git.example.com:22".to_owned())),
                (3, "10.0.0.1:2222".to_owned(), Ok("10.0.0.1:2222".to_owned())),
                (3, "*.example.com".to_owned(), Err(Why::Wildcard)),
                (3, "!bad.example.com".to_owned(), Err(Why::Negated)),
                (3, "a:22".to_owned(), Err(Why::BadName)),
            ]
        );
    }

    #[test]
    fn marked_lines_are_said_and_a_revoked_key_is_taken_from_no_line() {
        let text = format!("a {ONE}\n@revoked * {ONE}\n@cert-authority *.b {OTHER}\n@other c {OTHER}\nd {OTHER}");
        let why: Vec<_> = read(&text, &[]).into_iter().map(|entry| entry.says.err()).collect();
        let expected =
            [Some(Why::Revoked), Some(Why::Revoked), Some(Why::CertAuthority), Some(Why::UnknownMarker), None];
        assert_eq!(why, expected);
    }

    #[test]
    fn a_key_that_ssh_may_not_read_is_not_taken() {
        let field = |bytes: &[u8]| [&u32::try_from(bytes.len()).expect("short").to_be_bytes()[..], bytes].concat();
        let line = |kind: &str, fields: &[&[u8]]| {
            let blob = [field(kind.as_bytes()), fields.iter().flat_map(|one| field(one)).collect()].concat();
            format!("a {kind} {}", STANDARD.encode(blob))
        };
        let point = |bytes: usize| [&[4_u8][..], &vec![1; bytes - 1]].concat();
        for (line, is_taken) in [
            (line("ssh-ed25519", &[&[1; 32]]), true),
            (line("ssh-ed25519", &[&[1; 31]]), false),
            (line("ssh-ed25519", &[&[1; 32], &[1]]), false),
            (line("ssh-rsa", &[&[1, 0, 1], &[1; 256]]), true),
            (line("ssh-rsa", &[&[1, 0, 1], &[1; 64]]), false),
            (line("ecdsa-sha2-nistp256", &[b"nistp256", &point(65)]), true),
            (line("ecdsa-sha2-nistp521", &[b"nistp521", &point(133)]), true),
            (line("ecdsa-sha2-nistp384", &[b"nistp256", &point(97)]), false),
            (line("ssh-dss", &[&[1; 128], &[1; 20], &[1; 128], &[1; 128]]), false),
            (line("sk-ssh-ed25519@openssh.com", &[&[1; 32], b"ssh:"]), false),
            (line("x-other", &[&[1; 32]]), false),
        ] {
            let says = read(&line, &[]).remove(0).says;
            assert_eq!(says.as_ref().err(), (!is_taken).then_some(&Why::OtherKind), "{line}");
        }
    }

    #[test]
    fn what_is_no_key_of_ssh_2_is_said() {
        for line in
            ["a", "a ssh-rsa", "a ssh-rsa AAAA", "a 1024 35 1234567", "@revoked", &format!("a ssh-rsa {}", &ONE[12..])]
        {
            let entries = read(line, &[]);
            assert_eq!(entries.len(), 1, "{line}");
            assert!(entries[0].says.is_err(), "{line}");
        }
    }

    #[test]
    fn a_hashed_name_is_found_among_the_servers_that_were_tried_and_not_else() {
        // As `ssh-keygen -H` writes `[localhost]:2222`, with a salt of bytes 1.
        let salt = [1; HASHED];
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &salt);
        let hash = hmac::sign(&key, b"[localhost]:2222");
        let line = format!("|1|{}|{} {ONE}", STANDARD.encode(salt), STANDARD.encode(hash.as_ref()));
        let tried = |text: &str| endpoint(text).expect("a server");
        let found = read(&line, &[tried("localhost"), tried("localhost:2222")]);
        assert_eq!(found[0].name, "localhost:2222");
        assert!(found[0].says.is_ok());
        assert_eq!(read(&line, &[tried("localhost")])[0].says, Err(Why::HashedUnknown));
        for damaged in ["|1|", "|1||", "|1|AAAA|AAAA", "|1|x|y", "|2|a|b"] {
            assert_eq!(read(&format!("{damaged} {ONE}"), &[])[0].says, Err(Why::BadName), "{damaged}");
        }
    }

    #[test]
    fn reasons_have_words_and_sentences_of_their_own() {
        let words: HashSet<_> = Why::ALL.iter().map(|why| why.code()).collect();
        let sentences: HashSet<_> = Why::ALL.iter().map(ToString::to_string).collect();
        assert_eq!((words.len(), sentences.len()), (Why::ALL.len(), Why::ALL.len()));
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic_and_what_is_taken_is_sound(text in "[ -~\n@|,!*:é]{0,300}") {
            for entry in read(&text, &[]) {
                prop_assert!(entry.line >= 1);
                if let Ok((_, key)) = entry.says {
                    prop_assert!(key.is_sound());
                }
            }
        }
    }
}
