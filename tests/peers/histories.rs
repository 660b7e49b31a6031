//! Histories that grow at random, followed step by step: refs, commits and what no ref leads to any more are those that
//! git names.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::atomic::AtomicBool,
};

use keytrail::git::{Bounds, Graph, MAX_REFS, Progress, Ref, WalkRequest, list_refs, transport::LocalRepository, walk};
use keytrail_domain::{index_run::batch::CommitSha, person::PersonId};
use keytrail_test_support::repositories::{Grown, Repository};

const STEPS: usize = 6;
/// What is listed, in git's words.
const LISTED: [&str; 3] = ["--glob=refs/heads/*", "--glob=refs/tags/*", "--glob=refs/pull/*"];

/// What came to pass in a history, so that the test can say that it was not idle.
#[derive(Default)]
struct Seen {
    superseded: usize,
    restored: usize,
    /// Steps after which nothing had to be compared, though something moved.
    quiet: usize,
}

/// A follower of one repository: what Keytrail keeps between two runs.
struct Follower {
    grown: Grown,
    graph: std::path::PathBuf,
    refs: Vec<Ref>,
    tips: BTreeSet<String>,
    superseded: BTreeSet<String>,
    seen: Seen,
}

fn lines(repository: &Repository, arguments: &[&str]) -> Vec<String> {
    let output = repository.git(arguments).expect("git works");
    String::from_utf8(output).expect("names are ASCII").lines().map(str::to_owned).collect()
}

impl Follower {
    fn new(folder: &Path, seed: u64) -> Self {
        Self {
            grown: Grown::new(&folder.join(format!("{seed}.git")), seed).expect("git makes a repository"),
            graph: folder.join(format!("{seed}.graph")),
            refs: Vec::new(),
            tips: BTreeSet::new(),
            superseded: BTreeSet::new(),
            seen: Seen::default(),
        }
    }

    /// One run, as the index job does it, and what git says.
    fn step(&mut self) {
        self.grown.step().expect("git fast-import works");
        let repository = &self.grown.repository;
        let opened = LocalRepository::InPlace(repository.path.clone()).open().expect("a repository");
        let known = Graph::load(&self.graph, 1);
        let refs = list_refs(&opened, &known, &keytrail_domain::ref_selection::RefSelection::default(), MAX_REFS)
            .expect("refs");
        let request = WalkRequest {
            refs: &refs,
            known: &known,
            after: None,
            identify: &|_| PersonId(uuid::Uuid::nil()),
            cancel: &AtomicBool::new(false),
            progress: &Progress::default(),
            bounds: Bounds::default(),
        };
        let new = walk(&opened, &request, &mut |_| Ok(())).expect("a walk to its end").new;
        let changes = known.changes(&new, &self.refs, &refs.refs, &AtomicBool::new(false)).expect("a readable graph");
        assert_eq!((changes.unknown_before, changes.unknown_now), (0, 0));
        let generations =
            |shas: &[CommitSha]| shas.iter().map(|sha| (known.generation(*sha), *sha)).collect::<Vec<_>>();
        assert!(generations(&changes.superseded).is_sorted() && generations(&changes.restored).is_sorted());
        for sha in &changes.superseded {
            assert!(self.superseded.insert(sha.to_string()), "{sha} was superseded before");
        }
        for sha in &changes.restored {
            assert!(self.superseded.remove(&sha.to_string()), "{sha} was not superseded");
        }
        self.seen.superseded += changes.superseded.len();
        self.seen.restored += changes.restored.len();
        self.seen.quiet += usize::from(changes.passed == 0 && !new.is_empty());
        known.append(&new).expect("a writable folder");
        self.refs = refs.refs;
        self.judge();
    }

    fn judge(&mut self) {
        let repository = &self.grown.repository;
        let format = "--format=%(refname) %(objectname) %(*objectname)";
        let listed = lines(repository, &["for-each-ref", format, "refs/heads", "refs/tags", "refs/pull"]);
        let listed: BTreeMap<&str, &str> = listed
            .iter()
            .map(|line| {
                let mut words = line.split_whitespace();
                let name = words.next().expect("a name");
                (name, words.next_back().expect("a commit"))
            })
            .collect();
        let found: BTreeMap<&str, String> =
            self.refs.iter().map(|item| (&*item.name, item.commit.to_string())).collect();
        assert!(found.iter().map(|(name, sha)| (*name, sha.as_str())).eq(listed.iter().map(|(a, b)| (*a, *b))));

        self.tips.extend(found.into_values());
        let mut arguments = vec!["rev-list"];
        arguments.extend(self.tips.iter().map(String::as_str));
        let ever: BTreeSet<_> =
            if self.tips.is_empty() { BTreeSet::new() } else { lines(repository, &arguments).into_iter().collect() };
        let live: BTreeSet<_> = lines(repository, &["rev-list", LISTED[0], LISTED[1], LISTED[2]]).into_iter().collect();
        let graph = Graph::load(&self.graph, 1);
        assert_eq!(graph.len(), ever.len());
        assert!(ever.iter().all(|sha| graph.contains(sha.parse().expect("a name"))));
        let expected: BTreeSet<_> = ever.difference(&live).cloned().collect();
        assert_eq!(self.superseded, expected);
    }
}

/// Follows the histories of some seeds.
fn follow(seeds: std::ops::Range<u64>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut all = Seen::default();
    let histories = seeds.end - seeds.start;
    for seed in seeds {
        let mut follower = Follower::new(folder.path(), seed);
        for step in 0..STEPS {
            println!("seed {seed}, step {step}");
            follower.step();
        }
        let Seen { superseded, restored, quiet } = follower.seen;
        all = Seen {
            superseded: all.superseded + superseded,
            restored: all.restored + restored,
            quiet: all.quiet + quiet,
        };
    }
    let enough = histories as usize / 2;
    assert!(all.superseded > enough && all.restored > enough && all.quiet > enough / 4, "nothing much happened");
}

// Two halves, for two processors.

#[test]
fn what_no_ref_leads_to_any_more_is_what_git_names_in_a_hundred_random_histories() {
    follow(0..100);
}

#[test]
fn what_no_ref_leads_to_any_more_is_what_git_names_in_another_hundred_random_histories() {
    follow(100..200);
}
