//! A company that never was, with the histories of its repositories: what `keytrail serve --demo` shows. The same moment
//! gives the same repositories on every machine. Called by the command line; it writes only below the folder it is given.

mod chance;
mod company;
mod history;
mod turn;

use std::path::Path;

pub use self::{
    company::{GONE, REPOSITORIES, STORY, Spec},
    turn::{DELETED, Deleted, REWRITTEN, restore, rewrite_and_delete},
};
use crate::git::composed::ComposeError;

/// Writes every repository below `root`, with histories that end shortly before `now` (seconds since 1970).
pub fn write(root: &Path, now: i64) -> Result<(), ComposeError> {
    // Each is on its own; most of the time is spent on the disk.
    std::thread::scope(|scope| {
        let writing: Vec<_> =
            REPOSITORIES.iter().map(|spec| scope.spawn(move || history::write(root, spec, now))).collect();
        writing.into_iter().try_for_each(|thread| match thread.join() {
            Ok(written) => written,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use keytrail_test_support::repositories::Repository;

    use super::*;

    #[test]
    fn the_same_moment_gives_the_same_repositories() {
        let (one, other) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let now = 1_795_240_800;
        for folder in [&one, &other] {
            write(folder.path(), now).expect("they are written");
            let deleted = rewrite_and_delete(folder.path(), now).expect("it is rewritten");
            restore(folder.path(), &deleted).expect("it is restored");
        }
        for spec in REPOSITORIES {
            let refs = |root: &Path| {
                let git = Repository { path: root.join(spec.path) };
                git.git_line(&["for-each-ref"]).expect("its refs")
            };
            if spec.path != GONE {
                assert_eq!(refs(one.path()), refs(other.path()), "{}", spec.path);
                assert!(refs(one.path()).lines().count() > 8, "{}", refs(one.path()));
            }
        }
    }

    #[test]
    fn histories_are_whole_and_end_before_now() {
        let folder = tempfile::tempdir().expect("a folder");
        let now = 1_795_240_800;
        write(folder.path(), now).expect("they are written");
        let mut authors = BTreeSet::new();
        for spec in REPOSITORIES {
            let git = Repository { path: folder.path().join(spec.path) };
            let problems = git.git_line(&["fsck", "--strict", "--full", "--no-dangling"]).expect("fsck finds nothing");
            assert_eq!(problems, "", "{}", spec.path);
            let log = git.git_line(&["log", "--all", "--format=%ct %an"]).expect("a log");
            for line in log.lines() {
                let (seconds, author) = line.split_once(' ').expect("two words");
                let seconds: i64 = seconds.parse().expect("a number");
                assert!(seconds < now && seconds > now - 560 * 86_400, "{line}");
                authors.insert(author.to_owned());
            }
            let count = |what: &[&str]| git.git_line(what).expect("lines").lines().count();
            assert!(count(&["log", "--merges", "--format=%h", "main"]) > 3, "{}", spec.path);
            assert!(count(&["for-each-ref", "refs/pull"]) > 3 && count(&["tag"]) > 1, "{}", spec.path);
        }
        assert!(authors.len() >= 8, "{authors:?}");
    }
}
