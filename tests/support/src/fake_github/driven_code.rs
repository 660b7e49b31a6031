//! What tests do to the repositories and pull requests of a GitHub.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::json;

use super::FakeGithub;

/// Who pushes when nobody is named.
const PUSHER: &str = "octo-owner";

impl FakeGithub {
    /// Has git serve the refs and commits of a repository that lies on this machine. Again: as it is by now. Nobody is
    /// told.
    ///
    /// # Panics
    /// When git cannot read it.
    pub fn serve_repository(&self, repository: u64, source: &Path) {
        let folder = self.repository_folder(repository);
        let mut git = Command::new("git");
        git.env("GIT_CONFIG_NOSYSTEM", "1");
        if folder.exists() {
            git.arg("-C").arg(&folder).args(["fetch", "-q", "--prune"]).arg(source).arg("+refs/*:refs/*");
        } else {
            git.args(["clone", "-q", "--mirror"]).arg(source).arg(&folder);
        }
        let done = git.output().expect("git is on PATH");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    /// Where the bare repository lies that git serves; not there before [`Self::serve_repository`].
    pub fn repository_folder(&self, repository: u64) -> PathBuf {
        self.folder.path().join(format!("{repository}.git"))
    }

    /// Pushes everything of a repository that lies on this machine, and tells of what is another way than before.
    ///
    /// # Panics
    /// When git cannot read it.
    pub fn push(&self, repository: u64, source: &Path) {
        let before = self.service.world().tips(repository);
        self.serve_repository(repository, source);
        self.service.world().tell_of_pushes(repository, &before, PUSHER);
    }

    /// Opens a pull request from a branch to another; its number.
    pub fn open_pull(&self, repository: u64, title: &str, head: &str, base: &str, author: &str) -> u64 {
        self.service.world().open_pull(repository, title, head, base, author)
    }

    /// Gives a pull request another title.
    pub fn retitle_pull(&self, repository: u64, number: u64, title: &str) {
        let mut world = self.service.world();
        let before = world.pulls.get(&(repository, number)).map(|pull| pull.title.clone());
        let beside = json!({ "changes": { "title": { "from": before } } });
        world.change_pull(repository, number, "edited", &beside, |pull| title.clone_into(&mut pull.title));
    }

    /// Gives a pull request another text.
    pub fn describe_pull(&self, repository: u64, number: u64, body: &str) {
        let beside = json!({ "changes": { "body": { "from": "" } } });
        let body = Some(body.to_owned());
        self.service.world().change_pull(repository, number, "edited", &beside, |pull| pull.body = body);
    }

    /// Deletes a pull request, as GitHub's own people do. Nobody is told.
    pub fn delete_pull(&self, repository: u64, number: u64) {
        self.service.world().pulls.remove(&(repository, number));
    }

    /// Makes a pull request a draft, or ready.
    pub fn draft_pull(&self, repository: u64, number: u64, draft: bool) {
        let word = if draft { "converted_to_draft" } else { "ready_for_review" };
        self.service.world().change_pull(repository, number, word, &json!({}), |pull| pull.draft = draft);
    }

    /// Closes a pull request, merged or not.
    pub fn close_pull(&self, repository: u64, number: u64, merged: bool) {
        let mut world = self.service.world();
        let now = world.now();
        world.change_pull(repository, number, "closed", &json!({}), |pull| {
            pull.open = false;
            pull.closed_at = Some(now);
            pull.merged_at = merged.then_some(now);
        });
    }

    /// Opens a pull request again.
    pub fn reopen_pull(&self, repository: u64, number: u64) {
        self.service.world().change_pull(repository, number, "reopened", &json!({}), |pull| {
            pull.open = true;
            pull.closed_at = None;
        });
    }

    /// Somebody reviews a pull request: `approved`, `changes_requested` or `commented`.
    pub fn review_pull(&self, repository: u64, number: u64, by: &str, state: &str) {
        self.service.world().review(repository, number, by, state);
    }

    /// The last review of somebody counts no more.
    pub fn dismiss_review(&self, repository: u64, number: u64, by: &str) {
        self.service.world().dismiss(repository, number, by);
    }
}
