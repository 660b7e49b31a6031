//! What lies below approved roots stays there at every opening, and no opening waits for a pipe.

use std::{os::unix::fs::symlink, process::Command, sync::Arc};

use super::*;

struct Places {
    folder: tempfile::TempDir,
    roots: Arc<[PathBuf]>,
}

impl Places {
    /// A root with nothing below it, and a repository elsewhere.
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join("root");
        fs::create_dir(&root).expect("a folder");
        Repository::init(&folder.path().join("elsewhere.git"), &["--bare"]).expect("a repository");
        Self { folder, roots: [root].into() }
    }

    fn below(&self, name: &str) -> PathBuf {
        self.roots[0].join(name)
    }

    fn elsewhere(&self, part: &str) -> PathBuf {
        self.folder.path().join("elsewhere.git").join(part)
    }

    fn bare(&self, name: &str) -> PathBuf {
        Repository::init(&self.below(name), &["--bare"]).expect("a repository").path
    }

    fn connection(&self, path: &Path) -> LocalRepository {
        LocalRepository::BelowRoots { path: path.to_owned(), roots: self.roots.clone() }
    }

    /// Refused for this part, in words that do not tell where it leads; the same is read when no root was named.
    fn leads_out(&self, path: &Path, named: &str) {
        let Err(error) = self.connection(path).open() else { panic!("{named} leads out of the root") };
        assert!(matches!(&error, GitError::OutsideRoots { part, .. } if part == named), "{named}: {error}");
        assert_eq!(error.failure_code(), Some(FailureCode::OutsideRoots));
        assert!(!error.to_string().contains("elsewhere"), "{error}");
        assert!(opened(path).is_ok(), "who may read everything may read {named}");
    }
}

fn replace_by_link(target: &Path, link: &Path) {
    if link.is_dir() {
        fs::remove_dir_all(link).expect("a folder");
    } else {
        let _ = fs::remove_file(link);
    }
    symlink(target, link).expect("a link");
}

#[test]
fn no_part_of_a_repository_below_a_root_may_lead_out_of_it() {
    let places = Places::new();
    fs::write(places.elsewhere("packed-refs"), "# pack-refs with: peeled fully-peeled sorted \n").expect("a file");
    for part in ["HEAD", "packed-refs", "refs", "refs/heads", "objects", "objects/pack"] {
        let path = places.bare(&part.replace('/', "-"));
        assert!(places.connection(&path).open().is_ok());
        replace_by_link(&places.elsewhere(part), &path.join(part));
        places.leads_out(&path, part);
    }
    let path = places.bare("deep");
    symlink(places.elsewhere("objects/info"), path.join("objects/ab")).expect("a link");
    places.leads_out(&path, "objects/ab");
    let path = places.bare("loose");
    symlink(places.elsewhere("HEAD"), path.join("refs/heads/x")).expect("a link");
    places.leads_out(&path, "refs/heads/x");
}

#[test]
fn a_root_that_became_a_way_out_is_none() {
    let places = Places::new();
    let path = places.bare("moved");
    fs::rename(&path, places.below("aside")).expect("a folder");
    symlink(places.elsewhere(""), &path).expect("a link");
    places.leads_out(&path, "its folder");
    // And a link to what lies below the root is none of its business.
    let path = places.below("inside");
    symlink(places.below("aside"), &path).expect("a link");
    assert!(places.connection(&path).open().is_ok());
}

#[test]
fn git_files_and_shared_folders_must_lie_below_the_root() {
    let places = Places::new();
    for (name, gitdir) in [("file", "gitdir: "), ("tight", "gitdir:")] {
        let path = places.below(name);
        fs::create_dir(&path).expect("a folder");
        fs::write(path.join(".git"), format!("{gitdir}{}\n", places.elsewhere("").display())).expect("a file");
        places.leads_out(&path, ".git");
    }
    let path = places.below("linked");
    fs::create_dir(&path).expect("a folder");
    symlink(places.elsewhere(""), path.join(".git")).expect("a link");
    places.leads_out(&path, ".git");
    let path = places.bare("common");
    fs::write(path.join("commondir"), places.elsewhere("").as_os_str().as_encoded_bytes()).expect("a file");
    places.leads_out(&path, "commondir");
    // Whether there is something outside is not told, either.
    let path = places.below("nowhere");
    fs::create_dir(&path).expect("a folder");
    fs::write(path.join(".git"), "gitdir: /nowhere/at/all\n").expect("a file");
    let error = places.connection(&path).open().err().expect("it leads nowhere");
    assert!(matches!(error, GitError::OutsideRoots { .. }), "{error}");
}

#[test]
fn objects_may_be_borrowed_below_the_root_only() {
    let places = Places::new();
    places.bare("lender");
    let path = places.bare("borrower");
    let borrow = |from: &str, name: &str| {
        fs::write(path.join("objects/info").join(name), format!("# a comment\n{from}\n")).expect("a file");
    };
    for from in ["../../lender/objects".to_owned(), places.below("lender/objects").display().to_string()] {
        borrow(&from, "alternates");
        assert!(places.connection(&path).open().is_ok(), "{from}");
    }
    let elsewhere = places.elsewhere("objects").display().to_string();
    for from in [elsewhere.as_str(), "../../../elsewhere.git/objects"] {
        borrow(from, "alternates");
        places.leads_out(&path, "objects/info/alternates");
    }
    // Of the lender, too, and by either way to read a relative line.
    borrow("../../lender/objects", "alternates");
    let lender = places.below("lender/objects/info/alternates");
    for from in [elsewhere.as_str(), "../../../elsewhere.git/objects", "../../gone/objects"] {
        fs::write(&lender, from).expect("a file");
        let error = places.connection(&path).open().err().expect("the lender leads out");
        assert!(matches!(error, GitError::OutsideRoots { .. }), "{error}");
    }
    fs::remove_file(&lender).expect("a file");
    assert!(places.connection(&path).open().is_ok());
    borrow("https://example.org/shop.git/objects", "http-alternates");
    places.leads_out(&path, "objects/info/http-alternates");
}

