//! Takes a commit object apart. Called by the walk for every commit; as lenient as git itself, never panics, and
//! allocates nothing but the list of parents.

use keytrail_domain::{display_text::DisplayText, index_run::batch::CommitSha};
use memchr::{memchr, memrchr};

use super::message;

/// The parts of a commit that are looked at, as they stand in the object.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct CommitObject<'a> {
    /// `Name <mail> seconds zone`; empty when the commit has none.
    pub(super) author: &'a [u8],
    /// The same for who committed it.
    pub(super) committer: &'a [u8],
    /// The declared encoding of names and message.
    pub(super) encoding: Option<&'a [u8]>,
    /// Until its end or, as git reads it, the first NUL.
    pub(super) message: &'a [u8],
}

/// Parses a commit; its parents are put into `parents`.
pub(super) fn parse<'a>(mut rest: &'a [u8], parents: &mut Vec<CommitSha>) -> Result<CommitObject<'a>, &'static str> {
    parents.clear();
    let mut commit = CommitObject::default();
    named(&mut rest, b"tree ").ok_or("it names no tree")?.ok_or("it names no tree")?;
    while let Some(parent) = named(&mut rest, b"parent ") {
        parents.push(parent.ok_or("a parent's name is malformed")?);
    }
    let (mut author, mut committer) = (None, None);
    while !rest.is_empty() {
        let (line, after) = rest.split_at(memchr(b'\n', rest).unwrap_or(rest.len()));
        rest = after.get(1..).unwrap_or_default();
        if line.is_empty() {
            let end = memchr(0, rest).unwrap_or(rest.len());
            commit.message = &rest[..end];
            break;
        }
        if let Some(value) = line.strip_prefix(b"author ") {
            author.get_or_insert(value);
        } else if let Some(value) = line.strip_prefix(b"committer ") {
            committer.get_or_insert(value);
        } else if let Some(value) = line.strip_prefix(b"encoding ") {
            commit.encoding.get_or_insert(value);
        }
    }
    commit.author = author.unwrap_or_default();
    commit.committer = committer.unwrap_or_default();
    Ok(commit)
}

/// Takes a line such as `parent 1234…`; `None` when the next line is another, `Some(None)` when it is malformed.
fn named(rest: &mut &[u8], word: &[u8]) -> Option<Option<CommitSha>> {
    let value = rest.strip_prefix(word)?;
    let Some((hex, [b'\n', after @ ..])) = value.split_first_chunk::<40>() else { return Some(None) };
    *rest = after;
    Some(sha_of_hex(hex))
}

/// The value of each hexadecimal digit; more than 15 for every other byte. Names are a third of what is parsed.
const DIGITS: [u8; 256] = {
    let mut digits = [0xff; 256];
    let mut value = 0;
    while value < 16 {
        digits[b"0123456789abcdef"[value] as usize] = value as u8;
        digits[b"0123456789ABCDEF"[value] as usize] = value as u8;
        value += 1;
    }
    digits
};

fn sha_of_hex(hex: &[u8; 40]) -> Option<CommitSha> {
    let mut sha = CommitSha::default();
    let mut seen = 0;
    for (byte, [high, low]) in sha.0.iter_mut().zip(hex.as_chunks::<2>().0) {
        let (high, low) = (DIGITS[usize::from(*high)], DIGITS[usize::from(*low)]);
        seen |= high | low;
        *byte = high << 4 | low & 15;
    }
    (seen < 16).then_some(sha)
}

/// A person and a moment, from a line such as `A U Thor <a@example.org> 1700000000 +0100`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Signature<'a> {
    /// Without blanks at its ends.
    pub(super) name: &'a [u8],
    /// What stands between the first `<` and the next `>`.
    pub(super) email: &'a [u8],
    /// Seconds since 1970; 0 when there is no number, or one that is no moment. So does git.
    pub(super) seconds: i64,
}

