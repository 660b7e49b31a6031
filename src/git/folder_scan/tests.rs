//! What is found, what is refused with which word, and what is never called absent.

use std::os::unix::fs::{PermissionsExt, chown, symlink};

use keytrail_test_support::repositories::Repository;

use super::*;

/// Long after whatever a test wrote: what git left behind counts as left behind.
const LATER: i128 = 4_000_000_000 * 1_000_000_000;

struct Tracked {
    folder: tempfile::TempDir,
    root: PathBuf,
}

impl Tracked {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let root = fs::canonicalize(folder.path()).expect("it is there").join("root");
        fs::create_dir(&root).expect("a folder");
        Self { folder, root }
    }

    /// A repository with a commit.
    fn make(&self, name: &str, options: &[&str]) -> Repository {
        let repository = Repository::init(&self.root.join(name), options).expect("a repository");
        repository.commit("refs/heads/main", "KEY-1", &[]).expect("a commit");
        repository
    }

    fn bare(&self, name: &str) -> Repository {
        self.make(name, &["--bare"])
    }

    fn outside(&self, name: &str) -> Repository {
        let path = self.folder.path().join("outside").join(name);
        Repository::init(&path, &["--bare"]).expect("a repository")
    }

    fn scan(&self, depth: u8) -> Scanned {
        self.bounded(depth, ScanBounds::default())
    }

    fn bounded(&self, depth: u8, bounds: ScanBounds) -> Scanned {
        let depth = ScanDepth::new(depth).expect("a depth");
        scan(&self.root, depth, bounds, LATER, &ScanWatch::default()).expect("a folder")
    }

    fn below<'a>(&self, path: &'a Path) -> &'a str {
        path.strip_prefix(&self.root).expect("below the root").to_str().expect("a plain path")
    }

    /// Paths and names of what was found.
    fn found<'a>(&self, scanned: &'a Scanned) -> Vec<(&'a str, &'a str)> {
        scanned.found.iter().map(|found| (self.below(&found.path), found.name.as_str())).collect()
    }

    fn refused<'a>(&self, scanned: &'a Scanned) -> Vec<(&'a str, &'static str)> {
        scanned.refused.iter().map(|refused| (self.below(&refused.path), refused.reason.code())).collect()
    }
}

#[test]
fn bare_repositories_and_working_trees_are_found_in_one_order_down_to_the_depth() {
    let tracked = Tracked::new();
    tracked.bare("b.git");
    tracked.bare("group/sub/c.git");
    tracked.bare("group/c");
    tracked.make("a", &[]);
    tracked.bare("B.git");
    tracked.bare("group/sub/deep/er/d.git");
    fs::write(tracked.root.join("HEAD"), "no repository").expect("a file");
    fs::create_dir(tracked.root.join("docs")).expect("a folder");
    let one = [("B.git", "B"), ("a", "a"), ("b.git", "b")];
    let scanned = tracked.scan(1);
    assert_eq!(tracked.found(&scanned), one);
    assert!(scanned.found.iter().all(|found| found.state == FoundState::Ready));
    assert!(scanned.refused.is_empty() && scanned.cut.is_none());
    let three = [&one[..], &[("group/c", "group/c"), ("group/sub/c.git", "group/sub/c")]].concat();
    assert_eq!(tracked.found(&tracked.scan(3)), three);
    assert_eq!(tracked.scan(5).found.len(), 6);
    assert_eq!(tracked.scan(5), tracked.scan(5));
    assert_eq!((ScanDepth::new(0), ScanDepth::new(6)), (None, None));
    // By a link to the tracked folder the same is found.
    let link = tracked.folder.path().join("link");
    symlink(&tracked.root, &link).expect("a link");
    let depth = ScanDepth::new(3).expect("a depth");
    let by_link = scan(&link, depth, ScanBounds::default(), LATER, &ScanWatch::default());
    assert_eq!(by_link.expect("a folder"), tracked.scan(3));
}

