//! A repository that grows by steps, as people do it and worse: branches, merges of all kinds, forced pushes, deleted
//! and restored refs. Called by tests that follow a history; a seed gives the same steps on every machine.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    io,
    path::Path,
};

use super::{Repository, WORKBENCH, random::Random};

/// Where a ref points: the mark of a commit.
type Mark = usize;

/// The repository, and what its next step needs.
pub struct Grown {
    /// As it is after the last step.
    pub repository: Repository,
    random: Random,
    /// How many commits were ever made; their marks are 1 up to this.
    commits: Mark,
    refs: BTreeMap<String, Mark>,
    /// Refs that were deleted, or were forced away from a commit.
    left: Vec<(String, Mark)>,
    names: usize,
    /// What git is told at the end of the step.
    stream: String,
    moved: BTreeSet<String>,
}

impl Grown {
    /// An empty bare repository at `path`, which must not be there yet.
    pub fn new(path: &Path, seed: u64) -> io::Result<Self> {
        Ok(Self {
            repository: Repository::init(path, &["--bare"])?,
            random: Random::new(seed),
            commits: 0,
            refs: BTreeMap::new(),
            left: Vec::new(),
            names: 0,
            stream: String::new(),
            moved: BTreeSet::new(),
        })
    }

    /// Does a few things to it, or sometimes nothing, with one run of git.
    pub fn step(&mut self) -> io::Result<()> {
        for _ in 0..self.random.below(5) {
            self.happen();
        }
        for name in std::mem::take(&mut self.moved) {
            self.tell(&name);
        }
        if self.stream.is_empty() {
            return Ok(());
        }
        let gone = "0".repeat(40);
        let _ = writeln!(self.stream, "reset {WORKBENCH}\nfrom {gone}\n");
        let stream = std::mem::take(&mut self.stream);
        let marks = self.repository.path.join("grown.marks");
        let (read, write) =
            (format!("--import-marks-if-exists={}", marks.display()), format!("--export-marks={}", marks.display()));
        let arguments = ["-c", "fastimport.unpackLimit=1", "fast-import", "--quiet", "--force", &read, &write];
        self.repository.git_with_input(&arguments, stream.as_bytes()).map(drop)
    }

    fn happen(&mut self) {
        match self.random.below(14) {
            _ if self.commits == 0 => self.grow("refs/heads/main", None),
            0..=3 => {
                let name = self.any_branch();
                let tip = self.refs.get(&name).copied();
                self.grow(&name, tip);
            }
            // From any commit, also from one that nothing leads to any more.
            4 => {
                let (name, from) = (self.fresh("refs/heads/topic-"), self.any_commit());
                self.grow(&name, Some(from));
            }
            5 => {
                let (name, from) = (self.fresh("refs/pull/") + "/head", self.any_commit());
                self.grow(&name, Some(from));
            }
            6 => {
                let (name, other) = (self.any_branch(), self.any_commit());
                self.merge(&name, other);
            }
            7 => self.criss_cross(),
            8 => {
                let (name, to) = (self.any_branch(), self.any_commit());
                self.point(&name, Some(to));
                if self.random.percent(50) {
                    self.grow(&name, Some(to));
                }
            }
            9 | 10 => {
                if let Some(name) = self.any_ref() {
                    self.point(&name, None);
                }
            }
            11 => {
                if !self.left.is_empty() {
                    let at = self.random.below(self.left.len() as u64) as usize;
                    let (name, mark) = self.left.swap_remove(at);
                    self.point(&name, Some(mark));
                }
            }
            12 => {
                let prefix = if self.random.percent(50) { "refs/tags/light-" } else { "refs/tags/noted-" };
                let (name, at) = (self.fresh(prefix), self.any_commit());
                self.point(&name, Some(at));
            }
            _ => {
                let name = self.fresh("refs/heads/root-");
                self.grow(&name, None);
            }
        }
    }

    /// Adds one commit or a few to a ref.
    fn grow(&mut self, name: &str, mut tip: Option<Mark>) {
        for _ in 0..1 + self.random.below(4) {
            tip = Some(self.commit(tip, &[]));
        }
        self.point(name, tip);
    }