impl<'a> Signature<'a> {
    /// Reads what can be read; what is malformed is empty or 0.
    pub(super) fn parse(line: &'a [u8]) -> Self {
        let Some(open) = memchr(b'<', line) else {
            return Self { name: line.trim_ascii(), ..Self::default() };
        };
        let name = line[..open].trim_ascii();
        let rest = &line[open + 1..];
        let Some(close) = memchr(b'>', rest) else {
            return Self { name, email: rest.trim_ascii(), seconds: 0 };
        };
        let last = memrchr(b'>', rest).unwrap_or(close);
        Self { name, email: rest[..close].trim_ascii(), seconds: seconds(rest[last + 1..].trim_ascii_start()) }
    }
}

impl Signature<'_> {
    /// The name as text. One that is longer than 4 KiB is cut before it is decoded.
    pub(super) fn shown_name(&self, encoding: Option<&[u8]>) -> DisplayText {
        DisplayText::clean(&message::decode(&self.name[..self.name.len().min(4 * 1024)], encoding))
    }
}

fn seconds(text: &[u8]) -> i64 {
    let mut digits = text.iter().take_while(|byte| byte.is_ascii_digit());
    digits.try_fold(0_i64, |sum, byte| sum.checked_mul(10)?.checked_add(i64::from(byte - b'0'))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n";

    #[test]
    fn a_usual_commit_comes_apart() {
        let bytes = format!(
            "{TREE}parent {a}\nparent {b}\nauthor A <a@x> 1 +0000\ncommitter C <c@x> 2 +0000\nencoding latin1\n\
             gpgsig -----BEGIN\n author no\n -----END\n\nsubject\n\nbody\n",
            a = "1".repeat(40),
            b = "2".repeat(40)
        );
        let mut parents = Vec::new();
        let commit = parse(bytes.as_bytes(), &mut parents).expect("a usual commit");
        assert_eq!(parents, [CommitSha([0x11; 20]), CommitSha([0x22; 20])]);
        assert_eq!(commit.author, b"A <a@x> 1 +0000");
        assert_eq!(commit.committer, b"C <c@x> 2 +0000");
        assert_eq!(commit.encoding, Some(&b"latin1"[..]));
        assert_eq!(commit.message, b"subject\n\nbody\n");
    }

    #[test]
    fn what_is_no_commit_is_refused() {
        for bytes in
            ["", "tree 12\n", "tree", "blob", &format!("{TREE}parent 12\n"), &format!("tree {}", "0".repeat(40))]
        {
            assert!(parse(bytes.as_bytes(), &mut Vec::new()).is_err(), "{bytes}");
        }
    }

    #[test]
    fn a_commit_without_author_or_message_is_read() {
        let commit = parse(TREE.as_bytes(), &mut Vec::new()).expect("lenient");
        assert_eq!(commit, CommitObject::default());
    }

    #[test]
    fn malformed_signatures_give_what_they_have() {
        let of = |line: &'static str| {
            let signature = Signature::parse(line.as_bytes());
            let text = |bytes| std::str::from_utf8(bytes).expect("ASCII");
            (text(signature.name), text(signature.email), signature.seconds)
        };
        assert_eq!(of("A B <a@x> 12 +0100"), ("A B", "a@x", 12));
        assert_eq!(of("A B <a@x> <b@y> 12 +0100"), ("A B", "a@x", 12));
        assert_eq!(of("<a@x> 12"), ("", "a@x", 12));
        assert_eq!(of("A B"), ("A B", "", 0));
        assert_eq!(of("A <a@x"), ("A", "a@x", 0));
        assert_eq!(of("A <a@x> -5 +0000"), ("A", "a@x", 0));
        assert_eq!(of("A <a@x> 99999999999999999999999 +0000"), ("A", "a@x", 0));
        assert_eq!(of("A <a@x> 9223372036854775807 +0000"), ("A", "a@x", i64::MAX));
        assert_eq!(of(""), ("", "", 0));
    }
}
