//! Histories that grow at random, followed step by step: refs, commits and what no ref leads to any more are those that
//! git names. In place, and over HTTP by way of a copy, whoever fetches.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, atomic::AtomicBool},
};

use keytrail::git::{
    Bounds, Graph, MAX_REFS, Mirror, OpenedRepository, Progress, Ref, RefList, WalkRequest, list_refs,
    mirror::TransportKind,
    remote::{AddressMode, AddressPolicy, Limits, Listed, Remote, Trust, list_remote_refs},
    transport::{FetchLimits, FetchProgress, FetchRequest, FetchSource, GitProgram, LocalRepository, WantedRef, fetch},
    walk,
};
use keytrail_domain::{
    index_run::batch::CommitSha, person::PersonId, ref_selection::RefSelection, remote_url::RemoteUrl,
};
use keytrail_test_support::{
    repositories::{Grown, Repository},
    web_server::WebServer,
};

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

/// How a repository is read.
enum Source {
    InPlace,
    /// By way of a copy, which this git program fills, or this process.
    Copied {
        remote: Box<Remote>,
        mirror: Mirror,
        program: Option<Arc<GitProgram>>,
    },
}

impl Source {
    /// Over HTTP from this server.
    fn copied(folder: &Path, seed: u64, web: &WebServer, program: Option<Arc<GitProgram>>) -> Self {
        let url = RemoteUrl::parse(&web.url(&format!("{seed}.git"))).expect("a URL").url;
        let mode = AddressMode::Listed { private: false, hosts: vec![url.host().clone()], networks: Vec::new() };
        let addresses = Arc::new(AddressPolicy { mode, allow_git_scheme: false, allow_http: true });
        let (trust, limits) = (Trust::WebPki, Limits::default());
        let remote = Box::new(Remote { url, credential: None, trust, proxy: None, ssh: None, addresses, limits });
        let mirror = Mirror::open_or_make(&folder.join(format!("{seed}.mirror"))).expect("a mirror");
        Self::Copied { remote, mirror, program }
    }

    /// The refs that there are now, and a repository that has what they lead to.
    async fn look(&self, repository: &Repository, known: &Graph) -> (RefList, OpenedRepository) {
        let selection = RefSelection::default();
        match self {
            Self::InPlace => {
                let opened = LocalRepository::InPlace(repository.path.clone()).open().expect("a repository");
                (list_refs(&opened, known, &selection, MAX_REFS).expect("refs"), opened)
            }
            Self::Copied { remote, mirror, program } => {
                let listed = list_remote_refs(remote, &selection, MAX_REFS).await.expect("a list");
                fetch_into(mirror, remote, &listed, program.as_deref()).await;
                (RefList::of_remote(&listed), mirror.open().expect("a mirror"))
            }
        }
    }
}

async fn fetch_into(mirror: &Mirror, remote: &Remote, listed: &Listed, program: Option<&GitProgram>) {
    let wanted = |item: &keytrail::git::remote::ListedRef| WantedRef { name: item.name.clone(), target: item.target };
    let wanted: Vec<WantedRef> = listed.refs.iter().map(wanted).collect();
    let request = FetchRequest {
        mirror,
        source: FetchSource::Remote(remote),
        wanted: &wanted,
        program,
        limits: FetchLimits { free_bytes: 0, ..FetchLimits::default() },
        beside: 0,
        progress: &FetchProgress::default(),
        cancel: &AtomicBool::new(false),
    };
    fetch(&request).await.expect("a fetch");
    let filled = mirror.filled_by().expect("memory").map(|(_, by)| by);
    let by = if program.is_some() { TransportKind::GitProgram } else { TransportKind::InProcess };
    assert!(filled.is_none_or(|filled| filled == by), "{filled:?}");
}

/// A follower of one repository: what Keytrail keeps between two runs.
struct Follower {
    source: Source,
    grown: Grown,
    graph: PathBuf,
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
    fn new(folder: &Path, seed: u64, source: Source) -> Self {
        Self {
            source,
            grown: Grown::new(&folder.join(format!("{seed}.git")), seed).expect("git makes a repository"),
            graph: folder.join(format!("{seed}.graph")),
            refs: Vec::new(),
            tips: BTreeSet::new(),
            superseded: BTreeSet::new(),
            seen: Seen::default(),
        }
    }

    /// One run, as the index job does it, and what git says.
    async fn step(&mut self) {
        self.grown.step().expect("git fast-import works");
        let known = Graph::load(&self.graph, 1);
        let (refs, opened) = self.source.look(&self.grown.repository, &known).await;
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

/// Follows the histories of some seeds, each read from where this says.
async fn follow(seeds: std::ops::Range<u64>, source: impl Fn(&Path, u64) -> Source, folder: &Path) {
    let mut all = Seen::default();
    let histories = seeds.end - seeds.start;
    for seed in seeds {
        let mut follower = Follower::new(folder, seed, source(folder, seed));
        for step in 0..STEPS {
            println!("seed {seed}, step {step}");
            follower.step().await;
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

async fn follow_in_place(seeds: std::ops::Range<u64>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    follow(seeds, |_, _| Source::InPlace, folder.path()).await;
}

async fn follow_copies(seeds: std::ops::Range<u64>, program: Option<Arc<GitProgram>>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let web = WebServer::start(folder.path());
    follow(seeds, |folder, seed| Source::copied(folder, seed, &web, program.clone()), folder.path()).await;
}

// Two halves, for two processors.

#[tokio::test]
async fn what_no_ref_leads_to_any_more_is_what_git_names_in_a_hundred_random_histories() {
    follow_in_place(0..100).await;
}

#[tokio::test]
async fn what_no_ref_leads_to_any_more_is_what_git_names_in_another_hundred_random_histories() {
    follow_in_place(100..200).await;
}

#[tokio::test]
async fn what_no_ref_leads_to_any_more_is_what_git_names_over_http_in_thirty_random_histories() {
    let found = Command::new("sh").args(["-c", "command -v git"]).output().expect("a shell");
    let path = PathBuf::from(String::from_utf8_lossy(&found.stdout).trim());
    let program = GitProgram::find(&[path]).await.expect("git is installed");
    assert!(program.is_good(), "this test needs a git that may be used: {}", program.sentence());
    follow_copies(200..230, Some(Arc::new(program))).await;
}

#[tokio::test]
async fn what_no_ref_leads_to_any_more_is_what_git_names_over_http_without_a_git_program_in_thirty_random_histories() {
    follow_copies(200..230, None).await;
}
