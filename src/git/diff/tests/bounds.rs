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
    let write = |kind: &str, data: &[u8]| {
        let name = repository.git_with_input(&["hash-object", "-t", kind, "-w", "--stdin"], data).expect("an object");
        String::from_utf8(name).expect("a name").trim().to_owned()
    };
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
