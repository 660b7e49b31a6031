//! What a commit's message says: its text, its subject, its issue keys. Called by the walk for every commit; never
//! panics, and never looks at more than the bounds of the grammar.

use std::borrow::Cow;

use encoding_rs::Encoding;
use keytrail_domain::{
    display_text::DisplayText,
    index_run::batch::Places,
    issue_key::{self, IssueKey, Letters},
};

/// What is decoded of a message. A little more than is scanned, so that the scan meets its own bound and sees what
/// stands after it.
const DECODED: usize = issue_key::MAX_BYTES + 1024;

/// The issue keys of a message, and what goes with them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Scanned {
    /// The first paragraph; made only when there is a key.
    pub(super) subject: DisplayText,
    /// Each key once with the places that name it, in the order of first mention.
    pub(super) keys: Vec<(IssueKey, Places)>,
    /// Whether a bound was met.
    pub(super) bounded: bool,
}

/// Turns bytes into text. A declared encoding is honoured when it is known; what is not valid is replaced.
pub(super) fn decode<'a>(bytes: &'a [u8], encoding: Option<&[u8]>) -> Cow<'a, str> {
    if encoding.is_none() || bytes.is_ascii() && encoding.is_some_and(is_ascii_based) {
        return String::from_utf8_lossy(bytes);
    }
    match encoding.and_then(Encoding::for_label_no_replacement) {
        Some(encoding) => encoding.decode_without_bom_handling(bytes).0,
        None => String::from_utf8_lossy(bytes),
    }
}

fn is_ascii_based(label: &[u8]) -> bool {
    Encoding::for_label_no_replacement(label).is_none_or(|encoding| encoding.is_ascii_compatible())
}

/// Scans a message.
pub(super) fn scan(message: &[u8], encoding: Option<&[u8]>) -> Scanned {
    let cut = message.len().min(DECODED);
    let bounded = cut < message.len();
    // No hyphen, no key, whatever the encoding: those of the web in which the byte means something else do not exist.
    if memchr::memchr(b'-', &message[..cut]).is_none() {
        return Scanned { bounded: bounded || cut > issue_key::MAX_BYTES, ..Scanned::default() };
    }
    let text = decode(&message[..cut], encoding);
    let mut scanned = scan_text(&text);
    scanned.bounded |= bounded;
    scanned
}

fn scan_text(text: &str) -> Scanned {
    let (subject, body) = text.split_at(subject_end(text));
    let in_subject = issue_key::scan(subject, Letters::Upper);
    let in_body = issue_key::scan(body, Letters::Upper);
    let mut scanned = Scanned {
        bounded: in_subject.bounded || in_body.bounded || text.len() > issue_key::MAX_BYTES,
        keys: in_subject.keys.into_iter().map(|(key, _)| (key, Places::SUBJECT)).collect(),
        ..Scanned::default()
    };
    let subject_keys = scanned.keys.len();
    for (key, at) in in_body.keys {
        // The bounds are those of the whole message, not of each part.
        if subject.len() + at + key.to_string().len() > issue_key::MAX_BYTES {
            continue;
        }
        if let Some((_, places)) = scanned.keys[..subject_keys].iter_mut().find(|(known, _)| *known == key) {
            *places = places.and(Places::BODY);
        } else if scanned.keys.len() < issue_key::MAX_KEYS {
            scanned.keys.push((key, Places::BODY));
        } else {
            scanned.bounded = true;
        }
    }
    if !scanned.keys.is_empty() {
        scanned.subject = DisplayText::clean(subject);
    }
    scanned
}

/// The first paragraph of a message, as far as it is scanned.
pub(super) fn subject(message: &[u8], encoding: Option<&[u8]>) -> DisplayText {
    let text = decode(&message[..message.len().min(DECODED)], encoding);
    DisplayText::clean(&text[..subject_end(&text)])
}

/// Where the first paragraph ends: blank lines before it are skipped, a line of blanks ends it. So does git's `%s`.
fn subject_end(text: &str) -> usize {
    let mut at = 0;
    let mut begun = false;
    for line in text.split_inclusive('\n') {
        let blank = line.trim_ascii().is_empty();
        if blank && begun {
            break;
        }
        begun |= !blank;
        at += line.len();
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(scanned: &Scanned) -> Vec<(String, u8)> {
        scanned.keys.iter().map(|(key, places)| (key.to_string(), places.0)).collect()
    }

    #[test]
    fn keys_know_their_places() {
        let scanned = scan(b"\n \nA-1 is no key, AB-1 is\nand AB-2\n\nAB-2 again, AB-3, ab-4\n", None);
        assert_eq!(keys(&scanned), [("AB-1".into(), 1), ("AB-2".into(), 3), ("AB-3".into(), 2)]);
        assert_eq!(scanned.subject.as_str(), "A-1 is no key, AB-1 is and AB-2");
        assert!(!scanned.bounded);
    }

    #[test]
    fn declared_encodings_are_honoured() {
        assert_eq!(decode(b"caf\xe9", Some(b"ISO-8859-1")), "café");
        assert_eq!(decode(b"caf\xe9", Some(b"no such thing")), "caf\u{fffd}");
        assert_eq!(decode(b"\xce\xd2 KEY-1", Some(b"gbk")), "我 KEY-1");
        // The byte before the key is a letter in Latin-1, and so the key is none.
        assert!(scan(b"\xe9KEY-1", Some(b"latin1")).keys.is_empty());
        assert_eq!(scan(b"\xe9KEY-1", None).keys.len(), 1);
    }

    #[test]
    fn bounds_are_met_and_told() {
        let many: String = (1..=10_000).map(|number| format!("MANY-{number} ")).collect();
        let scanned = scan(format!("MANY-1 subject\n\n{many}").as_bytes(), None);
        assert_eq!(scanned.keys.len(), issue_key::MAX_KEYS);
        assert!(scanned.bounded);

        let long = format!("FAR-1\n\n{}FAR-2", "x".repeat(5 * 1024 * 1024));
        let scanned = scan(long.as_bytes(), None);
        assert_eq!(keys(&scanned), [("FAR-1".into(), 1)]);
        assert!(scanned.bounded);
        assert!(scan(&vec![b'x'; 5 * 1024 * 1024], None).bounded);
    }

    #[test]
    fn a_key_that_crosses_the_bound_is_not_cut() {
        for length in issue_key::MAX_BYTES - 12..issue_key::MAX_BYTES + 4 {
            let text = format!("AB-1\n\n{} CROSS-12345 ", "x".repeat(length - 7));
            let whole: Vec<_> = issue_key::scan(&text, Letters::Upper).keys.into_iter().map(|(key, _)| key).collect();
            let ours: Vec<_> = scan(text.as_bytes(), None).keys.into_iter().map(|(key, _)| key).collect();
            assert_eq!(ours, whole, "{length}");
        }
    }

    #[test]
    fn direction_marks_and_broken_bytes_do_not_hide_keys() {
        let mut message = "\u{202e}".repeat(64 * 1024 / 3 - 10).into_bytes();
        message.extend(b"\xff\xfe RTL-1");
        let scanned = scan(&message, None);
        assert_eq!(keys(&scanned), [("RTL-1".into(), 1)]);
        assert!(scanned.subject.as_str().len() <= DisplayText::MAX_BYTES);
    }
}