#[test]
fn nothing_is_looked_for_inside_a_repository_or_a_hidden_folder() {
    let tracked = Tracked::new();
    let outer = tracked.make("outer", &[]);
    tracked.bare("outer/inner.git");
    tracked.bare(".snapshot/hourly/outer.git");
    tracked.bare(".dotfiles");
    // Linked working trees and submodules belong to others.
    let linked = tracked.root.join("linked");
    let path = linked.to_str().expect("a plain path");
    outer.git(&["worktree", "add", "--quiet", "-b", "side", path, "main"]).expect("a working tree");
    assert!(linked.join(".git").is_file());
    tracked.bare("linked/below.git");
    assert_eq!(tracked.found(&tracked.scan(5)), [(".dotfiles", ".dotfiles"), ("outer", "outer")]);
}

#[test]
fn gitlab_tells_its_names_and_wikis_are_named_so() {
    let tracked = Tracked::new();
    let hashed = |name: &str| format!("@hashed/ab/cd/{name}");
    let project = tracked.bare(&hashed("abcd1.git"));
    project.git(&["config", "gitlab.fullpath", "shop/web front"]).expect("a name");
    let wiki = tracked.bare(&hashed("abcd1.wiki.git"));
    wiki.git(&["config", "gitlab.fullpath", "shop/web front"]).expect("a name");
    let nameless = tracked.bare(&hashed("abcd2.git"));
    nameless.git(&["config", "gitlab.fullpath", ""]).expect("a name");
    let hostile = tracked.bare(&hashed("abcd3.git"));
    hostile.git(&["config", "gitlab.fullpath", "a\u{1b}[31m\u{202e}b"]).expect("a name");
    tracked.bare("plain.wiki.git");
    let scanned = tracked.scan(4);
    let names: Vec<_> = tracked.found(&scanned).into_iter().map(|(_, name)| name).collect();
    assert_eq!(names[..3], ["shop/web front", "shop/web front.wiki", "@hashed/ab/cd/abcd2"]);
    assert!(!names[3].chars().any(char::is_control), "{:?}", names[3]);
    assert_eq!(names[4], "plain.wiki");
    assert_eq!(tracked.scan(3).found.len(), 1, "the hashed storage lies deeper");
}

#[test]
fn links_do_not_lead_out_and_find_nothing_twice() {
    let tracked = Tracked::new();
    tracked.bare("a.git");
    tracked.bare("deep/er/down/b.git");
    let outside = tracked.outside("secret.git");
    let link = |to: &Path, name: &str| symlink(to, tracked.root.join(name)).expect("a link");
    link(&tracked.root.join("a.git"), "again.git");
    link(&tracked.root.join("a.git/refs"), "part");
    link(&tracked.root.join("deep/er/down/b.git"), "b.git");
    link(&tracked.root, "round");
    link(&tracked.root.join("deep"), "folder");
    link(&outside.path, "out.git");
    link(outside.path.parent().expect("a folder"), "out");
    link(&outside.path.join("config"), "file");
    link(Path::new("nowhere"), "dangling");
    let scanned = tracked.scan(1);
    // What lies deeper is found by the link that leads to it, under its own path.
    assert_eq!(tracked.found(&scanned), [("a.git", "a"), ("deep/er/down/b.git", "deep/er/down/b")]);
    assert_eq!(tracked.refused(&scanned), [("out", "outside_root"), ("out.git", "outside_root")]);
    assert!(scanned.refused.iter().all(|refused| !refused.sentence.contains("outside/")), "{:?}", scanned.refused);
    assert_eq!(tracked.scan(5).found, scanned.found);
}

