//! What is too much is left out, and it is said.

use super::*;

#[test]
fn lines_beyond_the_bounds_of_an_answer_are_left_out_and_that_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let (repository, marks) = made::awkward(&folder.path().join("made.git"));
    let root = marks[0];
    let lines = |files: &[FileHunks]| {
        let hunks = files.iter().flat_map(|file| &file.hunks);
        hunks.map(|hunk| hunk.lines.len()).sum::<usize>()
    };
    let bounds = DiffBounds { lines: 50, ..DiffBounds::default() };
    let (mut objects, one) = changed_at(&repository, root, None, &bounds, Some("text"));
    let text = one.hunks(&mut objects, &bounds).expect("hunks");
    assert_eq!((lines(&text), text[0].cut), (50, true));
    let (mut objects, files) = changed(&repository, root, None, &bounds);
    let all = files.hunks(&mut objects, &bounds).expect("hunks");
    assert_eq!((lines(&all), all.len()), (50, files.files.len()));
    assert!(all.last().expect("files").cut, "also what comes after is said to be cut");
    let bounds = DiffBounds { hunk_bytes: 100, ..DiffBounds::default() };
    let text = one.hunks(&mut objects, &bounds).expect("hunks");
    assert!(text[0].cut && lines(&text) == 4, "{text:?}");
    let (mut objects, none) = changed_at(&repository, root, None, &bounds, Some("nothing"));
    assert_eq!((none.total, none.hunks(&mut objects, &bounds).expect("hunks")), (files.total, Vec::new()));
}

#[test]
fn files_beyond_what_is_read_of_a_commit_have_no_counts() {
    let folder = tempfile::tempdir().expect("a folder");
    let (repository, marks) = made::awkward(&folder.path().join("made.git"));
    let bounds = DiffBounds { all_bytes: 4_000, ..DiffBounds::default() };
    let (_, files) = changed(&repository, marks[0], None, &bounds);
    assert!(files.files.iter().any(|file| matches!(file.content, Content::Text { .. })));
    assert!(files.files.iter().any(|file| file.content == Content::NotRead));
    let bounds = DiffBounds { rename_pairs: 3, ..DiffBounds::default() };
    let (_, files) = changed(&repository, marks[2], None, &bounds);
    assert!(files.renames_limited);
    let exact = files.files.iter().filter(|file| matches!(file.status, Status::Renamed { percent: 100 })).count();
    assert!(exact >= 4, "the same bytes are found in any case");
}

#[test]
fn a_path_that_is_no_text_is_found_as_it_is_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    let (repository, marks) = made::awkward(&folder.path().join("made.git"));
    let bounds = DiffBounds::default();
    let (_, files) = changed(&repository, marks[0], None, &bounds);
    let file = files.files.iter().find(|file| file.path == b"latin-\xe9").expect("it is there");
    let shown = shown_path(&file.path);
    assert_eq!(shown, "latin-\u{fffd}");
    let (_, found) = changed_at(&repository, marks[0], None, &bounds, Some(&shown));
    assert_eq!(found.files, std::slice::from_ref(file));
}

#[test]
fn a_parent_that_is_not_there_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let (repository, marks) = made::awkward(&folder.path().join("made.git"));
    let mut objects = DiffObjects::of(&[&opened(&repository)]);
    for number in [0, 2] {
        let refused = compare(&mut objects, marks[1], Some(number)).expect_err("it has one parent");
        assert!(matches!(refused, DiffError::NoSuchParent { parents: 1, .. }), "{refused}");
    }
    let unknown = compare(&mut objects, CommitSha([9; 20]), None).expect_err("there is none");
    assert!(matches!(unknown, DiffError::Git(GitError::MissingObject { .. })), "{unknown}");
}

