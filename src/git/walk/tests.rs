//! A walk gives every new commit once, parents first, in one order, whatever happens around it.

mod endings;
mod forks;
mod hostile;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    num::NonZeroUsize,
    path::Path,
    sync::atomic::AtomicBool,
};

use keytrail_domain::{
    index_run::batch::{Cursor, Places},
    issue_key::{self, Letters},
    person::PersonId,
};
use keytrail_test_support::repositories::{Repository, Shape, generate};
use tempfile::TempDir;

use super::*;
use crate::git::{MAX_REFS, list_refs, transport::LocalRepository};

/// A walk as a test sees it.
struct Seen {
    batches: Vec<WalkedBatch>,
    walked: Walked,
    /// Refs that lead to no commit, whoever noticed.
    not_commits: u64,
}

impl Seen {
    fn commits(&self) -> Vec<Commit> {
        self.batches.iter().flat_map(|batch| batch.commits.clone()).collect()
    }
}

fn identify(email: &[u8]) -> PersonId {
    let mut hash = [0_u8; 32];
    for (at, byte) in email.iter().enumerate() {
        hash[at % 16] = hash[at % 16].wrapping_mul(31) ^ byte;
    }
    PersonId::of_keyed_hash(&hash)
}

fn open(path: &Path) -> OpenedRepository {
    LocalRepository::InPlace(path.to_owned()).open().expect("a repository")
}

fn small_batches() -> Bounds {
    Bounds { batch_commits: 20, batch_walked: 90, ..Bounds::default() }
}

fn try_seen(path: &Path, known: &Graph, after: Option<Cursor>, bounds: Bounds) -> Result<Seen, GitError> {
    let repository = open(path);
    let refs = list_refs(&repository, known, &keytrail_domain::ref_selection::RefSelection::default(), MAX_REFS)?;
    let mut batches = Vec::new();
    let request = WalkRequest {
        refs: &refs,
        known,
        after,
        identify: &identify,
        cancel: &AtomicBool::new(false),
        progress: &Progress::default(),
        bounds,
    };
    let walked = walk(&repository, &request, &mut |batch| {
        batches.push(batch);
        Ok(())
    })?;
    assert_eq!(request.progress.phase(), Phase::Done);
    assert_eq!(request.progress.seen(), walked.commits);
    let not_commits = refs.not_commits + walked.not_commits;
    Ok(Seen { batches, walked, not_commits })
}

fn seen(path: &Path, known: &Graph, bounds: Bounds) -> Seen {
    try_seen(path, known, None, bounds).expect("a walk to its end")
}

fn generated(shape: &Shape) -> (TempDir, Repository) {
    let folder = tempfile::tempdir().expect("a folder");
    let repository = generate(&folder.path().join("made.git"), shape).expect("git fast-import works");
    (folder, repository)
}

const DEFAULT_REFS: [&str; 3] = ["--glob=refs/heads/*", "--glob=refs/tags/*", "--glob=refs/pull/*"];

/// What git itself lists over the same refs.
fn log(repository: &Repository, format: &str) -> Vec<Vec<u8>> {
    let format = format!("--format={format}");
    let mut arguments = vec!["log", "-z", "--encoding=UTF-8", &format];
    arguments.extend(DEFAULT_REFS);
    let output = repository.git(&arguments).expect("git log works");
    output.split(|byte| *byte == 0).filter(|record| !record.is_empty()).map(<[u8]>::to_vec).collect()
}

#[test]
fn every_commit_comes_once_and_after_its_parents() {
    let (_folder, repository) = generated(&Shape { merges_percent: 30, ..Shape::default() });
    let seen = seen(&repository.path, &Graph::empty(), small_batches());
    let expected = log(&repository, "%H %P");
    let mut parents = HashMap::new();
    for record in &expected {
        let text = String::from_utf8_lossy(record).into_owned();
        let mut names = text.split_whitespace().map(str::to_owned);
        parents.insert(names.next().expect("a name"), names.collect::<Vec<_>>());
    }
    let new = &seen.walked.new;
    assert_eq!(new.len(), expected.len());
    let mut before = HashSet::new();
    for place in 0..new.len() {
        let name = new.cursor(place).expect("in bounds").sha.to_string();
        assert!(parents[&name].iter().all(|parent| before.contains(parent)), "{name} comes before a parent");
        assert!(before.insert(name), "a commit came twice");
    }
    let cursors: Vec<_> = seen.batches.iter().map(|batch| batch.cursor).collect();
    assert!(cursors.is_sorted());
    assert_eq!(cursors.last().copied(), new.cursor(new.len() - 1));
    assert_eq!(seen.batches.last().map(|batch| batch.walked), Some(expected.len() as u64));
    assert_eq!(seen.walked.keyed, seen.commits().len() as u64);
}

