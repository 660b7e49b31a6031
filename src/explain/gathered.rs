//! All that an explanation is made of, looked up once. It judges nothing.

use std::sync::Arc;

use keytrail_domain::{
    id::RepositoryId,
    index_run::batch::{CommitName, CommitSha},
    issue_key::IssueKey,
    ref_selection::RefSelection,
};
use keytrail_projections::{
    Rule,
    issue_branches::{self, IssueBranch},
    issue_commits::{self, Link},
    repository_list::{self, Listed, Repository, RepositoryState},
};

use super::{Question, Unexplained};
use crate::{
    app::App,
    git::CommitText,
    jobs::{Called, LookedUp, commit_called, look_up},
};

/// Repositories that are asked for a commit when none is named.
const MOST_REPOSITORIES: u32 = 1_000;
/// Branches of an issue that are looked at.
const MOST_BRANCHES: u32 = 500;

/// What is at the place where the repository is read.
pub(super) enum There {
    /// The commit is.
    Commit(Box<CommitText>, RefSelection),
    /// It is not, or cannot be told by the beginning of its name.
    Nothing(RefSelection),
    /// The place cannot be read; why.
    Unreadable(String),
}

/// What was looked up.
pub(super) struct Gathered {
    /// Repositories that there are, up to the bound.
    pub(super) repositories: usize,
    /// The one that it is about.
    pub(super) repository: Option<Repository>,
    /// Whether it is read from a copy.
    pub(super) is_copied: bool,
    /// Others that have the commit.
    pub(super) also_in: Vec<RepositoryId>,
    /// The commit, when it is known which.
    pub(super) commit: Option<CommitSha>,
    /// Whether a run has seen it.
    pub(super) is_seen: bool,
    /// The issue, when what was asked for is a key.
    pub(super) issue: Option<IssueKey>,
    /// How they stand to each other.
    pub(super) link: Option<Link>,
    /// What the rules say of the issue.
    pub(super) rule: Option<Rule>,
    /// What can be read of the commit now; not looked at where the index says enough.
    pub(super) there: Option<There>,
    /// A branch of the repository whose name carries the key.
    pub(super) branch: Option<String>,
}

impl Gathered {
    pub(super) async fn gather(app: &Arc<App>, question: &Question) -> Result<Self, Unexplained> {
        let issue: Option<IssueKey> = question.issue.parse().ok();
        let rule = match &issue {
            Some(issue) => app.read(issue_commits::rule_of(issue)).await?.pop(),
            None => None,
        };
        let mut gathered = Self {
            repositories: 0,
            repository: None,
            is_copied: false,
            also_in: Vec::new(),
            commit: None,
            is_seen: false,
            issue,
            link: None,
            rule,
            there: None,
            branch: None,
        };
        gathered.find(app, question).await?;
        if gathered.repository.as_ref().is_some_and(|found| found.state != RepositoryState::Forgotten) {
            gathered.compare(app, question.commit).await?;
        }
        Ok(gathered)
    }

    /// Whether the issue shows the commit.
    pub(super) fn is_shown(&self) -> bool {
        self.link.as_ref().is_some_and(Link::holds) && self.rule == Some(Rule::Counts)
    }

    /// Which repository, and which commit.
    async fn find(&mut self, app: &Arc<App>, question: &Question) -> Result<(), Unexplained> {
        let listed = match question.repository {
            Some(id) => app.read(repository_list::by_id(id)).await?,
            None => live(app).await?,
        };
        self.repositories = listed.len();
        let is_only = listed.len() == 1;
        for found in listed {
            let is_live = found.repository.state != RepositoryState::Forgotten;
            let called =
                if is_live { commit_called(app, &found.repository, question.commit).await? } else { Called::None };
            let commit = match called {
                Called::One(sha) => Some(sha),
                Called::Several(several) => return Err(Unexplained::Ambiguous(several)),
                Called::None => None,
            };
            match (&self.commit, commit) {
                (None, Some(_)) => (self.commit, self.is_seen) = (commit, true),
                (Some(_), Some(_)) => {
                    if commit != self.commit {
                        return Err(Unexplained::Ambiguous(self.commit.into_iter().chain(commit).collect()));
                    }
                    self.also_in.push(found.repository.id);
                    continue;
                }
                (_, None) if is_only => self.commit = question.commit.whole(),
                (_, None) => continue,
            }
            self.is_copied = found.mirrored;
            self.repository = Some(found.repository);
        }
        Ok(())
    }

    /// How the commit and the issue stand to each other there.
    async fn compare(&mut self, app: &Arc<App>, name: CommitName) -> Result<(), Unexplained> {
        let (Some(repository), Some(sha)) = (self.repository.clone(), self.commit.or(name.whole())) else {
            self.there = Some(There::Nothing(RefSelection::default()));
            return Ok(());
        };
        if let Some(issue) = &self.issue {
            self.link = app.read(issue_commits::link_of(issue, repository.id, sha)).await?.pop();
        }
        if self.link.as_ref().is_some_and(|link| link.places.is_some()) {
            return Ok(());
        }
        self.there = Some(match look_up(app, &repository, sha).await {
            Ok(LookedUp { text: Some(text), refs }) => There::Commit(Box::new(text), refs),
            Ok(LookedUp { text: None, refs }) => There::Nothing(refs),
            Err(trouble) => There::Unreadable(trouble.to_string()),
        });
        if let Some(issue) = &self.issue {
            let branches = app.read(issue_branches::branches_of_issue(issue, None, None, MOST_BRANCHES)).await?;
            let of_it = |branch: &IssueBranch| branch.repository == repository.id;
            self.branch = branches.into_iter().find(of_it).map(|branch| branch.name);
        }
        Ok(())
    }
}

/// The repositories that an integration sees, in the order in which they were added.
async fn live(app: &Arc<App>) -> Result<Vec<Listed>, Unexplained> {
    let mut listed = app.read(repository_list::page(None, None, None, MOST_REPOSITORIES)).await?;
    listed.retain(|found| found.repository.state != RepositoryState::Forgotten);
    Ok(listed)
}