#[test]
fn what_leads_out_or_cannot_be_indexed_is_refused_with_its_reason() {
    let tracked = Tracked::new();
    let outside = tracked.outside("lender.git");
    let borrower = tracked.bare("borrower.git");
    let alternates = format!("{}\n", outside.path.join("objects").display());
    fs::write(borrower.path.join("objects/info/alternates"), alternates).expect("a file");
    let linked = tracked.bare("linked.git");
    fs::remove_dir_all(linked.path.join("refs")).expect("a folder");
    symlink(outside.path.join("refs"), linked.path.join("refs")).expect("a link");
    fs::create_dir(tracked.root.join("pointing")).expect("a folder");
    symlink(&outside.path, tracked.root.join("pointing/.git")).expect("a link");
    Repository::init(&tracked.root.join("sha256.git"), &["--bare", "--object-format=sha256"]).expect("a repository");
    let reftable = tracked.root.join("reftable.git");
    fs::create_dir_all(reftable.join("reftable")).expect("a folder");
    for folder in ["objects", "refs"] {
        fs::create_dir(reftable.join(folder)).expect("a folder");
    }
    fs::write(reftable.join("HEAD"), "ref: refs/heads/.invalid\n").expect("a file");
    let config = "[core]\n\trepositoryformatversion = 1\n[extensions]\n\trefStorage = reftable\n";
    fs::write(reftable.join("config"), config).expect("a file");
    let deep = tracked.bare("whole.git");
    let main = deep.git_line(&["rev-parse", "refs/heads/main"]).expect("a branch");
    deep.commit("refs/heads/main", "KEY-2", &[&main]).expect("a commit");
    let (source, target) = (format!("file://{}", deep.path.display()), tracked.root.join("shallow.git"));
    let target = target.to_str().expect("a plain path");
    deep.git(&["clone", "--quiet", "--bare", "--depth=1", &source, target]).expect("a clone");
    let pipe = tracked.bare("pipe.git");
    fs::remove_file(pipe.path.join("HEAD")).expect("a file");
    let made = std::process::Command::new("mkfifo").arg(pipe.path.join("HEAD")).status().expect("mkfifo runs");
    assert!(made.success());
    tracked.bare("line\nend.git");

    let scanned = tracked.scan(2);
    let expected = [
        ("borrower.git", "outside_root"),
        ("line\nend.git", "path_invalid"),
        ("linked.git", "outside_root"),
        ("pipe.git", "not_a_repository"),
        ("pointing", "outside_root"),
        ("reftable.git", "format_unsupported"),
        ("sha256.git", "sha256_unsupported"),
        ("shallow.git", "shallow"),
    ];
    assert_eq!(tracked.refused(&scanned), expected);
    assert_eq!(tracked.found(&scanned), [("whole.git", "whole")]);
    let sentence = &scanned.refused[0].sentence;
    assert!(sentence.contains("objects/info/alternates") && !sentence.contains("lender"), "{sentence}");
    assert!(!scanned.refused[1].sentence.contains('\n'), "{}", scanned.refused[1].sentence);
    assert!(!scanned.refused.iter().any(|refused| scanned.shows_absent(&refused.path)));
}

