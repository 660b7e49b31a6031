//! A repository that is followed: the first fetch, a copy of a folder, one new commit, and looks that find nothing, each
//! beside what git does for the same.
//!
//! `cargo bench --bench follow -- --repository PATH [--rounds 5] [--full no]`: a bare repository, of which copies are made
//! and served by nginx before git http-backend (Debian's nginx-light and fcgiwrap).

#[path = "measure/flags.rs"]
mod flags;
#[path = "measure/table.rs"]
mod table;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, atomic::AtomicBool},
    time::{Instant, SystemTime},
};

use flags::Flags;
use keytrail::git::{
    Bounds, Graph, MAX_REFS, Mirror, Progress, Ref, RefList, RefsStamp, WalkRequest, Walked, list_refs, moved,
    remote::{AddressMode, AddressPolicy, Limits, Remote, Trust, list_remote_refs},
    transport::{FetchLimits, FetchProgress, FetchRequest, FetchSource, GitProgram, LocalRepository, WantedRef, fetch},
    walk,
};
use keytrail_domain::{person::PersonId, ref_selection::RefSelection, remote_url::RemoteUrl};
use keytrail_test_support::{repositories::Repository, web_server::WebServer};
use table::{Table, median, seconds};

#[tokio::main]
async fn main() {
    let flags = Flags::read();
    let Some(source) = flags.get("repository") else {
        println!("nothing is measured: say --repository PATH (the example generate_repository makes one)");
        return;
    };
    let rounds = flags.or("rounds", 5);
    let place = tempfile::tempdir().expect("a temporary folder");
    let root = place.path().canonicalize().expect("it is there").join("served");
    fs::create_dir(&root).expect("a folder");
    let served = Repository { path: root.join("big.git") };
    let (from, to) = (source, served.path.to_str().expect("UTF-8"));
    git(&root, &["clone", "--quiet", "--mirror", from, to]);
    for setting in ["uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"] {
        git(&served.path, &["config", setting, "true"]);
    }
    git(&served.path, &["pack-refs", "--all"]);
    git(&served.path, &["commit-graph", "write", "--reachable"]);
    let server = WebServer::start(&root);
    let stage = Stage { url: server.url("big.git"), served, place: place.path().to_owned(), table: Table::new() };
    let full = flags.get("full") != Some("no");
    stage.first_fetch(rounds, full).await;
    if full {
        stage.folder_copy().await;
    }
    stage.looks(rounds).await;
    stage.one_new_commit(rounds);
    stage.one_force_push(rounds);
}

struct Stage {
    url: String,
    served: Repository,
    place: PathBuf,
    table: Table,
}

impl Stage {
    fn remote(&self) -> Remote {
        let url = RemoteUrl::parse(&self.url).expect("a URL").url;
        let mode = AddressMode::Listed { private: false, hosts: vec![url.host().clone()], networks: Vec::new() };
        let addresses = Arc::new(AddressPolicy { mode, allow_git_scheme: false, allow_http: true });
        Remote {
            url,
            credential: None,
            trust: Trust::WebPki,
            proxy: None,
            ssh: None,
            addresses,
            limits: Limits::default(),
        }
    }

