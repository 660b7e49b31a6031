//! Repositories made from a seed, by git itself. Called by tests, benches and the demo; the same shape and seed give
//! the same objects and refs on every machine.

mod awkward;
mod grown;
mod random;
mod with_files;

use std::{
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

pub use self::grown::Grown;
use self::random::Random;

/// What a repository is like.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Everything that looks like chance follows from it.
    pub seed: u64,
    /// Commits, awkward ones not counted.
    pub commits: usize,
    /// Branches beside `main`; they name commits of its history.
    pub heads: usize,
    /// Tags; every second one is annotated.
    pub tags: usize,
    /// Pull requests, each with commits that are nowhere else.
    pub pull_requests: usize,
    /// Commits of a pull request, on average.
    pub pull_request_commits: usize,
    /// Of 100 commits of `main`, how many merge a side branch.
    pub merges_percent: u64,
    /// Files that a commit writes; 0 leaves all trees empty, which is fast and small.
    pub files_per_commit: usize,
    /// Of 100 commits, how many have a key in the subject.
    pub keyed_percent: u64,
    /// The keys' projects; the first has most.
    pub projects: Vec<String>,
    /// Whether issue numbers rise along the history, as in life: most commits name one of the newest issues. Otherwise
    /// any commit names any issue.
    pub rising: bool,
    /// Whether there are commits that are hard to read: encodings, broken bytes, huge messages, malformed headers.
    pub awkward: bool,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            seed: 1,
            commits: 500,
            heads: 5,
            tags: 6,
            pull_requests: 20,
            pull_request_commits: 3,
            merges_percent: 10,
            files_per_commit: 0,
            keyed_percent: 35,
            projects: ["DEMO", "CORE", "WEB_UI"].map(String::from).to_vec(),
            rising: false,
            awkward: false,
        }
    }
}

impl Shape {
    /// About what apache/kafka was when it was measured: 103,000 commits, 23,000 refs, a third with keys.
    pub fn kafka_shape() -> Self {
        Self {
            commits: 103_000,
            heads: 70,
            tags: 250,
            pull_requests: 22_680,
            pull_request_commits: 4,
            merges_percent: 2,
            projects: ["KAFKA", "MINOR_FIX", "CONFLUENT"].map(String::from).to_vec(),
            rising: true,
            ..Self::default()
        }
    }
}

/// Makes a bare repository at `path`, which must not be there yet.
pub fn generate(path: &Path, shape: &Shape) -> io::Result<Repository> {
    let repository = Repository::init(path, &["--bare"])?;
    let mut child = repository
        .command(&["fast-import", "--quiet", "--force", "--date-format=raw-permissive"])
        .stdin(Stdio::piped())
        .spawn()?;
    let input = child.stdin.take().ok_or_else(|| io::Error::other("the program has no input"))?;
    let mut stream = Stream {
        out: BufWriter::with_capacity(1 << 20, input),
        random: Random::new(shape.seed),
        shape,
        marks: 0,
        main: Vec::new(),
    };
    let written = stream.write_all();
    drop(stream);
    let status = child.wait()?;
    written?;
    if !status.success() {
        return Err(io::Error::other(format!("git fast-import ended with {status}")));
    }
    if shape.awkward {
        awkward::write_literal_commits(&repository)?;
    }
    repository.git(&["pack-refs", "--all"])?;
    Ok(repository)
}

/// A repository in a folder.
#[derive(Clone, Debug)]
pub struct Repository {
    /// Where it is.
    pub path: PathBuf,
}

impl Repository {
    /// Makes an empty repository whose default branch is `main`.
    pub fn init(path: &Path, options: &[&str]) -> io::Result<Self> {
        let repository = Self { path: path.to_owned() };
        std::fs::create_dir_all(path)?;
        let mut arguments = vec!["init", "--quiet", "--initial-branch=main"];
        arguments.extend(options);
        arguments.push(".");
        repository.git(&arguments)?;
        Ok(repository)
    }

    /// Runs git in it; its output, or an error with what it complained about.
    pub fn git(&self, arguments: &[&str]) -> io::Result<Vec<u8>> {
        self.git_with_input(arguments, b"")
    }

