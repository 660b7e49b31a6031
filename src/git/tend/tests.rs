//! A tended mirror has few packs and tips, and every object that it had.

use std::{fs, path::PathBuf, process::Command, sync::atomic::AtomicBool};

use keytrail_domain::index_run::FailureCode;
use keytrail_test_support::repositories::{Repository, Shape, generate};
use tempfile::TempDir;

use super::*;
use crate::git::transport::LocalRepository;
use crate::git::{
    mirror::Filter,
    transport::{FetchProgress, FetchRequest, FetchSource, Verdict, fetch},
};

struct Stage {
    _folder: TempDir,
    source: Repository,
    mirror: Mirror,
    program: GitProgram,
}

impl Stage {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let shape = Shape { commits: 60, files_per_commit: 1, ..Shape::default() };
        let source = generate(&folder.path().join("made.git"), &shape).expect("git fast-import works");
        let mirror = Mirror::open_or_make(&folder.path().join("mirror")).expect("a mirror");
        let found = Command::new("sh").args(["-c", "command -v git"]).output().expect("a shell");
        let path = PathBuf::from(String::from_utf8_lossy(&found.stdout).trim());
        let found = GitProgram::find(&[path]).await.expect("git is installed");
        Self { _folder: folder, source, mirror, program: GitProgram { verdict: Verdict::Good, ..found } }
    }

    fn refs(&self) -> Vec<WantedRef> {
        let lines = self.source.git_line(&["for-each-ref", "--format=%(objectname) %(refname)"]).expect("refs");
        let of_line = |line: &str| {
            let (sha, name) = line.split_once(' ').expect("two words");
            WantedRef { name: name.as_bytes().to_vec(), target: sha.parse().expect("a name") }
        };
        lines.lines().map(of_line).collect()
    }

    async fn fetch(&self, program: Option<&GitProgram>) -> Filter {
        let request = FetchRequest {
            mirror: &self.mirror,
            source: FetchSource::Local(&LocalRepository::InPlace(self.source.path.clone())),
            wanted: &self.refs(),
            program,
            limits: FetchLimits { free_bytes: 0, ..FetchLimits::default() },
            beside: 0,
            progress: &FetchProgress::default(),
            cancel: &AtomicBool::new(false),
        };
        fetch(&request).await.expect("a fetch");
        self.mirror.filled_by().expect("memory").expect("it is filled").0
    }

    /// Pushes and fetches, again and again; every third push throws the one before away.
    async fn push_and_fetch(&self, times: usize, program: Option<&GitProgram>) {
        for number in 0..times {
            let back = if number % 3 == 2 { "refs/heads/main~1" } else { "refs/heads/main" };
            let parent = self.source.git_line(&["rev-parse", back]).expect("a branch");
            self.source.commit("refs/heads/main", &format!("NEW-{number}"), &[&parent]).expect("a commit");
            self.fetch(program).await;
        }
    }

    /// Every object of the mirror, whether a tip leads to it or not.
    fn objects(&self) -> BTreeSet<String> {
        let mirror = Repository { path: self.mirror.path().to_owned() };
        let arguments = ["cat-file", "--batch-all-objects", "--batch-check=%(objectname) %(objecttype)"];
        mirror.git_line(&arguments).expect("objects").lines().map(str::to_owned).collect()
    }

    async fn tend(&self, program: Option<&GitProgram>) -> Result<Tended, GitError> {
        let limits = FetchLimits { free_bytes: 0, ..FetchLimits::default() };
        tend(&self.mirror, &self.refs(), program, &limits, &AtomicBool::new(false)).await
    }
}

#[tokio::test]
async fn packs_are_put_together_and_no_object_is_lost() {
    for filtered in [true, false] {
        let stage = Stage::new().await;
        let program = filtered.then_some(&stage.program);
        let filter = stage.fetch(program).await;
        assert_eq!(filter, if filtered { Filter::Trees } else { Filter::Everything });
        stage.push_and_fetch(20, program).await;
        let (before, tips) = (stage.objects(), stage.mirror.kept().expect("refs").len());
        let tended = stage.tend(Some(&stage.program)).await.expect("git tends");
        assert_eq!((tended.packs_before, tended.packs_after), (21, 1), "{filtered}");
        assert_eq!(stage.objects(), before);
        assert!(tended.tips > 0 && stage.mirror.kept().expect("refs").len() as u64 == tips as u64 - tended.tips);
        assert!(stage.mirror.path().join("objects/info/commit-graph").is_file());
        // What a force push left is still led to, so that no later repack can think otherwise.
        let mirror = Repository { path: stage.mirror.path().to_owned() };
        let reachable = mirror.git_line(&["rev-list", "--all"]).expect("commits").lines().count();
        assert_eq!(reachable, before.iter().filter(|object| object.ends_with(" commit")).count());
        stage.push_and_fetch(1, program).await;
    }
}

#[tokio::test]
async fn leftovers_of_killed_fetches_are_removed_and_few_packs_left_alone() {
    let stage = Stage::new().await;
    stage.fetch(Some(&stage.program)).await;
    for name in ["tmp_pack_x", "pack_git2_x", ".tmp-1-pack-x.pack"] {
        fs::write(stage.mirror.packs().join(name), "torn").expect("a file");
    }
    assert_eq!(Neglect::of(&stage.mirror).expect("a mirror"), Neglect { leftovers: 3, many_packs: false });
    let tended = stage.tend(Some(&stage.program)).await.expect("git tends");
    assert_eq!((tended.leftovers, tended.packs_before, tended.packs_after), (3, 1, 1));
    assert_eq!(Neglect::of(&stage.mirror).expect("a mirror"), Neglect { leftovers: 0, many_packs: false });
}

#[tokio::test]
async fn without_a_good_program_leftovers_are_removed_and_packs_left_alone() {
    let stage = Stage::new().await;
    stage.fetch(None).await;
    let needs = stage.program.version;
    let old = GitProgram { verdict: Verdict::TooOld { needs }, ..stage.program.clone() };
    for program in [None, Some(&old)] {
        fs::write(stage.mirror.packs().join("tmp_pack_x"), "torn").expect("a file");
        let tended = stage.tend(program).await.expect("nothing is wrong");
        assert_eq!(tended, Tended { leftovers: 1, tips: 0, packs_before: 1, packs_after: 1 });
    }
}

#[tokio::test]
async fn nobody_tends_while_somebody_else_does() {
    let stage = Stage::new().await;
    stage.fetch(None).await;
    let lock = stage.mirror.lock().expect("nobody else");
    let error = stage.tend(Some(&stage.program)).await.expect_err("it is locked");
    assert_eq!((error.failure_code(), error.is_transient()), (Some(FailureCode::MirrorBusy), true));
    drop(lock);
    stage.tend(Some(&stage.program)).await.expect("it is free");
}
