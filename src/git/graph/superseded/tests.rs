//! What is forced away or deleted is superseded, what comes back is restored, and no more is read than needs be. That it
//! is right for any history is judged by git in `tests/peers/histories.rs`.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use keytrail_domain::person::PersonId;
use keytrail_test_support::repositories::{Repository, Shape, generate};
use uuid::Uuid;

use super::*;
use crate::git::{Bounds, MAX_REFS, Progress, RefList, WalkRequest, list_refs, transport::LocalRepository, walk};

struct Followed {
    _folder: tempfile::TempDir,
    repository: Repository,
    graph: PathBuf,
    before: Vec<Ref>,
}

impl Followed {
    fn of(make: impl FnOnce(&Path) -> Repository) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let repository = make(&folder.path().join("made.git"));
        let graph = folder.path().join("7.graph");
        let mut followed = Self { _folder: folder, repository, graph, before: Vec::new() };
        assert_eq!(followed.run(), Changes::default(), "the first run");
        followed
    }

    /// A chain of three on `main`.
    fn three() -> (Self, [String; 3]) {
        let mut names = Vec::new();
        let followed = Self::of(|path| {
            let repository = Repository::init(path, &["--bare"]).expect("a repository");
            for message in ["one", "two", "three"] {
                let parents: Vec<&str> = names.last().map(String::as_str).into_iter().collect();
                names.push(repository.commit("refs/heads/main", message, &parents).expect("a commit"));
            }
            repository
        });
        (followed, names.try_into().expect("three commits"))
    }

    fn known(&self) -> Graph {
        Graph::load(&self.graph, 7)
    }

    fn walked(&self, known: &Graph) -> (RefList, NewCommits) {
        let opened = LocalRepository::InPlace(self.repository.path.clone()).open().expect("a repository");
        let refs = list_refs(&opened, known, &keytrail_domain::ref_selection::RefSelection::default(), MAX_REFS)
            .expect("refs");
        let request = WalkRequest {
            refs: &refs,
            known,
            after: None,
            identify: &|_| PersonId(Uuid::nil()),
            cancel: &AtomicBool::new(false),
            progress: &Progress::default(),
            bounds: Bounds::default(),
        };
        let new = walk(&opened, &request, &mut |_| Ok(())).expect("a walk to its end").new;
        (refs, new)
    }

    /// A whole run; what it changed.
    fn run(&mut self) -> Changes {
        let known = self.known();
        let (refs, new) = self.walked(&known);
        let changes = known.changes(&new, &self.before, &refs.refs, &AtomicBool::new(false)).expect("a good graph");
        known.append(&new).expect("a writable folder");
        self.before = refs.refs;
        changes
    }

    fn point(&self, name: &str, to: &str) {
        self.repository.git(&["update-ref", name, to]).expect("a ref");
    }
}

fn names(shas: &[CommitSha]) -> Vec<String> {
    shas.iter().map(ToString::to_string).collect()
}

#[test]
fn what_is_forced_away_is_superseded_and_what_comes_back_is_restored() {
    let (mut followed, [one, two, three]) = Followed::three();
    let other = followed.repository.commit("refs/heads/main", "instead", &[&one]).expect("a commit");
    let forced = followed.run();
    assert_eq!((names(&forced.superseded), forced.restored.len()), (vec![two.clone(), three.clone()], 0));

    assert_eq!(followed.run().superseded.len(), 0, "what was superseded before is not so again");
    followed.point("refs/heads/back", &two);
    let back = followed.run();
    assert_eq!((names(&back.restored), back.superseded.len()), (vec![two.clone()], 0));

    // A new commit over what no ref led to restores it, too.
    followed.repository.commit("refs/pull/1/head", "over three", &[&three]).expect("a commit");
    followed.repository.git(&["update-ref", "-d", "refs/heads/main"]).expect("a ref");
    let both = followed.run();
    assert_eq!((names(&both.restored), names(&both.superseded)), (vec![three], vec![other]));
}

#[test]
fn a_tag_keeps_what_a_deleted_branch_led_to() {
    let (mut followed, [_, two, three]) = Followed::three();
    followed.repository.git(&["tag", "-a", "-m", "kept", "kept", &two]).expect("a tag");
    followed.repository.git(&["update-ref", "-d", "refs/heads/main"]).expect("a ref");
    let deleted = followed.run();
    assert_eq!((names(&deleted.superseded), deleted.restored.len()), (vec![three], 0));
}

#[test]
fn branches_that_only_went_on_cost_nothing_and_a_forced_push_what_lies_above_it() {
    let mut followed = Followed::of(|path| {
        let shape = Shape { commits: 4_000, merges_percent: 20, ..Shape::default() };
        generate(path, &shape).expect("git fast-import works")
    });
    let mut tip = followed.repository.git_line(&["rev-parse", "refs/heads/main"]).expect("a branch");
    for message in ["next", "after next"] {
        tip = followed.repository.commit("refs/heads/main", message, &[&tip]).expect("a commit");
    }
    assert_eq!(followed.run(), Changes::default());
    // Moved without a new commit.
    followed.point("refs/heads/twin", &tip);
    assert_eq!(followed.run(), Changes::default());

    let amended = format!("{tip}~1");
    let base = followed.repository.git_line(&["rev-parse", &amended]).expect("a commit");
    followed.repository.git(&["update-ref", "-d", "refs/heads/twin"]).expect("a ref");
    followed.repository.commit("refs/heads/main", "amended", &[&base]).expect("a commit");
    let forced = followed.run();
    assert_eq!(names(&forced.superseded), [tip]);
    assert!(forced.passed < 10, "{}", forced.passed);
}