#[test]
fn a_tree_that_holds_itself_many_times_over_comes_to_an_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let repository = Repository::init(&folder.path().join("bomb.git"), &["--bare"]).expect("a repository");
    let write = |kind: &str, data: &[u8]| written(&repository, &["hash-object", "-t", kind, "-w", "--stdin"], data);
    let mut tree = write("tree", b"");
    for _ in 0..12 {
        let entries: String = (0..10).map(|number| format!("040000 tree {tree}\tfolder-{number}\n")).collect();
        let made = repository.git_with_input(&["mktree"], entries.as_bytes()).expect("a tree");
        tree = String::from_utf8(made).expect("a name").trim().to_owned();
    }
    let commit = write("commit", format!("tree {tree}\nauthor A <a> 1 +0000\ncommitter A <a> 1 +0000\n\nX").as_bytes());
    let (_, files) = changed(&repository, commit.parse().expect("a name"), None, &DiffBounds::default());
    assert_eq!((files.total, files.endless), (0, true));
}

/// The name of the object that git made.
fn written(repository: &Repository, arguments: &[&str], data: &[u8]) -> String {
    let name = repository.git_with_input(arguments, data).expect("an object");
    String::from_utf8(name).expect("a name").trim().to_owned()
}

/// A few megabytes that are read again below each name.
#[test]
fn large_folders_that_differ_below_many_names_come_to_an_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let repository = Repository::init(&folder.path().join("large.git"), &["--bare"]).expect("a repository");
    let written = |arguments: &[&str], data: &[u8]| written(&repository, arguments, data);
    let blob = written(&["hash-object", "-w", "--stdin"], b"x");
    let large = |files: usize, mode: &str| {
        let name = |number: usize| format!("{number:06}{}", "n".repeat(230));
        let mut entries: String = (0..files).map(|number| format!("100644 blob {blob}\t{}\n", name(number))).collect();
        entries += &format!("{mode} blob {blob}\tz\n");
        written(&["mktree"], entries.as_bytes())
    };
    let commit = |below: &str, parent: Option<&str>| {
        let entries: String = (0..100).map(|number| format!("040000 tree {below}\t{number:03}\n")).collect();
        let tree = written(&["mktree"], entries.as_bytes());
        let parent = parent.map(|parent| format!("parent {parent}\n")).unwrap_or_default();
        let commit = format!("tree {tree}\n{parent}author A <a> 1 +0000\ncommitter A <a> 1 +0000\n\nX");
        written(&["hash-object", "-t", "commit", "-w", "--stdin"], commit.as_bytes())
    };
    let changed_of = |commit: &str| {
        let (_, files) = changed(&repository, commit.parse().expect("a name"), None, &DiffBounds::default());
        (files.total, files.endless)
    };
    // 10 MB each, of which one entry differs: 512 MiB are 25 pairs of them.
    let first = commit(&large(38_000, "100644"), None);
    let second = commit(&large(38_000, "100755"), Some(&first));
    let (some, endless) = changed_of(&second);
    assert!((20..30).contains(&some) && endless, "{some}");
    // A single one that is larger than any is not read at all.
    let third = commit(&large(70_000, "100644"), Some(&commit(&large(1, "100644"), None)));
    assert_eq!(changed_of(&third), (0, true));
}

#[test]
fn names_without_end_are_left_out_and_take_no_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    let repository = Repository::init(&folder.path().join("names.git"), &["--bare"]).expect("a repository");
    let written = |arguments: &[&str], data: &[u8]| written(&repository, arguments, data);
    let changed_below = |name: &str| {
        let blob = written(&["hash-object", "-w", "--stdin"], b"x");
        let files: String = (0..2_000).map(|number| format!("100644 blob {blob}\tfile-{number}\n")).collect();
        let below = written(&["mktree"], files.as_bytes());
        let root = written(&["mktree"], format!("040000 tree {below}\t{name}\n").as_bytes());
        let commit = format!("tree {root}\nauthor A <a> 1 +0000\ncommitter A <a> 1 +0000\n\nX");
        let commit = written(&["hash-object", "-t", "commit", "-w", "--stdin"], commit.as_bytes());
        let (_, files) = changed(&repository, commit.parse().expect("a name"), None, &DiffBounds::default());
        (files.total, files.endless)
    };
    assert_eq!(changed_below("usual"), (2_000, false));
    let (some, endless) = changed_below(&"n".repeat(30_000));
    assert!((1_000..1_200).contains(&some) && endless, "{some}");
    assert_eq!(changed_below(&"n".repeat(1 << 20)), (0, true));
}