    async fn first_fetch(&self, rounds: usize, full: bool) {
        let program = GitProgram::at(&program()).await.expect("git");
        let program = GitProgram { verdict: keytrail::git::transport::Verdict::Good, ..program };
        let (mut ours, mut filtered, mut whole) = (Vec::new(), Vec::new(), Vec::new());
        let (mut our_bytes, mut filtered_bytes, mut whole_bytes) = (0, 0, 0);
        for round in 0..=rounds {
            let folder = self.place.join("ours.git");
            let started = Instant::now();
            let listed = list_remote_refs(&self.remote(), &RefSelection::default(), MAX_REFS).await.expect("a listing");
            let wanted: Vec<WantedRef> =
                listed.refs.into_iter().map(|item| WantedRef { name: item.name, target: item.target }).collect();
            let mirror = Mirror::open_or_make(&folder).expect("a mirror");
            let request = FetchRequest {
                mirror: &mirror,
                source: FetchSource::Remote(&self.remote()),
                wanted: &wanted,
                program: Some(&program),
                limits: FetchLimits { free_bytes: 0, ..FetchLimits::default() },
                beside: 0,
                progress: &FetchProgress::default(),
                cancel: &AtomicBool::new(false),
            };
            our_bytes = fetch(&request).await.expect("a fetch").bytes + listed.bytes;
            let took = seconds(started.elapsed());
            fs::remove_dir_all(&folder).expect("what was made can be removed");
            let (of_git, bytes) = self.clone(&["--filter=tree:0"]);
            filtered_bytes = bytes;
            if round > 0 {
                ours.push(took);
                filtered.push(of_git);
            }
            // Once is enough for what takes ten times as long.
            if full && round < 2 {
                let (of_git, bytes) = self.clone(&[]);
                whole_bytes = bytes;
                whole.push(of_git);
            }
        }
        let (ours, filtered) = (median(ours), median(filtered));
        let mb = |bytes: u64| bytes as f64 / 1e6;
        self.table.line(
            "first fetch over http, refs listed",
            &format!("{ours:.2} s, {:.1} MB", mb(our_bytes)),
            &format!("git clone --mirror --filter=tree:0 {filtered:.2} s, {:.1} MB", mb(filtered_bytes)),
            &format!("{:.2}; {:.2}", ours / filtered, our_bytes as f64 / filtered_bytes as f64),
            "<= 1.15",
        );
        if full {
            let whole = median(whole);
            self.table.line(
                "the same",
                &format!("{ours:.2} s, {:.1} MB", mb(our_bytes)),
                &format!("git clone --mirror {whole:.2} s, {:.1} MB", mb(whole_bytes)),
                &format!("{:.3}; {:.3}", ours / whole, our_bytes as f64 / whole_bytes as f64),
                "<= 1/8",
            );
        }
    }

    /// All of a folder of this machine, once: in this process, which makes no differences, and by git, which takes those
    /// that are there. `--no-local`, since a link to a file is no copy.
    async fn folder_copy(&self) {
        let names = self.served.git_line(&["for-each-ref", "--format=%(objectname) %(refname)"]).expect("refs");
        let wanted = names.lines().map(|line| {
            let (target, name) = line.split_once(' ').expect("two words");
            WantedRef { name: name.as_bytes().to_vec(), target: target.parse().expect("a name") }
        });
        let wanted: Vec<WantedRef> = wanted.collect();
        let folder = self.place.join("copied.git");
        let mirror = Mirror::open_or_make(&folder).expect("a mirror");
        let request = FetchRequest {
            mirror: &mirror,
            source: FetchSource::Local(&LocalRepository::InPlace(self.served.path.clone())),
            wanted: &wanted,
            program: None,
            limits: FetchLimits { free_bytes: 0, ..FetchLimits::default() },
            beside: 0,
            progress: &FetchProgress::default(),
            cancel: &AtomicBool::new(false),
        };
        let started = Instant::now();
        let copied = fetch(&request).await.expect("a copy");
        let ours = seconds(started.elapsed());
        fs::remove_dir_all(&folder).expect("what was made can be removed");
        let (theirs, bytes) = self.clone_of(self.served.path.to_str().expect("UTF-8"), &["--no-local"]);
        let mb = |bytes: u64| bytes as f64 / 1e6;
        self.table.line(
            &format!("a folder of {} objects copied in this process", copied.objects),
            &format!("{ours:.1} s, {:.1} MB", mb(copied.bytes)),
            &format!("git clone --mirror --no-local {theirs:.1} s, {:.1} MB", mb(bytes)),
            &format!("{:.2}; {:.2}", ours / theirs, copied.bytes as f64 / bytes as f64),
            "",
        );
    }

    fn clone(&self, options: &[&str]) -> (f64, u64) {
        self.clone_of(&self.url, options)
    }