#[test]
fn parents_are_read_over_the_edges_of_runs_and_of_chunks() {
    let mut followed = Followed::of(|path| {
        let shape = Shape { commits: 40_000, heads: 0, tags: 0, pull_requests: 0, ..Shape::default() };
        generate(path, &shape).expect("git fast-import works")
    });
    let tip = followed.repository.git_line(&["rev-parse", "refs/heads/main"]).expect("a branch");
    let root = followed.repository.git_line(&["rev-list", "--max-parents=0", "refs/heads/main"]).expect("a root");
    let tree = followed.repository.git_line(&["rev-parse", "refs/heads/main^{tree}"]).expect("a tree");
    // One commit has more parents than a chunk holds.
    let mut octopus = format!("tree {tree}\n");
    for _ in 0..20_000 {
        octopus += &format!("parent {root}\nparent {tip}\n");
    }
    octopus += "author A <a@example.org> 1600000000 +0000\ncommitter A <a@example.org> 1600000000 +0000\n\nmany\n";
    let arguments = ["hash-object", "-t", "commit", "-w", "--stdin", "--literally"];
    let octopus = followed.repository.git_with_input(&arguments, octopus.as_bytes()).expect("git writes it");
    followed.point("refs/heads/main", String::from_utf8_lossy(&octopus).trim());
    // The root is named anew, and only the whole way down shows that it was led to before.
    let merged = followed.run();
    assert_eq!((merged.superseded.len(), merged.restored.len(), merged.passed), (0, 0, 39_999));

    followed.point("refs/heads/main", &root);
    let forced = followed.run();
    let expected = followed.known().len() - 1;
    assert_eq!((forced.superseded.len(), forced.passed), (expected, expected as u64));
    let generations: Vec<_> = forced.superseded.iter().map(|sha| followed.known().generation(*sha)).take(50).collect();
    assert!(generations.is_sorted());
}

#[test]
fn refs_to_what_is_not_in_the_graph_are_counted() {
    let (followed, [one, two, _]) = Followed::three();
    let known = followed.known();
    let named = |name: &str, sha: &str| Ref { name: name.into(), commit: sha.parse().expect("a name") };
    let (unknown, elsewhere) = ("1".repeat(40), "2".repeat(40));
    let before = [named("refs/heads/a", &two), named("refs/heads/lost", &unknown)];
    let now = [named("refs/heads/a", &one), named("refs/heads/x", &elsewhere), named("refs/heads/y", &elsewhere)];
    let (_, new) = followed.walked(&known);
    let changes = known.changes(&new, &before, &now, &AtomicBool::new(false)).expect("a good graph");
    assert_eq!((changes.unknown_before, changes.unknown_now), (1, 2));
    assert_eq!(names(&changes.superseded), [two]);
    let nothing_known = Graph::empty();
    let (refs, new) = followed.walked(&nothing_known);
    let changes = nothing_known.changes(&new, &before, &refs.refs, &AtomicBool::new(false)).expect("nothing is read");
    assert_eq!(changes, Changes { unknown_before: 2, ..Changes::default() });
}

#[test]
fn a_pass_is_stopped_at_once() {
    let followed = Followed::of(|path| {
        let shape = Shape { commits: 40_000, heads: 0, tags: 0, pull_requests: 0, ..Shape::default() };
        generate(path, &shape).expect("git fast-import works")
    });
    let known = followed.known();
    let (_, new) = followed.walked(&known);
    let stopped = known.changes(&new, &followed.before, &[], &AtomicBool::new(true));
    assert!(matches!(stopped, Err(GitError::Cancelled)));
}

#[test]
fn a_file_that_changed_and_another_state_are_told() {
    let (followed, [one, ..]) = Followed::three();
    let known = followed.known();
    let (_, new) = followed.walked(&known);
    let now = [Ref { name: "refs/heads/main".into(), commit: one.parse().expect("a name") }];
    let compare = || known.changes(&new, &followed.before, &now, &AtomicBool::new(false));
    assert_eq!(compare().expect("a good graph").superseded.len(), 2);
    let whole = fs::read(&followed.graph).expect("a file");
    let mut other_number = whole.clone();
    other_number[8] ^= 1;
    // The parents of three commits are the last 12 bytes before the digest.
    let at = whole.len() - 32 - 12;
    let mut forward = whole.clone();
    forward[at + 8] = 2;
    let mut endless = whole.clone();
    endless[at + 11] = 0;
    for spoiled in [&whole[..whole.len() - 60], &other_number, &forward, &endless, b""] {
        fs::write(&followed.graph, spoiled).expect("a file");
        assert!(compare().expect_err("it changed").is_transient());
    }
    let (_, from_nothing) = followed.walked(&Graph::empty());
    let other = known.changes(&from_nothing, &followed.before, &now, &AtomicBool::new(false));
    assert!(other.expect_err("the rows would be wrong").is_transient());
}