    /// The same, with something to read.
    pub fn git_with_input(&self, arguments: &[&str], input: &[u8]) -> io::Result<Vec<u8>> {
        let mut command = self.command(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input)?;
        }
        let Output { status, stdout, stderr } = child.wait_with_output()?;
        if status.success() {
            return Ok(stdout);
        }
        let complaint = String::from_utf8_lossy(&stderr);
        Err(io::Error::other(format!("git {} ended with {status}: {complaint}", arguments.join(" "))))
    }

    /// The same; the output as a line of text.
    pub fn git_line(&self, arguments: &[&str]) -> io::Result<String> {
        Ok(String::from_utf8_lossy(&self.git(arguments)?).trim_end().to_owned())
    }

    /// Adds a commit with an empty tree and these parents, and points the ref to it; its name.
    pub fn commit(&self, name: &str, message: &str, parents: &[&str]) -> io::Result<String> {
        let tree = self.git_line(&["hash-object", "-t", "tree", "-w", "--stdin"])?;
        let mut arguments = vec!["commit-tree", &tree, "-F", "-"];
        parents.iter().for_each(|parent| arguments.extend(["-p", parent]));
        let sha = String::from_utf8_lossy(&self.git_with_input(&arguments, message.as_bytes())?).trim().to_owned();
        self.git(&["update-ref", name, &sha])?;
        Ok(sha)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        // Nothing of the person or the machine that runs the tests may come in.
        command.arg("-C").arg(&self.path).args(arguments);
        for (name, value) in [
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_AUTHOR_NAME", "A U Thor"),
            ("GIT_AUTHOR_EMAIL", "author@example.org"),
            ("GIT_AUTHOR_DATE", "1600000000 +0000"),
            ("GIT_COMMITTER_NAME", "C O Mitter"),
            ("GIT_COMMITTER_EMAIL", "committer@example.org"),
            ("GIT_COMMITTER_DATE", "1600000000 +0000"),
        ] {
            command.env(name, value);
        }
        for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"] {
            command.env_remove(name);
        }
        command
    }
}

const WORDS: [&str; 24] = [
    "fix",
    "flaky",
    "consumer",
    "rebalance",
    "when",
    "broker",
    "restarts",
    "add",
    "metrics",
    "for",
    "the",
    "log",
    "cleaner",
    "remove",
    "unused",
    "configuration",
    "producer",
    "retries",
    "with",
    "timeouts",
    "improve",
    "test",
    "coverage",
    "docs",
];

/// The branch that commits are made on; it is gone at the end.
const WORKBENCH: &str = "refs/workbench/tip";

struct Stream<'a, W: Write> {
    out: W,
    random: Random,
    shape: &'a Shape,
    marks: usize,
    main: Vec<usize>,
}

