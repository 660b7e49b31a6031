//! Why an issue shows a commit, or does not: every step from the repository to the reader, the first one that is in the way
//! named. Asked by a route; it reads, and changes nothing.

mod advice;
mod finding;
mod gathered;
mod judge;

use std::sync::Arc;

use keytrail_domain::{
    access::Role,
    id::RepositoryId,
    index_run::batch::{CommitName, CommitSha},
};

pub use self::finding::{Finding, StepName, StepState};
use self::gathered::Gathered;
use crate::{app::App, views::ViewError};

/// What is asked.
pub struct Question {
    /// Which commit.
    pub commit: CommitName,
    /// Which issue, as a person wrote it: it may be no key.
    pub issue: String,
    /// In which repository, where that is known.
    pub repository: Option<RepositoryId>,
    /// What who asks may do.
    pub role: Role,
}

/// A step, and what was found.
#[derive(Clone, Debug)]
pub struct Step {
    /// What was found.
    pub finding: Finding,
    /// The same for a person. Holds no text of the repository but names of refs and what looks like a key.
    pub sentence: String,
    /// What a person can do about it, where it is in the way: commands can be typed as they stand.
    pub next: Option<String>,
}

/// The answer.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The commit, once it was found.
    pub commit: Option<CommitSha>,
    /// The repository that it is about, by id and name.
    pub repository: Option<(RepositoryId, String)>,
    /// Other repositories that have the commit.
    pub also_in: Vec<RepositoryId>,
    /// Whether the issue shows the commit.
    pub is_shown: bool,
    /// All steps in their order.
    pub steps: Vec<Step>,
}

impl Explanation {
    /// The first step that is in the way; when there is none, the first of which nothing can be told.
    pub fn because(&self) -> Option<&Step> {
        let first = |state| self.steps.iter().find(move |step| step.finding.state() == state);
        if self.is_shown {
            return None;
        }
        first(StepState::Failed).or_else(|| first(StepState::Unknown))
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Unexplained {
    /// Several commits begin with these digits.
    #[error("several commits begin with these digits")]
    Ambiguous(Vec<CommitSha>),
    /// A view cannot be read.
    #[error(transparent)]
    View(#[from] ViewError),
}

/// Explains. Of a commit that names no issue it reads all of a repository's names, or of every one when none is named, for a
/// few at a time: for a person who wonders, not for pages.
pub async fn explain(app: &Arc<App>, question: &Question) -> Result<Explanation, Unexplained> {
    let gathered = Gathered::gather(app, question).await?;
    let steps = judge::steps(question, &gathered);
    Ok(Explanation {
        commit: gathered.commit,
        is_shown: gathered.is_shown(),
        repository: gathered.repository.map(|repository| (repository.id, repository.name)),
        also_in: gathered.also_in,
        steps,
    })
}
