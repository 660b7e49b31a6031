//! What was appended is known; a file that was torn or spoiled counts as far as it is good.

use std::{fs, sync::atomic::AtomicBool};

use keytrail_domain::{index_run::batch::Cursor, person::PersonId};
use keytrail_test_support::repositories::{Repository, Shape, generate};
use uuid::Uuid;

use super::*;
use crate::git::{Bounds, MAX_REFS, Progress, WalkRequest, Walked, list_refs, transport::LocalRepository, walk};

fn walked(repository: &Repository, known: &Graph) -> Walked {
    let opened = LocalRepository::InPlace(repository.path.clone()).open().expect("a repository");
    let refs =
        list_refs(&opened, known, &keytrail_domain::ref_selection::RefSelection::default(), MAX_REFS).expect("refs");
    let request = WalkRequest {
        refs: &refs,
        known,
        after: None,
        identify: &|_| PersonId(Uuid::nil()),
        cancel: &AtomicBool::new(false),
        progress: &Progress::default(),
        bounds: Bounds::default(),
    };
    walk(&opened, &request, &mut |_| Ok(())).expect("a walk to its end")
}

struct Made {
    folder: tempfile::TempDir,
    repository: Repository,
    /// The commits of the first and of the second run.
    cursors: [Vec<Cursor>; 2],
    /// The file after the first and after the second run.
    files: [Vec<u8>; 2],
}

impl Made {
    fn path(&self) -> PathBuf {
        self.folder.path().join("graphs/3.graph")
    }
}

/// A graph of two runs.
fn made() -> Made {
    let folder = tempfile::tempdir().expect("a folder");
    let shape = Shape { merges_percent: 30, ..Shape::default() };
    let repository = generate(&folder.path().join("made.git"), &shape).expect("git fast-import works");
    let mut made = Made { folder, repository, cursors: Default::default(), files: Default::default() };
    for run in 0..2 {
        let known = Graph::load(&made.path(), 3);
        let new = walked(&made.repository, &known).new;
        made.cursors[run] = (0..new.len()).filter_map(|place| new.cursor(place)).collect();
        known.append(&new).expect("a writable folder");
        made.files[run] = fs::read(made.path()).expect("a file");
        let main = made.repository.git_line(&["rev-parse", "refs/heads/main"]).expect("a branch");
        let child = made.repository.commit("refs/heads/main", "child", &[&main]).expect("a commit");
        let merge = made.repository.commit("refs/heads/main", "merge", &[&child, &main]).expect("a commit");
        made.repository.commit("refs/heads/root", "another root", &[]).expect("a commit");
        made.repository.commit("refs/heads/main", "tip", &[&merge]).expect("a commit");
    }
    made
}

#[test]
fn what_was_appended_is_known_with_its_generation() {
    let made = made();
    let graph = Graph::load(&made.path(), 3);
    let all = made.cursors.concat();
    assert_eq!(graph.len(), all.len());
    assert_eq!(made.cursors[1].len(), 4);
    for cursor in all {
        assert_eq!(graph.generation(cursor.sha), Some(cursor.generation));
        assert!(Graph::knows(&made.path(), 3, cursor.sha));
    }
    assert!(
        !Graph::knows(&made.path(), 3, CommitSha([7; 20])) && !Graph::knows(&made.path(), 4, made.cursors[0][0].sha)
    );
    assert!(!Graph::knows(&made.path().with_extension("absent"), 3, made.cursors[0][0].sha));
    assert!(!graph.contains(CommitSha([7; 20])));
    assert!(made.files[1].starts_with(&made.files[0]), "a run is appended, and nothing is rewritten");
}

#[test]
fn another_number_is_another_graph() {
    let made = made();
    assert!(Graph::load(&made.path(), 4).is_empty());
    let known = Graph::load(&made.path(), 4);
    let new = walked(&made.repository, &known).new;
    known.append(&new).expect("a writable folder");
    assert_eq!(Graph::load(&made.path(), 4).len(), new.len());
    assert!(Graph::load(&made.path(), 3).is_empty());
}

#[test]
fn a_torn_end_is_as_if_it_had_not_been_written() {
    let made = made();
    for length in (made.files[0].len() + 1..made.files[1].len()).step_by(7) {
        fs::write(made.path(), &made.files[1][..length]).expect("a file");
        let graph = Graph::load(&made.path(), 3);
        assert_eq!(graph.len(), made.cursors[0].len(), "{length}");
    }
    // The next run finds the rest again, and the file is whole.
    let graph = Graph::load(&made.path(), 3);
    let new = walked(&made.repository, &graph).new;
    graph.append(&new).expect("a writable folder");
    assert_eq!(Graph::load(&made.path(), 3).len(), made.cursors[0].len() + new.len());
}

#[test]
fn a_spoiled_file_counts_as_far_as_it_is_good() {
    let made = made();
    for at in (0..made.files[1].len()).step_by(61) {
        let mut spoiled = made.files[1].clone();
        spoiled[at] ^= 0x10;
        fs::write(made.path(), spoiled).expect("a file");
        let known = Graph::load(&made.path(), 3).len();
        let expected = if at < made.files[0].len() { 0 } else { made.cursors[0].len() };
        assert_eq!(known, expected, "{at}");
    }
    for nonsense in [&b""[..], b"KT", &[0xff; 4096]] {
        fs::write(made.path(), nonsense).expect("a file");
        assert!(Graph::load(&made.path(), 3).is_empty());
    }
}

#[test]
fn a_walk_from_another_state_is_not_appended() {
    let made = made();
    let new = walked(&made.repository, &Graph::empty()).new;
    let error = Graph::load(&made.path(), 3).append(&new).expect_err("the rows would be wrong");
    assert!(error.is_transient());
    assert_eq!(fs::read(made.path()).expect("a file"), made.files[1]);
}
