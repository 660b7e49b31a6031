//! What git says of commits, against what we say.

mod bounds;
mod made;
mod oracle;

use keytrail_domain::index_run::batch::CommitSha;
use keytrail_test_support::repositories::{Repository, Shape, generate};

use self::oracle::{numstat, ours, patch, shown};
use super::*;
use crate::git::{OpenedRepository, transport::LocalRepository};

fn opened(repository: &Repository) -> OpenedRepository {
    LocalRepository::InPlace(repository.path.clone()).open().expect("a repository")
}

fn commits(repository: &Repository) -> Vec<CommitSha> {
    let names = repository.git_line(&["rev-list", "--all"]).expect("commits");
    names.lines().map(|name| name.parse().expect("a name")).collect()
}

fn changed(
    repository: &Repository,
    commit: CommitSha,
    parent: Option<usize>,
    bounds: &DiffBounds,
) -> (DiffObjects, ChangedFiles) {
    changed_at(repository, commit, parent, bounds, None)
}

fn changed_at(
    repository: &Repository,
    commit: CommitSha,
    parent: Option<usize>,
    bounds: &DiffBounds,
    path: Option<&str>,
) -> (DiffObjects, ChangedFiles) {
    let mut objects = DiffObjects::of(&[&opened(repository)]);
    let Looked::Compared(compared) = compare(&mut objects, commit, parent).expect("a commit") else {
        panic!("every tree is there")
    };
    assert_eq!(objects.lacking(compared.files(bounds, path)), Default::default());
    let files = ChangedFiles::of(&mut objects, &compared, bounds, path).expect("files");
    (objects, files)
}

/// Every commit against each of its parents: paths, what happened, modes, counts of lines, and every line.
fn agrees_with_git(repository: &Repository, commits: &[CommitSha]) -> usize {
    let bounds = DiffBounds { files: 20_000, ..DiffBounds::default() };
    let mut compared = 0;
    for commit in commits {
        let parents = changed(repository, *commit, None, &bounds).1.parents;
        for parent in 1..=parents.max(1) {
            let number = (parents > 0).then_some(parent);
            let (mut objects, files) = changed(repository, *commit, number, &bounds);
            let (ours, git) = (ours(&files), numstat(repository, &files));
            let differing: Vec<_> = ours.symmetric_difference(&git).collect();
            assert!(differing.is_empty(), "{commit}, parent {parent}: {differing:#?}");
            assert_eq!((files.total, files.endless, files.renames_limited), (files.files.len(), false, false));
            let ample = DiffBounds { hunk_bytes: usize::MAX, lines: usize::MAX, ..bounds };
            let hunks = files.hunks(&mut objects, &ample).expect("hunks");
            assert_eq!(hunks.len(), files.files.len());
            for file in hunks.iter().filter(|file| matches!(file.file.content, Content::Text { .. })).take(50) {
                let path = file.file.path.escape_ascii();
                assert_eq!(shown(file), patch(repository, &file.file), "{commit} {path}");
            }
            compared += files.files.len();
        }
    }
    compared
}

#[test]
fn generated_commits_are_told_as_git_tells_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let shape = Shape { commits: 120, files_per_commit: 3, merges_percent: 20, seed: 7, ..Shape::default() };
    let repository = generate(&folder.path().join("made.git"), &shape).expect("git fast-import works");
    let commits = commits(&repository);
    assert!(agrees_with_git(&repository, &commits) > 300);
}

#[test]
fn awkward_commits_are_told_as_git_tells_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let (repository, marks) = made::awkward(&folder.path().join("made.git"));
    assert!(agrees_with_git(&repository, &marks) > 100);
}

#[test]
fn ten_thousand_files_are_counted_and_the_first_are_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    let (repository, marks) = made::ten_thousand_files(&folder.path().join("made.git"));
    let (_, files) = changed(&repository, marks[0], None, &DiffBounds::default());
    assert_eq!((files.total, files.files.len(), files.endless), (10_000, 3_000, false));
    assert!(files.files.iter().all(|file| file.content == Content::Text { added: 1, removed: 0 }));
    let (_, files) = changed(&repository, marks[1], None, &DiffBounds::default());
    assert_eq!((files.total, files.renames_limited), (10_000, false));
    assert!(files.files.iter().all(|file| file.status == Status::Renamed { percent: 100 }));
    let last = "old/99/9999";
    let (mut objects, files) = changed_at(&repository, marks[0], None, &DiffBounds::default(), Some(last));
    let shown = files.hunks(&mut objects, &DiffBounds::default()).expect("hunks");
    assert_eq!((files.total, shown.len(), shown[0].file.path.as_slice()), (10_000, 1, last.as_bytes()));
    assert_eq!(shown[0].hunks[0].lines[0].text, "9999");
}

#[test]
fn a_submodule_is_shown_as_the_text_that_git_makes_of_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (repository, marks) = made::awkward(&folder.path().join("made.git"));
    let bounds = DiffBounds::default();
    let found = marks.iter().find_map(|commit| {
        let (mut objects, files) = changed_at(&repository, *commit, None, &bounds, Some("sub"));
        let file = files.files.iter().find(|file| file.status == Status::Modified)?.clone();
        Some((files.hunks(&mut objects, &bounds).expect("hunks"), file))
    });
    let (hunks, file) = found.expect("a commit moves the submodule");
    assert_eq!(file.content, Content::Text { added: 1, removed: 1 });
    let lines: Vec<_> = hunks[0].hunks[0].lines.iter().map(|line| line.text.as_str()).collect();
    let of = |digit: &str| format!("Subproject commit {}", digit.repeat(40));
    assert_eq!(lines, [of("1"), of("2")]);
}