    fn merge(&mut self, name: &str, other: Mark) {
        let Some(tip) = self.refs.get(name).copied() else { return self.point(name, Some(other)) };
        if tip != other {
            let third = self.any_commit();
            let octopus = third != tip && third != other && self.random.percent(20);
            let merged = if octopus { vec![other, third] } else { vec![other] };
            let merge = self.commit(Some(tip), &merged);
            self.point(name, Some(merge));
        }
    }

    /// Two branches merge each other, a few times.
    fn criss_cross(&mut self) {
        let (one, other) = (self.any_branch(), self.any_branch());
        for _ in 0..1 + self.random.below(3) {
            let (Some(left), Some(right)) = (self.refs.get(&one).copied(), self.refs.get(&other).copied()) else {
                return;
            };
            if left == right {
                return;
            }
            let (a, b) = (self.commit(Some(left), &[right]), self.commit(Some(right), &[left]));
            self.point(&one, Some(a));
            self.point(&other, Some(b));
        }
    }

    fn commit(&mut self, parent: Option<Mark>, merged: &[Mark]) -> Mark {
        self.commits += 1;
        let mark = self.commits;
        let keyed = if self.random.percent(40) { format!("GROWN-{mark} ") } else { String::new() };
        let message = format!("{keyed}commit {mark}\n");
        // Clocks are wrong in real histories: a child may be older than its parent.
        let seconds = 1_500_000_000 + self.random.below(1_000_000);
        let who = format!("G Rower <grower@example.org> {seconds} +0000");
        // Without it a root would continue whatever stands on the workbench.
        let _ = writeln!(self.stream, "reset {WORKBENCH}\n");
        let _ = writeln!(self.stream, "commit {WORKBENCH}\nmark :{mark}\nauthor {who}\ncommitter {who}");
        let _ = writeln!(self.stream, "data {}\n{message}", message.len());
        if let Some(parent) = parent {
            let _ = writeln!(self.stream, "from :{parent}");
        }
        for merged in merged {
            let _ = writeln!(self.stream, "merge :{merged}");
        }
        self.stream.push_str("deleteall\n\n");
        mark
    }

    fn point(&mut self, name: &str, to: Option<Mark>) {
        let before = match to {
            Some(mark) => self.refs.insert(name.to_owned(), mark),
            None => self.refs.remove(name),
        };
        self.left.extend(before.map(|mark| (name.to_owned(), mark)));
        self.moved.insert(name.to_owned());
    }

    /// Tells git where a ref points now.
    fn tell(&mut self, name: &str) {
        let noted = name.strip_prefix("refs/tags/").filter(|tag| tag.starts_with("noted-"));
        let _ = match (self.refs.get(name), noted) {
            (Some(mark), Some(tag)) => {
                let tagger = "tagger T Agger <tagger@example.org> 1600000000 +0000";
                writeln!(self.stream, "tag {tag}\nfrom :{mark}\n{tagger}\ndata 8\nRelease\n")
            }
            (Some(mark), None) => writeln!(self.stream, "reset {name}\nfrom :{mark}\n"),
            (None, _) => writeln!(self.stream, "reset {name}\nfrom {}\n", "0".repeat(40)),
        };
    }

    fn fresh(&mut self, prefix: &str) -> String {
        self.names += 1;
        format!("{prefix}{}", self.names)
    }

    fn any_commit(&mut self) -> Mark {
        1 + self.random.below(self.commits as u64) as Mark
    }

    fn any_ref(&mut self) -> Option<String> {
        let at = self.random.below(self.refs.len() as u64) as usize;
        self.refs.keys().nth(at).cloned()
    }

    fn any_branch(&mut self) -> String {
        let branches: Vec<_> = self.refs.keys().filter(|name| name.starts_with("refs/heads/")).collect();
        let at = self.random.below(branches.len() as u64) as usize;
        branches.get(at).map_or_else(|| "refs/heads/main".to_owned(), |name| (*name).clone())
    }
}