impl<W: Write> Stream<'_, W> {
    fn write_all(&mut self) -> io::Result<()> {
        let shape = self.shape;
        let wanted = shape.pull_requests * shape.pull_request_commits;
        let on_main = shape.commits.saturating_sub(wanted).max(shape.commits.div_ceil(8));
        let mut requests = 0;
        while self.marks < shape.commits {
            if self.main.len() < on_main || requests == shape.pull_requests {
                self.main_commit()?;
            }
            // Requests are spread evenly over the life of `main`.
            while requests < shape.pull_requests * self.main.len() / on_main && self.marks < shape.commits {
                requests += 1;
                self.pull_request(requests)?;
            }
        }
        self.refs()?;
        writeln!(self.out, "reset {WORKBENCH}\nfrom {}\n", "0".repeat(40))?;
        self.out.flush()
    }

    fn main_commit(&mut self) -> io::Result<()> {
        let parent = self.main.last().copied();
        let merged = match parent {
            Some(_) if self.random.percent(self.shape.merges_percent) && self.marks + 2 <= self.shape.commits => {
                let base = self.recent_main();
                Some(self.usual_commit(Some(base), None)?)
            }
            _ => None,
        };
        let mark = match self.shape.awkward.then(|| awkward::message(self.main.len())).flatten() {
            Some((encoding, message)) => self.commit(parent, merged, encoding, &message)?,
            None => self.usual_commit(parent, merged)?,
        };
        self.main.push(mark);
        Ok(())
    }

    fn pull_request(&mut self, number: usize) -> io::Result<()> {
        let mut tip = self.recent_main();
        let most = (2 * self.shape.pull_request_commits as u64).saturating_sub(1);
        for _ in 0..1 + self.random.below(most) {
            if self.marks < self.shape.commits {
                tip = self.usual_commit(Some(tip), None)?;
            }
        }
        self.reset(&format!("refs/pull/{number}/head"), tip)
    }

    fn refs(&mut self) -> io::Result<()> {
        let Some(tip) = self.main.last().copied() else { return Ok(()) };
        self.reset("refs/heads/main", tip)?;
        for number in 0..self.shape.heads {
            let at = self.any_main();
            let name = if number % 2 == 0 { format!("release/{number}") } else { self.random_key() + "-topic" };
            self.reset(&format!("refs/heads/{}{number}", name.to_lowercase()), at)?;
        }
        for number in 0..self.shape.tags {
            let at = self.any_main();
            if number % 2 == 0 {
                let tagger = "tagger T Agger <tagger@example.org> 1600000000 +0000";
                writeln!(self.out, "tag v{number}\nfrom :{at}\n{tagger}\ndata 8\nRelease\n")?;
            } else {
                self.reset(&format!("refs/tags/v{number}"), at)?;
            }
        }
        Ok(())
    }

    fn reset(&mut self, name: &str, mark: usize) -> io::Result<()> {
        writeln!(self.out, "reset {name}\nfrom :{mark}\n")
    }

    fn recent_main(&mut self) -> usize {
        let back = self.random.below(self.main.len().min(40) as u64) as usize;
        self.main[self.main.len() - 1 - back]
    }

    fn any_main(&mut self) -> usize {
        let at = self.random.below(self.main.len() as u64) as usize;
        self.main[at]
    }

    fn usual_commit(&mut self, parent: Option<usize>, merged: Option<usize>) -> io::Result<usize> {
        let message = self.message();
        self.commit(parent, merged, None, message.as_bytes())
    }

    fn commit(
        &mut self,
        parent: Option<usize>,
        merged: Option<usize>,
        encoding: Option<&str>,
        message: &[u8],
    ) -> io::Result<usize> {
        self.marks += 1;
        let mark = self.marks;
        if parent.is_none() {
            // Without it the commit would continue whatever stands on the workbench.
            writeln!(self.out, "reset {WORKBENCH}\n")?;
        }
        let person = self.random.below(40 + self.shape.commits as u64 / 100);
        let seconds = 1_200_000_000 + mark * 900;
        writeln!(self.out, "commit {WORKBENCH}\nmark :{mark}")?;
        writeln!(self.out, "author Person {person} <Person.{person}@example.org> {seconds} +0100")?;
        writeln!(self.out, "committer Person {person} <person.{person}@example.org> {} +0100", seconds + 60)?;
        if let Some(encoding) = encoding {
            writeln!(self.out, "encoding {encoding}")?;
        }
        writeln!(self.out, "data {}", message.len())?;
        self.out.write_all(message)?;
        writeln!(self.out)?;
        if let Some(parent) = parent {
            writeln!(self.out, "from :{parent}")?;
        }
        if let Some(merged) = merged {
            writeln!(self.out, "merge :{merged}")?;
        }
        for file in 0..self.shape.files_per_commit {
            let (folder, name) = (self.random.below(16), self.random.below(64));
            let text = format!("{mark} {file}\n");
            writeln!(self.out, "M 100644 inline d{folder}/f{name}\ndata {}\n{text}", text.len())?;
        }
        writeln!(self.out)?;
        Ok(mark)
    }

    fn random_key(&mut self) -> String {
        let projects = &self.shape.projects;
        let at = if self.random.percent(85) { 0 } else { self.random.below(projects.len() as u64) as usize };
        format!("{}-{}", projects[at], 1 + self.random_issue())
    }

    fn random_issue(&mut self) -> u64 {
        if !self.shape.rising {
            return self.random.below(20_000);
        }
        // As many issues for a commit as Apache Kafka has; nine of ten commits name one of the newest, the others any.
        let newest = self.marks as u64 / 6 + 1;
        let back = if self.random.percent(90) { newest.min(400) } else { newest };
        newest - 1 - self.random.below(back)
    }

    fn message(&mut self) -> String {
        let mut message = String::new();
        if self.random.percent(self.shape.keyed_percent) {
            message = self.random_key() + ": ";
        }
        let length = 50 + self.random.below(15) as usize;
        while message.len() < length {
            message.push_str(WORDS[self.random.below(WORDS.len() as u64) as usize]);
            message.push(' ');
        }
        message.truncate(message.trim_end().len());
        message.push('\n');
        if self.random.percent(40) {
            message.push('\n');
            for _ in 0..1 + self.random.below(5) {
                for _ in 0..12 {
                    message.push_str(WORDS[self.random.below(WORDS.len() as u64) as usize]);
                    message.push(' ');
                }
                message.push('\n');
            }
            if self.random.percent(3) {
                message = message + "\nSee also " + &self.random_key() + ".\n";
            }
        }
        message
    }
}