    /// A mirror by git: how long it takes, and the bytes of its packs.
    fn clone_of(&self, from: &str, options: &[&str]) -> (f64, u64) {
        let folder = self.place.join("theirs.git");
        let mut arguments = vec!["clone", "--quiet", "--mirror"];
        arguments.extend(options);
        arguments.extend([from, folder.to_str().expect("UTF-8")]);
        let started = Instant::now();
        git(&self.place, &arguments);
        let took = seconds(started.elapsed());
        let packs = fs::read_dir(folder.join("objects/pack")).expect("packs");
        let bytes = packs
            .filter_map(|entry| entry.ok())
            .filter(|entry| entry.path().extension().is_some_and(|kind| kind == "pack"))
            .map(|entry| entry.metadata().expect("a file").len())
            .sum();
        fs::remove_dir_all(&folder).expect("what was made can be removed");
        (took, bytes)
    }

    /// Nothing is new: over http, and in a folder of this machine.
    async fn looks(&self, rounds: usize) {
        let theirs = self.place.join("theirs.git");
        git(
            &self.place,
            &["clone", "--quiet", "--mirror", "--filter=tree:0", &self.url, theirs.to_str().expect("UTF-8")],
        );
        let (mut listing, mut fetching, mut stamping, mut naming) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut refs = 0;
        for _ in 0..rounds.max(3) {
            let started = Instant::now();
            let listed = list_remote_refs(&self.remote(), &RefSelection::default(), MAX_REFS).await.expect("a listing");
            refs = RefList::of_remote(&listed).refs.len();
            listing.push(seconds(started.elapsed()));
            let started = Instant::now();
            git(&theirs, &["fetch", "--quiet"]);
            fetching.push(seconds(started.elapsed()));
            let started = Instant::now();
            RefsStamp::take(&self.served.path, now()).expect("a repository");
            stamping.push(seconds(started.elapsed()));
            let started = Instant::now();
            git(&self.served.path, &["for-each-ref"]);
            naming.push(seconds(started.elapsed()));
        }
        fs::remove_dir_all(&theirs).expect("what was made can be removed");
        let (ours, git) = (median(listing), median(fetching));
        self.table.line(
            &format!("nothing new over http, {refs} refs; no object read"),
            &format!("{:.1} ms", ours * 1e3),
            &format!("git fetch {:.1} ms", git * 1e3),
            &format!("{:.2}", ours / git),
            "<= 0.2",
        );
        let (ours, git) = (median(stamping), median(naming));
        self.table.line(
            &format!("nothing new in a folder, {refs} refs; no object read"),
            &format!("{:.2} ms", ours * 1e3),
            &format!("git for-each-ref {:.1} ms", git * 1e3),
            &format!("{:.3}", ours / git),
            "<= 0.1",
        );
    }

    /// The refs, and the graph after a run over all of them.
    fn indexed(&self) -> (Vec<Ref>, PathBuf) {
        let path = self.place.join("big.graph");
        let _ = fs::remove_file(&path);
        let (refs, graph, walked) = self.run(&path);
        graph.append(&walked.new).expect("a writable folder");
        (refs.refs, path)
    }

    /// A run as the job does it, without what it records.
    fn run(&self, graph: &Path) -> (RefList, Graph, Walked) {
        let opened = LocalRepository::InPlace(self.served.path.clone()).open().expect("a repository");
        let known = Graph::load(graph, 1);
        let refs = list_refs(&opened, &known, &RefSelection::default(), MAX_REFS).expect("refs");
        let walked = walk_from(&opened, &refs, &known);
        (refs, known, walked)
    }