#[test]
fn commits_and_keys_are_those_that_git_log_shows() {
    let (_folder, repository) = generated(&Shape { awkward: true, ..Shape::default() });
    let seen = seen(&repository.path, &Graph::empty(), small_batches());
    let mut expected = BTreeMap::new();
    let records = log(&repository, "%H%n%B");
    assert_eq!(records.len() as u64, seen.walked.commits);
    for record in records {
        let (sha, message) = record.split_at(40);
        let message = String::from_utf8_lossy(&message[1..]);
        let keys = issue_key::scan(&message, Letters::Upper).keys;
        let keys: Vec<_> = keys.into_iter().map(|(key, _)| key.to_string()).collect();
        if !keys.is_empty() {
            expected.insert(String::from_utf8_lossy(sha).into_owned(), keys);
        }
    }
    let found: BTreeMap<_, _> = seen
        .commits()
        .into_iter()
        .map(|commit| (commit.sha.to_string(), commit.keys.iter().map(|(key, _)| key.to_string()).collect()))
        .collect();
    assert_eq!(found, expected);
    let all: HashSet<String> = found.into_values().flatten().collect();
    for key in ["AWK-1", "AWK-2", "AWK-4", "AWK-5", "AWK-7", "AWK-20", "AWK-22", "MANY-500", "LIT-3", "LIT-11"] {
        assert!(all.contains(key), "{key} is not among the awkward messages that were found");
    }
    assert!(!all.contains("LIT-2") && !all.contains("AWK-23"), "beyond a NUL, or the bound");
    assert_eq!(seen.walked.bounded, 3);
}

#[test]
fn subjects_people_and_times_are_those_that_git_log_shows() {
    let (_folder, repository) = generated(&Shape::default());
    let seen = seen(&repository.path, &Graph::empty(), small_batches());
    let people: HashMap<_, _> =
        seen.batches.iter().flat_map(|batch| &batch.people).map(|p| (p.id, p.clone())).collect();
    let reported = seen.batches.iter().map(|batch| batch.people.len()).sum::<usize>();
    assert_eq!(reported, people.len(), "each person is reported once");
    let found: HashSet<String> = seen
        .commits()
        .into_iter()
        .map(|commit| {
            let person = &people[&commit.author];
            let (authored, committed) = (commit.authored_at, commit.committed_at);
            format!("{} {} {} {authored} {committed} {}", commit.sha, person.name, person.email, commit.subject)
        })
        .collect();
    let expected: HashSet<String> = log(&repository, "%H %an %ae %at %ct %s")
        .into_iter()
        .map(|record| String::from_utf8_lossy(&record).replace("Person.", "person."))
        .collect();
    assert!(!found.is_empty() && found.is_subset(&expected));
}

#[test]
fn the_same_batches_come_again_with_any_number_of_readers_and_little_room() {
    let (_folder, repository) = generated(&Shape { awkward: true, merges_percent: 30, ..Shape::default() });
    let one = seen(&repository.path, &Graph::empty(), small_batches());
    assert!(one.batches.len() > 5);
    for workers in [1, 2, 3, 4] {
        for record_bytes in [0, 2_000, usize::MAX] {
            let workers = NonZeroUsize::new(workers).expect("not zero");
            let bounds = Bounds { workers, record_bytes, ..small_batches() };
            let other = seen(&repository.path, &Graph::empty(), bounds);
            assert_eq!(other.batches, one.batches, "{workers} readers, {record_bytes} bytes");
            if record_bytes == 0 {
                assert_eq!(other.walked.objects_read, one.walked.objects_read + one.walked.keyed);
            }
        }
    }
    assert_eq!(one.walked.objects_read, one.walked.commits, "each object is read once");
}

#[test]
fn a_walk_resumes_after_every_batch() {
    let (_folder, repository) = generated(&Shape::default());
    let whole = seen(&repository.path, &Graph::empty(), small_batches());
    for at in 0..whole.batches.len() {
        let after = Some(whole.batches[at].cursor);
        let rest = try_seen(&repository.path, &Graph::empty(), after, small_batches()).expect("a walk");
        let expected: Vec<_> = whole.batches[at + 1..].iter().flat_map(|batch| batch.commits.clone()).collect();
        assert_eq!(rest.commits(), expected);
        assert_eq!(rest.walked.keyed, whole.walked.keyed, "counts are those of the whole run");
        if let Some(last) = rest.batches.last() {
            assert_eq!(last.walked, whole.walked.commits);
        }
    }
}