#[test]
fn a_lender_whose_own_lender_would_be_misread_is_refused() {
    let places = Places::new();
    let path = places.bare("borrower");
    for lender in ["other", "beside", "deep/lender", "deep/other"] {
        places.bare(lender);
    }
    let borrows = |from: &Path, line: &str| fs::write(from.join("objects/info/alternates"), line).expect("a file");
    let opened = || [places.connection(&path).open(), opened(&path)].map(|opened| opened.map(|_| ()));
    borrows(&path, "../../deep/lender/objects\n");
    // To git this is the one in the same folder as the lender.
    borrows(&places.below("deep/lender"), "../../other/objects\n");
    for refused in opened() {
        let error = refused.expect_err("other objects would be read");
        assert!(
            matches!(error, GitError::FormatUnsupported { .. }) && error.to_string().contains("alternates"),
            "{error}"
        );
    }
    borrows(&places.below("deep/lender"), places.below("deep/other/objects").to_str().expect("UTF-8"));
    assert!(opened().iter().all(Result::is_ok), "it is written in full");
    borrows(&path, "../../beside/objects\n");
    borrows(&places.below("beside"), "../../other/objects\n");
    assert!(opened().iter().all(Result::is_ok), "it is the same from both");
    let pipe = places.below("other/objects/pack/pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    for refused in opened() {
        let error = refused.expect_err("a reader would wait for whoever writes into it");
        assert!(matches!(error, GitError::NotPlain { .. }), "{error}");
    }
}

#[test]
fn a_lender_that_names_far_too_many_is_refused_by_what_it_is() {
    let places = Places::new();
    places.bare("lender");
    let path = places.bare("borrower");
    fs::write(path.join("objects/info/alternates"), places.below("lender/objects").as_os_str().as_encoded_bytes())
        .expect("a file");
    fs::write(places.below("lender/objects/info/alternates"), "#".repeat(65 << 10)).expect("a file");
    for refused in [places.connection(&path).open(), opened(&path)] {
        let error = refused.err().expect("git makes none like this");
        assert!(matches!(&error, GitError::NotPlain { path: named, .. } if *named == path), "{error}");
        assert!(error.to_string().contains("info/alternates of what it borrows objects from"), "{error}");
    }
}

#[test]
fn a_pipe_or_a_device_is_refused_and_nobody_waits_for_it() {
    let places = Places::new();
    for part in ["HEAD", "config", "commondir", "packed-refs", "shallow", "refs/heads/pipe", "objects/info/alternates"]
    {
        let path = places.bare(&part.replace('/', "-"));
        let _ = fs::remove_file(path.join(part));
        assert!(Command::new("mkfifo").arg(path.join(part)).status().expect("mkfifo runs").success());
        for connection in [places.connection(&path), LocalRepository::InPlace(path.clone())] {
            let error = connection.open().err().expect("nobody writes into it");
            assert!(matches!(&error, GitError::NotPlain { part: named, .. } if named == part), "{part}: {error}");
            assert_eq!(error.failure_code(), Some(FailureCode::NotARepository));
        }
    }
    let path = places.bare("device");
    replace_by_link(Path::new("/dev/zero"), &path.join("config"));
    assert!(matches!(opened(&path), Err(GitError::NotPlain { .. })));
    let path = places.bare("large");
    fs::write(path.join("config"), "#".repeat(5 << 20)).expect("a file");
    assert!(matches!(opened(&path), Err(GitError::NotPlain { .. })));
}

/// As git does when it asks what a repository's format is. The git program that serves a copy would read it.
#[test]
fn what_a_configuration_includes_is_not_read_and_may_not_lead_out() {
    let places = Places::new();
    let path = places.bare("including");
    let (pipe, other) = (path.join("pipe"), path.join("other"));
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    fs::write(&other, "[core]\n\trepositoryformatversion = 1\n[extensions]\n\tobjectFormat = sha256\n")
        .expect("a file");
    let outside = |refused: &GitError| matches!(refused, GitError::OutsideRoots { part, .. } if part == "config");
    let odd = |refused: &GitError| matches!(refused, GitError::NotPlain { part, .. } if part == "config");
    let elsewhere = places.elsewhere("config");
    let home = PathBuf::from("~/config");
    for section in ["include", "includeIf \"gitdir:/\"", "INCLUDE"] {
        let opened = |included: &Path| {
            let config = format!("[{section}]\n\tpath = {}\n[core]\n\tbare = true\n", included.display());
            fs::write(path.join("config"), config).expect("a file");
            places.connection(&path).open().map(|_| ())
        };
        assert!(opened(&other).is_ok(), "{section}");
        assert!(opened(Path::new("other")).is_ok(), "{section}");
        for included in [&elsewhere, &home, &PathBuf::from("../../elsewhere.git/config")] {
            let refused = opened(included).expect_err("it leads out");
            assert!(outside(&refused), "{section} {}: {refused}", included.display());
        }
        for included in [&pipe, &PathBuf::from("/dev/zero")] {
            let refused = opened(included).expect_err("it is no file");
            assert!(odd(&refused), "{section} {}: {refused}", included.display());
        }
    }
}
