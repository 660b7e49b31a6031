//! Repositories made for one case, by the program git.

use std::path::Path;
use std::process::Command;

/// Runs git in a folder.
pub(crate) fn git(folder: &Path, args: &[&str]) {
    let output = Command::new("git")
        .args(args)
        .current_dir(folder)
        .env_clear()
        .envs([("PATH", "/usr/local/bin:/usr/bin:/bin"), ("HOME", "/nonexistent"), ("GIT_CONFIG_NOSYSTEM", "1")])
        .envs([("GIT_AUTHOR_NAME", "Ada"), ("GIT_AUTHOR_EMAIL", "ada@example.org")])
        .envs([("GIT_COMMITTER_NAME", "Ada"), ("GIT_COMMITTER_EMAIL", "ada@example.org")])
        .output()
        .expect("git runs");
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// An empty repository at `path`.
pub(crate) fn empty(path: &Path) {
    std::fs::create_dir_all(path).expect("a folder");
    git(path, &["init", "-q", "-b", "main"]);
}

/// A repository at `path` with these messages as commits, the first the oldest.
pub(crate) fn with_commits(path: &Path, messages: &[&str]) {
    empty(path);
    messages.iter().for_each(|message| commit(path, message));
}

/// One more commit.
pub(crate) fn commit(path: &Path, message: &str) {
    git(path, &["commit", "-q", "--allow-empty", "-m", message]);
}