/// Walks and puts what was met into the graph at the path.
fn index(repository: &Repository, graph: &Path) -> Seen {
    let known = Graph::load(graph, 7);
    let seen = seen(&repository.path, &known, Bounds::default());
    known.append(&seen.walked.new).expect("a writable folder");
    seen
}

#[test]
fn an_incremental_walk_reads_only_what_is_new() {
    let (folder, repository) = generated(&Shape { commits: 2_000, ..Shape::default() });
    let graph = folder.path().join("graphs/7");
    let first = index(&repository, &graph);
    assert_eq!(index(&repository, &graph).walked.objects_read, 0);

    let mut tip = repository.git_line(&["rev-parse", "refs/heads/main"]).expect("a branch");
    let mut expected = Vec::new();
    for number in 1..=3 {
        tip = repository.commit("refs/heads/main", &format!("NEW-{number}"), &[&tip]).expect("a commit");
        expected.push(tip.clone());
    }
    repository.git(&["update-ref", "refs/heads/old", &format!("{tip}~900")]).expect("a branch");
    let known = Graph::load(&graph, 7);
    assert_eq!(known.len() as u64, first.walked.commits);
    let repository_opened = open(&repository.path);
    let refs =
        list_refs(&repository_opened, &known, &keytrail_domain::ref_selection::RefSelection::default(), MAX_REFS)
            .expect("refs");
    let second = seen(&repository.path, &known, Bounds::default());
    assert!(second.walked.objects_read + refs.objects_read <= 2 * (3 + 2));
    let found: Vec<_> = second.commits().iter().map(|commit| commit.sha.to_string()).collect();
    assert_eq!(found, expected, "parents first");
    let generation = second.walked.new.cursor(0).expect("three commits").generation;
    let tip_before = first.walked.new.cursor(first.walked.new.len() - 1).expect("many commits").generation;
    assert!(generation <= tip_before + 1 && generation > 1);
}

#[test]
fn a_branch_that_begins_at_an_old_commit_without_keys_is_walked_to_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let repository = Repository::init(folder.path(), &["--bare"]).expect("a repository");
    let graph = folder.path().join("graph");
    let root = repository.commit("refs/heads/main", "no key", &[]).expect("a commit");
    let second = repository.commit("refs/heads/main", "no key either", &[&root]).expect("a commit");
    repository.commit("refs/heads/main", "MAIN-1", &[&second]).expect("a commit");
    index(&repository, &graph);
    let silent = repository.commit("refs/heads/topic", "silent", &[&root]).expect("a commit");
    repository.commit("refs/heads/topic", "TOPIC-1", &[&silent]).expect("a commit");
    let topic = index(&repository, &graph);
    assert_eq!(topic.walked.commits, 2);
    let [commit] = &topic.commits()[..] else { panic!("one commit has a key") };
    assert_eq!((&*commit.introduced_by, commit.keys[0].1), ("refs/heads/topic", Places::SUBJECT));
    assert_eq!(Graph::load(&graph, 7).generation(commit.sha), Some(3));
}

#[test]
fn criss_cross_merges_are_walked_once_and_belong_to_the_best_ref() {
    let folder = tempfile::tempdir().expect("a folder");
    let repository = Repository::init(folder.path(), &["--bare"]).expect("a repository");
    let root = repository.commit("refs/heads/main", "CROSS-1", &[]).expect("a commit");
    let (mut left, mut right) = (root.clone(), root);
    for number in 0..6 {
        let merge = |name, message: String, one: &str, other: &str| {
            repository.commit(name, &message, &[one, other]).expect("a commit")
        };
        let next = merge("refs/heads/main", format!("LEFT-{}", number + 1), &left, &right);
        right = merge("refs/heads/other", format!("RIGHT-{}", number + 1), &right, &left);
        left = next;
    }
    repository.git(&["update-ref", "refs/pull/1/head", &left]).expect("a ref");
    let seen = seen(&repository.path, &Graph::empty(), Bounds::default());
    assert_eq!(seen.walked.commits, 13);
    for commit in seen.commits() {
        let best = if commit.subject.as_str() == "RIGHT-6" { "refs/heads/other" } else { "refs/heads/main" };
        assert_eq!(&*commit.introduced_by, best, "{}", commit.subject);
    }
}

#[test]
fn an_empty_repository_gives_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let repository = Repository::init(folder.path(), &[]).expect("a repository");
    let seen = seen(&repository.path, &Graph::empty(), Bounds::default());
    assert_eq!((seen.walked.commits, seen.batches.len()), (0, 0));
}