#[test]
fn a_repository_that_is_being_made_is_told_apart() {
    let tracked = Tracked::new();
    tracked.bare("ready.git");
    let packed = tracked.bare("packed.git");
    packed.git(&["pack-refs", "--all"]).expect("packed refs");
    // HEAD leads to nothing, as with another default branch, but there is something to index.
    tracked.bare("other.git").git(&["symbolic-ref", "HEAD", "refs/heads/absent"]).expect("another HEAD");
    let detached = tracked.bare("detached.git");
    let sha = detached.git_line(&["rev-parse", "refs/heads/main"]).expect("a branch");
    fs::write(detached.path.join("HEAD"), format!("{sha}\n")).expect("a file");
    Repository::init(&tracked.root.join("empty.git"), &["--bare"]).expect("a repository");
    let fetching = tracked.bare("fetching.git");
    fs::write(fetching.path.join("objects/pack/tmp_pack_x1"), "PACK").expect("a file");
    let locked = tracked.make("locked", &[]);
    fs::write(locked.path.join(".git/packed-refs.lock"), "").expect("a file");

    let state = |scanned: &Scanned| -> Vec<(String, String)> {
        let reason = |found: &FoundRepository| match &found.state {
            FoundState::Ready => "ready".to_owned(),
            FoundState::BeingCloned { reason } => reason.clone(),
        };
        scanned.found.iter().map(|found| (found.name.to_string(), reason(found))).collect()
    };
    let empty = "it has no branch and no tag yet; it is empty, or being cloned";
    let lines = |fetching: &str, locked: &str| {
        let all = [
            ("detached", "ready"),
            ("empty", empty),
            ("fetching", fetching),
            ("locked", locked),
            ("other", "ready"),
            ("packed", "ready"),
            ("ready", "ready"),
        ];
        all.map(|(name, state)| (name.to_owned(), state.to_owned())).to_vec()
    };
    // An hour later it is what was left behind when git was killed.
    assert_eq!(state(&tracked.scan(1)), lines("ready", "ready"));
    let written = i128::from(fs::metadata(locked.path.join(".git/packed-refs.lock")).expect("a file").mtime());
    let just_now = (written + 60) * 1_000_000_000;
    let depth = ScanDepth::default();
    let scanned = scan(&tracked.root, depth, ScanBounds::default(), just_now, &ScanWatch::default());
    let writing = |file: &str| format!("git is writing into it ({file} is there)");
    let expected = lines(&writing("tmp_pack_x1"), &writing("packed-refs.lock"));
    assert_eq!(state(&scanned.expect("a folder")), expected);
}

/// A share that is not mounted looks like nothing, or like an empty folder.
#[test]
fn what_cannot_be_seen_is_not_called_absent() {
    let tracked = Tracked::new();
    tracked.bare("a.git");
    let known = tracked.bare("team/b.git").path;
    let mounted = tracked.bare("alone.git").path;
    let all = tracked.scan(2);
    assert_eq!(all.found.len(), 3);
    assert!(all.found.iter().all(|found| !all.shows_absent(&found.path)));
    assert!(all.shows_absent(&tracked.root.join("gone.git")));
    assert!(all.shows_absent(&tracked.root.join("team/gone.git")));
    for elsewhere in ["a/b/c.git", ".hidden/b.git", "", "../root-beside/a.git"] {
        let path = tracked.root.join(elsewhere);
        assert!(!all.covers(&path) && !all.shows_absent(&path), "{elsewhere}");
    }

    for share in [&known, &mounted] {
        let contents = tracked.folder.path().join("unmounted");
        fs::rename(share, &contents).expect("a folder");
        fs::create_dir(share).expect("a folder");
        let unmounted = tracked.scan(2);
        assert!(unmounted.found.len() == 2 && !unmounted.shows_absent(share));
        assert!(!tracked.scan(1).shows_absent(share));
        fs::remove_dir(share).expect("it is empty");
        fs::create_dir_all(tracked.root.join("team/more")).expect("a folder");
        assert!(tracked.scan(2).shows_absent(share), "it was taken away");
        fs::rename(&contents, share).expect("a folder");
    }
    let aside = tracked.folder.path().join("aside");
    fs::rename(&tracked.root, &aside).expect("a folder");
    let gone = |root: &Path| {
        scan(root, ScanDepth::default(), ScanBounds::default(), LATER, &ScanWatch::default()).expect_err("not there")
    };
    let error = gone(&tracked.root);
    assert!(matches!(error, GitError::FolderAbsent { .. }) && error.is_transient(), "{error}");
    fs::create_dir(&tracked.root).expect("a folder");
    let empty = tracked.scan(2);
    assert!(empty.found.is_empty() && !empty.shows_absent(&known) && !empty.shows_absent(&mounted));
    fs::remove_dir(&tracked.root).expect("it is empty");
    fs::write(&tracked.root, "a file").expect("a file");
    assert!(matches!(gone(&tracked.root), GitError::FolderAbsent { .. }));
}

