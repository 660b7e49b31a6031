//! Commits that are hard to read. Called by the generator of repositories.

use std::io;

use super::Repository;

/// The message, and the declared encoding, of the commit at this place, when it is an awkward one.
pub(super) fn message(place: usize) -> Option<(Option<&'static str>, Vec<u8>)> {
    // Not at the very beginning: the history around them should be usual.
    let (encoding, message): (Option<&str>, Vec<u8>) = match place.checked_sub(30)? {
        0 => (None, b"caf\xe9 AWK-1 is not UTF-8\n".to_vec()),
        1 => (Some("ISO-8859-1"), b"caf\xe9 AWK-2 is Latin-1\n\n\xe9AWK-3 is no key\n".to_vec()),
        2 => (Some("GBK"), b"\xce\xd2 AWK-4 is GBK\n".to_vec()),
        3 => (Some("Shift_JIS"), b"\x82\xa0 AWK-5 is Shift JIS\n".to_vec()),
        4 => (Some("no-such-encoding"), b"caf\xe9 AWK-6\n".to_vec()),
        5 => (None, Vec::new()),
        6 => (None, b"\n\n \n".to_vec()),
        7 => (None, b"\n  \nAWK-7 follows blank lines\nand goes on\n\nAWK-8 AWK-7\n".to_vec()),
        8 => (None, b"AWK-9 has\r\nCRLF\r\n\r\nAWK-10\r\n".to_vec()),
        9 => (None, b"AWK-011 awk-12 xAWK-13 AWK-14x _AWK-15_ A-16 AWK--17 AWK-18-19".to_vec()),
        10 => (None, ("\u{202e}".repeat(64 * 1024 / 3 - 20) + " AWK-20").into_bytes()),
        11 => (None, ("\u{202e}".repeat(64 * 1024 / 3 + 20) + " AWK-21").into_bytes()),
        12 => (None, (1..=10_000).map(|number| format!("MANY-{number}\n")).collect::<String>().into_bytes()),
        13 => (None, ["AWK-22 is long\n\n".as_bytes(), &vec![b'x'; 5 * 1024 * 1024], b" AWK-23"].concat()),
        14 => (None, "AWK-24 \u{1F600} Ünïcödé ÄAWK-25 AWK-26ß\n".into()),
        15 => (None, format!("{}-27 {}-28", "P".repeat(255), "P".repeat(256)).into_bytes()),
        16 => (None, b"AWK-999999999999999999 AWK-9999999999999999999".to_vec()),
        17 => (None, b"\x1b[31mAWK-29\x07\x08 \xef\xbb\xbfAWK-30".to_vec()),
        _ => return None,
    };
    Some((encoding, message))
}

/// Writes commits that git's own programs would not make, each on a branch of its own.
pub(super) fn write_literal_commits(repository: &Repository) -> io::Result<()> {
    let parent = repository.git_line(&["rev-parse", "refs/heads/main"])?;
    let tree = repository.git_line(&["rev-parse", "refs/heads/main^{tree}"])?;
    let usual = "A <a@example.org> 1600000000 +0000";
    let of = |author: &str, committer: &str, message: &[u8]| {
        let mut commit = format!("tree {tree}\nparent {parent}\n").into_bytes();
        commit.extend(author.as_bytes());
        commit.extend(committer.as_bytes());
        commit.extend(message);
        commit
    };
    let author = format!("author {usual}\n");
    let committer = format!("committer {usual}\n");
    let commits = [
        of(&author, &committer, b"\nLIT-1 then NUL\0LIT-2\n"),
        of("", &committer, b"\nLIT-3 has no author\n"),
        of("author A B C\n", &committer, b"\nLIT-4 has no address\n"),
        of("author A <a@example.org\n", &committer, b"\nLIT-5 lacks a bracket\n"),
        of("author A <a@example.org> 99999999999999999999999 +9999\n", &committer, b"\nLIT-6 is of no day\n"),
        of("author A <a@example.org> 4611686018427387904 +0000\n", &committer, b"\nLIT-7 is of a far day\n"),
        of("author \u{1} \u{202e}<\u{1b}> -1 x\n", &committer, b"\nLIT-8 has odd bytes\n"),
        of(&author, "", b"\nLIT-9 has no committer\n"),
        of(&author, &committer, b"mergetag object 0\n LIT-10 is in a header\n\nLIT-11\n"),
        of(&author, &format!("{committer}encoding UTF-8\n"), b"\nLIT-12 \xff declares UTF-8\n"),
        of(&author, &committer, b""),
    ];
    for (number, commit) in commits.iter().enumerate() {
        let arguments = ["hash-object", "-t", "commit", "-w", "--stdin", "--literally"];
        let sha = repository.git_with_input(&arguments, commit)?;
        let sha = String::from_utf8_lossy(&sha).trim().to_owned();
        repository.git(&["update-ref", &format!("refs/heads/literal-{number}"), &sha])?;
    }
    Ok(())
}
