//! Repositories made by hand: what a diff can meet.

use std::{fmt::Write as _, path::Path};

use keytrail_domain::index_run::batch::CommitSha;
use keytrail_test_support::repositories::Repository;

/// A stream for `git fast-import`.
struct Stream {
    text: Vec<u8>,
    commits: usize,
}

impl Stream {
    fn commit(&mut self, parents: &[usize]) -> usize {
        self.commits += 1;
        let mark = self.commits;
        let mut head = format!(
            "commit refs/heads/made-{mark}\nmark :{mark}\ncommitter A <a@example.org> {} +0000\ndata 6\nDEMO-1\n",
            1_700_000_000 + mark
        );
        for (at, parent) in parents.iter().enumerate() {
            writeln!(head, "{} :{parent}", if at == 0 { "from" } else { "merge" }).expect("memory");
        }
        self.text.extend_from_slice(head.as_bytes());
        mark
    }

    fn file(&mut self, mode: &str, path: &str, data: &[u8]) {
        self.text.extend_from_slice(format!("M {mode} inline {path}\ndata {}\n", data.len()).as_bytes());
        self.text.extend_from_slice(data);
        self.text.push(b'\n');
    }

    fn line(&mut self, line: &str) {
        self.text.extend_from_slice(line.as_bytes());
        self.text.push(b'\n');
    }

    fn import(self, path: &Path) -> (Repository, Vec<CommitSha>) {
        let repository = Repository::init(path, &["--bare"]).expect("a repository");
        repository.git_with_input(&["fast-import", "--quiet"], &self.text).expect("git takes the stream");
        let name =
            |mark: usize| repository.git_line(&["rev-parse", &format!("refs/heads/made-{mark}")]).expect("a ref");
        let marks = (1..=self.commits).map(|mark| name(mark).trim().parse().expect("a name")).collect();
        (repository, marks)
    }
}

fn numbered(from: usize, to: usize) -> String {
    (from..to).map(|number| format!("line number {number} of a text\n")).collect()
}

/// One commit after the other; the names of all, the first commit first.
pub(super) fn awkward(path: &Path) -> (Repository, Vec<CommitSha>) {
    let mut made = Stream { text: Vec::new(), commits: 0 };
    let root = made.commit(&[]);
    made.file("100644", "text", numbered(0, 100).as_bytes());
    made.file("100644", "moved", numbered(200, 300).as_bytes());
    made.file("100644", "a/same", numbered(400, 440).as_bytes());
    made.file("100644", "a/namesake", numbered(500, 520).as_bytes());
    made.file("100755", "run.sh", b"#!/bin/sh\necho 1\n");
    made.file("100644", "crlf", b"one\r\ntwo\r\nthree\r\n");
    made.file("100644", "no-end", b"one\ntwo");
    made.file("100644", "binary", b"\0\x01\x02 binary");
    made.file("100644", "large", digits(0, 20_000).as_bytes());
    made.file("100644", "long-lines", format!("{}\n{}\n", "a ".repeat(1_500), "b").as_bytes());
    made.file("100644", "turns", b"file\n");
    made.file("100644", "turns-folder", b"file\n");
    made.file("120000", "link", b"text");
    made.file("100644", "empty-1", b"");
    made.file("100644", "empty-2", b"");
    made.file("100644", "\"latin-\\351\"", b"caf\xe9\n");
    for number in 0..60 {
        made.file("100644", &format!("many/{number}"), numbered(number, number + 10).as_bytes());
    }
    let second = made.commit(&[root]);
    made.file("100755", "text", numbered(0, 100).replace("number 50", "Number fifty").as_bytes());
    made.file("100644", "run.sh", b"#!/bin/sh\necho 1\n");
    made.file("100644", "crlf", b"one\ntwo\r\nthree\r\nfour\r");
    made.file("100644", "no-end", b"one\ntwo\n");
    made.file("100644", "binary", b"\0\x01\x03 binary");
    made.file("100644", "large", digits(100_000, 120_000).as_bytes());
    made.file("100644", "\"latin-\\351\"", b"caf\xe9\xe9 \x1b[31m\n");
    made.file("100644", "\"bad-\\377\\376/x\"", b"deep\n");
    let third = made.commit(&[second]);
    for (from, to) in [("a/same", "b/same"), ("binary", "binary-2"), ("large", "large-2"), ("empty-1", "void-1")] {
        made.line(&format!("R {from} {to}"));
    }
    made.line("D moved");
    made.file("100644", "moved-elsewhere", (numbered(200, 300) + "and more\n").as_bytes());
    made.line("D a/namesake");
    made.file("100644", "c/namesake", (numbered(500, 518) + "changed\n").as_bytes());
    made.line("D no-end");
    for number in 0..60 {
        if number % 3 == 0 {
            made.line(&format!("D many/{number}"));
            let text = numbered(number, number + 10).replace("line", if number % 2 == 0 { "line" } else { "LINE" });
            made.file("100644", &format!("more/{}", number + 1000), (text + "tail\n").as_bytes());
        }
    }
    let fourth = made.commit(&[third]);
    made.line(&format!("M 160000 {} sub", "1".repeat(40)));
    made.file("120000", "turns", b"text");
    made.line("D turns-folder");
    made.file("100644", "turns-folder/inside", b"file\n");
    let fifth = made.commit(&[fourth]);
    made.line(&format!("M 160000 {} sub", "2".repeat(40)));
    made.file("120000", "link", b"crlf");
    made.file("100644", "long-lines", format!("{}\n{}\n", "a ".repeat(1_500), "c").as_bytes());
    let side = made.commit(&[third]);
    made.file("100644", "side", b"side\n");
    made.file("100644", "text", numbered(5, 105).as_bytes());
    let octopus = made.commit(&[root]);
    made.file("100644", "other", b"other\n");
    let merge = made.commit(&[fifth, side, octopus]);
    made.file("100644", "text", numbered(3, 103).as_bytes());
    made.file("100644", "side", b"side\n");
    let nothing = made.commit(&[merge]);
    let all_gone = made.commit(&[nothing]);
    made.line("deleteall");
    made.commit(&[all_gone]);
    made.file("100644", "again", b"x\n");
    made.import(path)
}

/// One commit that adds them, and one that moves them all.
pub(super) fn ten_thousand_files(path: &Path) -> (Repository, Vec<CommitSha>) {
    let mut made = Stream { text: Vec::new(), commits: 0 };
    let first = made.commit(&[]);
    for number in 0..10_000 {
        made.file("100644", &format!("old/{}/{number}", number % 100), format!("{number}\n").as_bytes());
    }
    made.commit(&[first]);
    made.line("R old new");
    made.import(path)
}

/// Lines of 64 bytes: git compares files by pieces of that size, and many short ones look alike by chance.
fn digits(from: usize, to: usize) -> String {
    (from..to).map(|number| format!("{number:063}\n")).collect()
}