    /// One new commit among many refs, which were listed.
    fn one_new_commit(&self, rounds: usize) {
        let (before, graph) = self.indexed();
        let main = self.head();
        let tip = self.served.git_line(&["rev-parse", &main]).expect("a tip").trim().to_owned();
        let new = self.served.commit(&main, "BENCH-1 one more", &[&tip]).expect("a commit");
        let opened = LocalRepository::InPlace(self.served.path.clone()).open().expect("a repository");
        let refs = list_refs(&opened, &Graph::load(&graph, 1), &RefSelection::default(), MAX_REFS).expect("refs");
        let (mut ours, mut theirs, mut objects) = (Vec::new(), Vec::new(), 0);
        for _ in 0..rounds.max(3) {
            let started = Instant::now();
            let known = Graph::load(&graph, 1);
            let moves = moved(&before, &refs.refs).len();
            let walked = walk_from(&opened, &refs, &known);
            ours.push(seconds(started.elapsed()));
            assert_eq!((moves, walked.commits), (1, 1));
            objects = walked.objects_read;
            let started = Instant::now();
            let said = self.not_all(&new, &main);
            theirs.push(seconds(started.elapsed()));
            assert_eq!(said.lines().count(), 1);
        }
        let (ours, theirs) = (median(ours), median(theirs));
        self.table.line(
            &format!("one new commit among {} refs, listed; {objects} objects read (2 x (1 + 1) may be)", before.len()),
            &format!("{:.1} ms", ours * 1e3),
            &format!("git rev-list NEW --not --all, with a commit-graph {:.1} ms", theirs * 1e3),
            &format!("{:.2}", ours / theirs),
            "<= 0.5",
        );
        self.served.git(&["update-ref", &main, &tip]).expect("back");
    }

    /// A branch is thrown back: what nothing leads to any more.
    fn one_force_push(&self, rounds: usize) {
        let (_, path) = self.indexed();
        let main = self.head();
        let tip = self.served.git_line(&["rev-parse", &main]).expect("a tip").trim().to_owned();
        let old = self.served.commit(&main, "BENCH-2 thrown away", &[&tip]).expect("a commit");
        let (before, graph, walked) = self.run(&path);
        graph.append(&walked.new).expect("a writable folder");
        self.served.commit(&main, "BENCH-3 instead", &[&tip]).expect("a commit");
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..rounds.max(3) {
            let (now, graph, walked) = self.run(&path);
            let cancel = AtomicBool::new(false);
            let started = Instant::now();
            let changes = graph.changes(&walked.new, &before.refs, &now.refs, &cancel).expect("a readable graph");
            ours.push(seconds(started.elapsed()));
            assert_eq!(changes.superseded.len(), 1);
            let started = Instant::now();
            let said = self.served.git_line(&["rev-list", &old, "--not", "--all"]).expect("a list");
            theirs.push(seconds(started.elapsed()));
            assert_eq!(said.lines().count(), 1);
        }
        let (ours, theirs) = (median(ours), median(theirs));
        self.table.line(
            &format!("what one force push superseded, {} refs", before.refs.len()),
            &format!("{:.1} ms", ours * 1e3),
            &format!("git rev-list OLD --not --all {:.1} ms", theirs * 1e3),
            &format!("{:.2}", ours / theirs),
            "<= 1",
        );
        self.served.git(&["update-ref", &main, &tip]).expect("back");
    }

    /// What is new in `new`, to git: all refs hidden but the one that names it.
    fn not_all(&self, new: &str, main: &str) -> String {
        let excluded = format!("--exclude={main}");
        self.served
            .git_line(&["rev-list", new, "--not", &excluded, "--glob=refs/*", &format!("{new}^")])
            .expect("a list")
    }

    fn head(&self) -> String {
        self.served.git_line(&["symbolic-ref", "HEAD"]).expect("a default branch").trim().to_owned()
    }
}

fn walk_from(opened: &keytrail::git::OpenedRepository, refs: &RefList, known: &Graph) -> Walked {
    let request = WalkRequest {
        refs,
        known,
        after: None,
        identify: &|email| PersonId::of_keyed_hash(&[email.first().copied().unwrap_or(0); 32]),
        cancel: &AtomicBool::new(false),
        progress: &Progress::default(),
        bounds: Bounds::default(),
    };
    walk(opened, &request, &mut |_| Ok(())).expect("a walk to its end")
}

fn git(folder: &Path, arguments: &[&str]) {
    let said = Command::new("git").current_dir(folder).args(arguments).output().expect("git");
    assert!(said.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&said.stderr));
}

fn program() -> PathBuf {
    let said = Command::new("sh").args(["-c", "command -v git"]).output().expect("a shell");
    String::from_utf8_lossy(&said.stdout).trim().into()
}

#[expect(clippy::disallowed_methods, reason = "a bench has no clock of the server's")]
fn now() -> i128 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is later");
    since.as_nanos() as i128
}
