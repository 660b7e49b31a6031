//! Later fetches from a folder in this process: what the mirror lacks comes, nothing else, and nothing is read for what the
//! mirror keeps.

use keytrail_test_support::repositories::Repository;

use super::*;

/// The names of objects, one a line.
fn names(repository: &Repository, arguments: &[&str]) -> BTreeSet<String> {
    let lines = repository.git_line(arguments).expect("git works");
    lines.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

/// A commit with these files on a branch of this name; its own name.
fn commit(source: &Repository, branch: &str, files: [&str; 2], parents: &[&str]) -> String {
    source.commit_with_files(&format!("refs/heads/{branch}"), branch, files, parents).expect("a commit")
}

/// What git finds behind the refs is in the mirror after the fetch, and just what was not there before came.
async fn brings_what_git_finds(stage: &Stage, what: &str) -> Fetched {
    let mirror = Repository { path: stage.mirror.path().to_owned() };
    let in_the_mirror = || names(&mirror, &["cat-file", "--batch-all-objects", "--batch-check=%(objectname)"]);
    let behind_the_refs = names(&stage.source, &["rev-list", "--objects", "--all"]);
    let before = in_the_mirror();
    let fetched = stage.fetch(Way::InProcess).await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
    assert_eq!(fetched.objects, behind_the_refs.difference(&before).count() as u64, "{what}");
    assert_eq!(in_the_mirror(), &before | &behind_the_refs, "{what}");
    fetched
}

#[tokio::test]
async fn what_comes_is_what_git_finds_and_the_mirror_lacks() {
    let stage = Stage::new(Server::Folder, &Shape { commits: 120, files_per_commit: 2, ..Shape::default() });
    let git = |arguments: &[&str]| stage.source.git_line(arguments).expect("git works");
    brings_what_git_finds(&stage, "a first fetch").await;

    let main = git(&["rev-parse", "refs/heads/main"]);
    let one = commit(&stage.source, "one", ["a", "b"], &[&main]);
    let other = commit(&stage.source, "other", ["c", "b"], &[&main]);
    brings_what_git_finds(&stage, "branches").await;

    let left = commit(&stage.source, "left", ["d", "b"], &[&one, &other]);
    let right = commit(&stage.source, "right", ["a", "e"], &[&other, &one]);
    commit(&stage.source, "one", ["f", "e"], &[&left, &right]);
    brings_what_git_finds(&stage, "merges that cross").await;

    // Its folders and files are those of a commit that was never a tip.
    let again = git(&["commit-tree", "refs/heads/main~5^{tree}", "-p", "refs/heads/main", "-m", "as before"]);
    git(&["update-ref", "refs/heads/main", &again]);
    let again = brings_what_git_finds(&stage, "files as they were before").await;
    assert_eq!(again.objects, 1, "the commit alone");

    git(&["update-ref", "refs/heads/behind", "refs/heads/main~3"]);
    let nothing = brings_what_git_finds(&stage, "a branch at an old commit").await;
    assert_eq!(nothing, Fetched::default());
}

#[tokio::test]
async fn what_a_force_push_removed_from_the_folder_is_no_boundary_and_comes_no_more() {
    let stage = Stage::new(Server::Folder, &Shape { commits: 120, files_per_commit: 1, ..Shape::default() });
    let git = |arguments: &[&str]| stage.source.git_line(arguments).expect("git works");
    let main = git(&["rev-parse", "refs/heads/main"]);
    let gone = commit(&stage.source, "side", ["a", "b"], &[&main]);
    brings_what_git_finds(&stage, "a first fetch").await;
    let new = commit(&stage.source, "side", ["a", "c"], &[&main]);
    git(&["gc", "--quiet", "--prune=now"]);
    stage.source.git(&["cat-file", "-e", &gone]).expect_err("it is gone");
    let fetched = brings_what_git_finds(&stage, "a force push").await;
    assert_eq!(fetched.objects, 4, "a commit, two folders and a file");
    assert!(stage.has(&gone) && stage.has(&new));
}

#[tokio::test]
async fn commits_that_git_would_not_make_come_as_they_are() {
    let shape = Shape { commits: 60, files_per_commit: 1, awkward: true, ..Shape::default() };
    let stage = Stage::new(Server::Folder, &shape);
    brings_what_git_finds(&stage, "odd commits").await;
    // History goes on behind one that names nobody who committed it.
    let child = commit(&stage.source, "child", ["a", "b"], &["refs/heads/literal-7"]);
    brings_what_git_finds(&stage, "a child of an odd commit").await;
    assert!(stage.has(&child));
}

#[tokio::test]
async fn tags_of_tags_folders_and_files_come_later_as_well() {
    let stage = Stage::new(Server::Folder, &Shape { commits: 60, files_per_commit: 1, ..Shape::default() });
    let git = |arguments: &[&str]| stage.source.git_line(arguments).expect("git works");
    brings_what_git_finds(&stage, "a first fetch").await;
    let main = git(&["rev-parse", "refs/heads/main"]);
    // Nothing but tags leads to any of these.
    let commit = commit(&stage.source, "unseen", ["a", "b"], &[&main]);
    let (tree, file) = (format!("{commit}^{{tree}}"), format!("{commit}:folder/file"));
    git(&["tag", "-a", "-m", "one", "of-commit", &commit]);
    git(&["tag", "-a", "-m", "two", "of-tag", "of-commit"]);
    git(&["tag", "-a", "-m", "three", "of-folder", &tree]);
    git(&["tag", "file", &git(&["rev-parse", &file])]);
    git(&["update-ref", "-d", "refs/heads/unseen"]);
    git(&["tag", "-d", "of-commit"]);
    let fetched = brings_what_git_finds(&stage, "tags").await;
    assert_eq!(fetched.objects, 3 + 5, "the tags, and a commit with two folders and two files");
}

#[tokio::test]
async fn a_later_fetch_reads_what_is_new_however_many_tips_are_kept() {
    let shape = Shape { commits: 6_000, heads: 5_000, pull_requests: 0, ..Shape::default() };
    let stage = Stage::new(Server::Folder, &shape);
    stage.fetch(Way::InProcess).await.expect("a first fetch");
    let kept = stage.mirror.kept().expect("refs").len() as u64;
    let first = stage.progress.steps().count();
    assert!(first >= 6_000, "{first} steps for all of it");

    let mut tip = stage.source.git_line(&["rev-parse", "refs/heads/main"]).expect("a branch");
    for number in 0..10 {
        tip = commit(&stage.source, "new", [&number.to_string(), "the same"], &[&tip]);
    }
    let fetched = brings_what_git_finds(&stage, "ten commits").await;
    let steps = stage.progress.steps().count() - first;
    assert!(kept > 2_000, "{kept} tips");
    assert!((fetched.objects..kept / 4).contains(&steps), "{steps} steps for {} objects", fetched.objects);
}
