//! What happens to the repositories of the demo while the server looks: a forced push, a branch that is deleted and comes
//! back, a repository that is taken away. Called by the set-up between two looks.

use std::{fs, path::Path};

use keytrail_domain::index_run::batch::CommitSha;

use super::{GONE, STORY, company::PEOPLE, history::story_branch};
use crate::git::composed::{ComposeError, Composed, Files, NewCommit, Signed};

/// Where the forced push happens.
pub const REWRITTEN: &str = "shop/web.git";
/// Where the branch is deleted.
pub const DELETED: &str = "app/mobile.git";

/// A branch that was deleted, and the request that went with it.
pub struct Deleted {
    request: String,
    tip: CommitSha,
}

/// The story's branch is rewritten in one repository and deleted in another, and a third repository is taken away.
/// `now` as it was when they were written.
pub fn rewrite_and_delete(root: &Path, now: i64) -> Result<Deleted, ComposeError> {
    let web = Composed::open(&root.join(REWRITTEN));
    let (main, tip) = (web.target("refs/heads/main")?, web.target(&story_branch())?);
    let (name, email) = PEOPLE[0];
    let by = Signed { name, email, seconds: now - 3_600 };
    let message = format!("{STORY} Let guests check out, in one piece\n\nSquashed before the review.");
    let squashed = NewCommit { by, message: &message, parents: &[main], files: Files::AsIn(tip) };
    let squashed = web.commit(&squashed)?;
    web.point(&story_branch(), Some(squashed))?;
    // The request follows its branch.
    web.point(&last_request(&root.join(REWRITTEN)), Some(squashed))?;
    let path = root.join(DELETED);
    let (mobile, request) = (Composed::open(&path), last_request(&path));
    let deleted = Deleted { tip: mobile.target(&story_branch())?, request };
    mobile.point(&story_branch(), None)?;
    mobile.point(&deleted.request, None)?;
    // It was never there when this fails: the look that follows says so.
    let _ = fs::remove_dir_all(root.join(GONE));
    Ok(deleted)
}

/// The deleted branch comes back, and so do its commits.
pub fn restore(root: &Path, deleted: &Deleted) -> Result<(), ComposeError> {
    let mobile = Composed::open(&root.join(DELETED));
    mobile.point(&deleted.request, Some(deleted.tip))?;
    mobile.point(&story_branch(), Some(deleted.tip))
}

/// The request with the highest number: the story's.
fn last_request(repository: &Path) -> String {
    let entries = fs::read_dir(repository.join("refs/pull")).into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    format!("refs/pull/{}/head", numbers.max().unwrap_or(1))
}
