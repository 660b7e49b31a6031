//! What `git diff-tree` and `git diff` say, in the same words as ours.

use std::{collections::BTreeSet, fmt::Write as _};

use keytrail_domain::index_run::batch::CommitSha;
use keytrail_test_support::repositories::Repository;

use crate::git::diff::{ChangedFile, ChangedFiles, Content, FileHunks, LineKind, Side, Status, shown_line};

/// Letter, similarity, modes, objects, old path, path.
type Told = BTreeSet<String>;

const NO_OBJECT: CommitSha = CommitSha([0; 20]);

pub(super) fn ours(files: &ChangedFiles) -> Told {
    files.files.iter().map(line).collect()
}

fn line(file: &ChangedFile) -> String {
    let letter = match file.status {
        Status::Added => "A".to_owned(),
        Status::Modified => "M".to_owned(),
        Status::Deleted => "D".to_owned(),
        Status::Renamed { percent } => format!("R{percent:03}"),
        Status::TypeChanged => "T".to_owned(),
    };
    let mode = |side: Option<Side>| side.map_or(0, |side| side.mode);
    let id = |side: Option<Side>| side.map_or(NO_OBJECT, |side| side.id);
    let counts = match file.content {
        Content::Text { added, removed } => format!("{added} {removed}"),
        Content::Binary => "- -".to_owned(),
        other => format!("{other:?}"),
    };
    let old_path = file.old_path.as_ref().unwrap_or(&file.path).escape_ascii();
    format!(
        "{letter} {:06o} {:06o} {} {} {old_path} {} {counts}",
        mode(file.old),
        mode(file.new),
        id(file.old),
        id(file.new),
        file.path.escape_ascii()
    )
}

/// What git says of the same commit and parent.
pub(super) fn numstat(repository: &Repository, files: &ChangedFiles) -> Told {
    let commit = files.commit.to_string();
    let parent = files.parent.map(|parent| parent.to_string());
    let run = |format: &str| {
        let mut arguments = vec!["diff-tree", "-r", "-M", "-l1000", "-z", "--no-commit-id", "--no-abbrev", format];
        match &parent {
            Some(parent) => arguments.extend([parent.as_str(), commit.as_str()]),
            None => arguments.extend(["--root", commit.as_str()]),
        }
        repository.git(&arguments).expect("git diff-tree")
    };
    let (raw, counts) = (run("--raw"), run("--numstat"));
    let mut counts = counts.split(|byte| *byte == 0);
    let mut raw = raw.split(|byte| *byte == 0);
    let mut told = Told::new();
    while let Some(head) = raw.next().filter(|head| !head.is_empty()) {
        let head = String::from_utf8(head.to_vec()).expect("ASCII");
        let words: Vec<&str> = head.trim_start_matches(':').split(' ').collect();
        let [old_mode, new_mode, old, new, letter] = words[..] else { panic!("{head}") };
        let old_path = raw.next().expect("a path").to_vec();
        let path = if letter.starts_with('R') { raw.next().expect("a path").to_vec() } else { old_path.clone() };
        let count = String::from_utf8_lossy(counts.next().expect("counts")).into_owned();
        let mut words = count.split('\t');
        let (added, removed) = (words.next().expect("a count"), words.next().expect("a count"));
        if letter.starts_with('R') {
            counts.next().zip(counts.next()).expect("two paths");
        }
        // What only moved is not looked into, so nobody knows that it is no text.
        let counts = if letter == "R100" && added == "-" { "0 0".to_owned() } else { format!("{added} {removed}") };
        let too_large = [old, new].iter().any(|id| {
            *id != NO_OBJECT.to_string() && !letter.starts_with("R100") && size(repository, id) > 1024 * 1024
        });
        let counts = if too_large { "TooLarge".to_owned() } else { counts };
        told.insert(format!(
            "{letter} {old_mode} {new_mode} {old} {new} {} {} {counts}",
            old_path.escape_ascii(),
            path.escape_ascii()
        ));
    }
    told
}

fn size(repository: &Repository, id: &str) -> u64 {
    // A commit of a submodule is not there.
    repository.git_line(&["cat-file", "-s", id]).ok().and_then(|size| size.trim().parse().ok()).unwrap_or(0)
}

/// The lines that we show, as a patch.
pub(super) fn shown(file: &FileHunks) -> String {
    assert!(!file.cut);
    let mut text = String::new();
    for hunk in &file.hunks {
        let range = |start: u32, lines: u32| if lines == 1 { start.to_string() } else { format!("{start},{lines}") };
        let (old, new) = (range(hunk.old_start, hunk.old_lines), range(hunk.new_start, hunk.new_lines));
        writeln!(text, "@@ -{old} +{new} @@").expect("memory");
        let (mut old, mut new) = (hunk.old_start, hunk.new_start);
        for line in &hunk.lines {
            let (sign, in_old, in_new) = match line.kind {
                LineKind::Context => (' ', true, true),
                LineKind::Added => ('+', false, true),
                LineKind::Removed => ('-', true, false),
            };
            assert_eq!((line.old, line.new), (in_old.then_some(old), in_new.then_some(new)), "numbers follow");
            (old, new) = (old + u32::from(in_old), new + u32::from(in_new));
            writeln!(text, "{sign}{}", line.text).expect("memory");
            if line.no_newline {
                text.push_str("\\ No newline at end of file\n");
            }
        }
    }
    text
}

/// The patch that git makes of the same two files.
pub(super) fn patch(repository: &Repository, file: &ChangedFile) -> String {
    let is_blob = |side: Option<Side>| side.is_none_or(|side| !side.is_submodule());
    if !is_blob(file.old) || !is_blob(file.new) || file.old.map(|side| side.id) == file.new.map(|side| side.id) {
        let mut text = String::new();
        if let (Some(old), Some(new)) = (file.old, file.new)
            && old.id != new.id
            && old.is_submodule()
            && new.is_submodule()
        {
            write!(text, "@@ -1 +1 @@\n-Subproject commit {}\n+Subproject commit {}\n", old.id, new.id)
                .expect("memory");
        } else if let (None, Some(side)) = (file.old, file.new) {
            write!(text, "@@ -0,0 +1 @@\n+Subproject commit {}\n", side.id).expect("memory");
        }
        return text;
    }
    let empty = repository.git_with_input(&["hash-object", "-w", "--stdin"], b"").expect("an empty file");
    let empty = String::from_utf8(empty).expect("a name").trim().to_owned();
    let id = |side: Option<Side>| side.map_or(empty.clone(), |side| side.id.to_string());
    let all = repository
        .git(&["-c", "core.attributesFile=/dev/null", "diff", "--text", "-U3", &id(file.old), &id(file.new)])
        .expect("git diff");
    let mut text = String::new();
    let mut lines = all.split(|byte| *byte == b'\n').skip_while(|line| !line.starts_with(b"@@")).peekable();
    while let Some(line) = lines.next() {
        if lines.peek().is_none() && line.is_empty() {
            break;
        }
        if line.starts_with(b"@@") {
            // Without the name of the function behind it.
            let head = String::from_utf8_lossy(line).into_owned();
            let end = head[2..].find("@@").expect("two of them") + 4;
            writeln!(text, "{}", &head[..end]).expect("memory");
        } else if line.starts_with(b"\\") {
            writeln!(text, "{}", String::from_utf8_lossy(line)).expect("memory");
        } else {
            writeln!(text, "{}{}", line[0] as char, shown_line::clean(&line[1..]).0).expect("memory");
        }
    }
    text
}