#[test]
fn a_bound_cuts_a_scan_and_is_told() {
    let tracked = Tracked::new();
    for name in ["a.git", "b.git", "c.git", "folder/d.git"] {
        tracked.bare(name);
    }
    let outside = tracked.outside("o.git");
    for name in ["x", "y", "z"] {
        symlink(&outside.path, tracked.root.join(name)).expect("a link");
    }
    let bounds = |max_entries, max_repositories| ScanBounds { max_entries, max_repositories };
    let cut = |bounds| {
        let scanned = tracked.bounded(2, bounds);
        assert_eq!(scanned, tracked.bounded(2, bounds));
        assert!(!scanned.shows_absent(&tracked.root.join("gone.git")) || scanned.cut.is_none());
        (scanned.cut, scanned.found.len(), scanned.refused.len())
    };
    assert_eq!(cut(bounds(8, 4)), (None, 4, 3));
    assert_eq!(cut(bounds(7, 4)), (Some(Cut::Entries), 3, 0));
    assert_eq!(cut(bounds(3, 4)).0, Some(Cut::Entries));
    assert_eq!(cut(bounds(100, 3)), (Some(Cut::Repositories), 3, 0));
    fs::remove_dir_all(tracked.root.join("folder")).expect("a folder");
    fs::remove_dir_all(tracked.root.join("a.git")).expect("a folder");
    assert_eq!(cut(bounds(100, 2)), (Some(Cut::Refusals), 2, 2));
    let watch = ScanWatch { cancel: AtomicBool::new(true), ..ScanWatch::default() };
    let stopped = scan(&tracked.root, ScanDepth::default(), bounds(8, 8), LATER, &watch);
    assert!(matches!(stopped, Err(GitError::Cancelled)));
}

#[test]
fn a_tracked_folder_that_is_a_repository_does_not_hide_those_in_it() {
    let tracked = Tracked::new();
    tracked.bare("a.git");
    Repository::init(&tracked.root, &[]).expect("a repository");
    let scanned = tracked.scan(1);
    assert_eq!(tracked.found(&scanned), [("a.git", "a")]);
    assert_eq!(tracked.refused(&scanned), [("", "root_is_repository")]);
    assert!(scanned.shows_absent(&tracked.root.join("gone.git")));
}

/// Needs root, which may give a folder away; says so when it is not.
#[test]
fn a_repository_of_another_owner_is_refused() {
    let tracked = Tracked::new();
    let theirs = tracked.bare("theirs.git");
    tracked.bare("ours.git");
    if chown(&theirs.path, Some(12_345), None).is_err() {
        println!("ran without the change of owner: the test does not run as root");
        return;
    }
    let scanned = tracked.scan(1);
    assert_eq!(tracked.refused(&scanned), [("theirs.git", "denied")]);
    assert!(scanned.refused[0].sentence.contains("belongs to another user"));
    assert_eq!(tracked.found(&scanned), [("ours.git", "ours")]);
}

/// Root may enter every folder: as root this runs as far as it can, and says so.
#[test]
fn a_folder_that_may_not_be_entered_is_told_and_hides_nothing_else() {
    let tracked = Tracked::new();
    let locked = tracked.bare("locked/a.git").path;
    tracked.bare("open/b.git");
    for mode in [0o000, 0o400] {
        fs::set_permissions(tracked.root.join("locked"), fs::Permissions::from_mode(mode)).expect("it is ours");
        if fs::metadata(&locked).is_ok() {
            println!("ran without a folder that may not be entered: the test runs as root");
            return;
        }
        for depth in [1, 2] {
            let scanned = tracked.scan(depth);
            assert_eq!(tracked.refused(&scanned), [("locked", "denied")]);
            assert!(!scanned.shows_absent(&locked));
            assert_eq!(scanned.found.len(), usize::from(depth == 2));
        }
        fs::set_permissions(tracked.root.join("locked"), fs::Permissions::from_mode(0o700)).expect("it is ours");
    }
}
