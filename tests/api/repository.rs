//! Repositories made for one case, by the program git.

use std::path::Path;
use std::process::Command;

/// Runs git in a folder.
pub(crate) fn git(folder: &Path, args: &[&str]) {
    git_with(folder, args, &[]);
}

/// One more commit, by this author, committed so many seconds after 1970.
pub(crate) fn commit_at(folder: &Path, author: &str, second: i64, message: &str) {
    let date = format!("{second} +0000");
    let args = ["commit", "-q", "--allow-empty", "--author", author, "-m", message];
    git_with(folder, &args, &[("GIT_COMMITTER_DATE", &date), ("GIT_AUTHOR_DATE", &date)]);
}

fn git_with(folder: &Path, args: &[&str], more: &[(&str, &str)]) {
    let output = Command::new("git")
        .args(args)
        .current_dir(folder)
        .env_clear()
        .envs([("PATH", "/usr/local/bin:/usr/bin:/bin"), ("HOME", "/nonexistent"), ("GIT_CONFIG_NOSYSTEM", "1")])
        .envs([("GIT_AUTHOR_NAME", "Ada"), ("GIT_AUTHOR_EMAIL", "ada@example.org")])
        .envs([("GIT_COMMITTER_NAME", "Ada"), ("GIT_COMMITTER_EMAIL", "ada@example.org")])
        .envs(more.iter().copied())
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
