//! Histories that fork anywhere, are grafted, or are walked in pieces.

use std::fs;

use keytrail_domain::index_run::FailureCode;

use super::*;

/// The commits that a run from `graph` meets, without putting them there.
fn new_from(repository: &Repository, graph: &Path) -> Vec<String> {
    let new = seen(&repository.path, &Graph::load(graph, 7), Bounds::default()).walked.new;
    (0..new.len()).map(|place| new.cursor(place).expect("in bounds").sha.to_string()).collect()
}

#[test]
fn a_fork_from_any_commit_is_walked_to_the_fork_and_no_further() {
    let (folder, repository) = generated(&Shape { commits: 40, merges_percent: 30, ..Shape::default() });
    let graph = folder.path().join("graph");
    index(&repository, &graph);
    let known: Vec<String> =
        log(&repository, "%H").iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
    assert_eq!(known.len(), 40);
    for fork in &known {
        let silent = repository.commit("refs/heads/fork", "silent", &[fork]).expect("a commit");
        let keyed = repository.commit("refs/heads/fork", "FORK-1", &[&silent]).expect("a commit");
        assert_eq!(new_from(&repository, &graph), [silent, keyed], "from {fork}");
    }
}

#[test]
fn a_merge_of_two_old_commits_is_one_new_commit() {
    let (folder, repository) = generated(&Shape { commits: 40, merges_percent: 30, ..Shape::default() });
    let graph = folder.path().join("graph");
    index(&repository, &graph);
    let known: Vec<String> =
        log(&repository, "%H").iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
    for pair in known.windows(2) {
        let merge = repository.commit("refs/heads/cross", "CROSS-1", &[&pair[0], &pair[1]]).expect("a commit");
        let other = repository.commit("refs/heads/other", "CROSS-2", &[&pair[1], &pair[0]]).expect("a commit");
        let mut found = new_from(&repository, &graph);
        found.sort_unstable();
        let mut expected = [merge, other];
        expected.sort_unstable();
        assert_eq!(found, expected);
    }
}

/// Git itself shows a history that is grafted as if it had been written so; what was committed is something else.
#[test]
fn grafts_are_ignored() {
    let (_folder, repository) = generated(&Shape { commits: 30, pull_requests: 0, ..Shape::default() });
    let tip = repository.git_line(&["rev-parse", "refs/heads/main"]).expect("a branch");
    fs::create_dir_all(repository.path.join("info")).expect("a folder");
    fs::write(repository.path.join("info/grafts"), format!("{tip}\n")).expect("a file");
    let shown = repository.git_line(&["rev-list", "--count", "refs/heads/main"]).expect("git counts");
    assert_eq!(shown, "1", "the graft is one for git");
    let seen = seen(&repository.path, &Graph::empty(), Bounds::default());
    assert_eq!(seen.walked.commits, 30);
}

#[test]
fn a_shallow_history_is_refused_before_anything_is_walked() {
    let (folder, repository) = generated(&Shape::default());
    let source = format!("file://{}", repository.path.display());
    let shallow = folder.path().join("shallow.git");
    let target = shallow.to_str().expect("a plain path");
    repository.git(&["clone", "--quiet", "--bare", "--depth=5", &source, target]).expect("a clone");
    let error = LocalRepository::InPlace(shallow).open().err().expect("a part of the history is missing");
    assert_eq!(error.failure_code(), Some(FailureCode::Shallow));
}

/// Walks on from `after`, and wants no more after one batch.
fn one_batch(path: &Path, after: Option<Cursor>) -> Option<WalkedBatch> {
    let (repository, known) = (open(path), Graph::empty());
    let refs = list_refs(&repository, &known, &keytrail_domain::ref_selection::RefSelection::default(), MAX_REFS)
        .expect("refs");
    let request = WalkRequest {
        refs: &refs,
        known: &known,
        after,
        identify: &identify,
        cancel: &AtomicBool::new(false),
        progress: &Progress::default(),
        bounds: small_batches(),
    };
    let mut received = None;
    let ended = walk(&repository, &request, &mut |batch| {
        received = Some(batch);
        Err(Stop)
    });
    assert_eq!(ended.is_ok(), received.is_none(), "only who got a batch could want no more");
    received
}

#[test]
fn a_walk_that_is_cut_after_every_batch_gives_the_same_batches() {
    let (_folder, repository) = generated(&Shape { awkward: true, merges_percent: 30, ..Shape::default() });
    let whole = seen(&repository.path, &Graph::empty(), small_batches());
    let mut cut = Vec::new();
    let mut after = None;
    while let Some(batch) = one_batch(&repository.path, after) {
        after = Some(batch.cursor);
        cut.push(batch);
    }
    assert!(cut.len() > 5);
    // Who was named before the cut is not known to the walk after it: people come again, with the same ids and names.
    let mut named = HashSet::new();
    for batch in &mut cut {
        batch.people.retain(|person| named.insert(person.id));
    }
    assert_eq!(cut, whole.batches);
}
