//! All that an explanation is made of, looked up once. It judges nothing.

use std::{collections::BTreeSet, sync::Arc};

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
    issue_search,
    repository_list::{self, Listed, Repository, RepositoryState},
};

use super::{Question, Unexplained};
use crate::{
    app::App,
    git::CommitText,
    jobs::{Called, LookedUp, commit_called_in, look_up},
    views::ViewError,
};

/// Repositories that are gone through for a commit when none is named, and that are told of when they have it.
const MOST_REPOSITORIES: u32 = 1_000;
/// Commits that share a beginning, of which a person is told.
const MOST_TOLD: usize = 5;
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
#[derive(Default)]
pub(super) struct Gathered {
    /// Repositories that were looked at.
    pub(super) repositories: usize,
    /// Whether there are more.
    pub(super) are_more: bool,
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
        let mut gathered = Self { issue, rule, ..Self::default() };
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

    /// Whether the index finds the issue in the commit: what holds where no person decided otherwise.
    pub(super) fn is_named(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.places.is_some())
    }

    /// Which repository, and which commit.
    async fn find(&mut self, app: &Arc<App>, question: &Question) -> Result<(), Unexplained> {
        match question.repository {
            Some(id) => {
                let listed = app.read(repository_list::by_id(id)).await?;
                self.go_through(app, listed, question.commit).await
            }
            None if self.find_indexed(app, question.commit).await? => Ok(()),
            None => {
                let _turn = app.scans.take().await.map_err(ViewError::from)?;
                let mut listed = app.read(repository_list::page(None, None, None, MOST_REPOSITORIES + 1)).await?;
                self.are_more = listed.len() > MOST_REPOSITORIES as usize;
                listed.truncate(MOST_REPOSITORIES as usize);
                listed.retain(|found| found.repository.state != RepositoryState::Forgotten);
                self.go_through(app, listed, question.commit).await
            }
        }
    }

    /// What the search knows: of commits that name an issue it has every repository, and goes through none.
    async fn find_indexed(&mut self, app: &App, name: CommitName) -> Result<bool, Unexplained> {
        let holders = app.read(issue_search::holders_of_commit(name, None, MOST_REPOSITORIES)).await?;
        let Some(first) = holders.first() else { return Ok(false) };
        let shas: BTreeSet<CommitSha> = holders.iter().map(|holder| holder.sha).collect();
        if shas.len() > 1 {
            return Err(Unexplained::Ambiguous(shas.into_iter().take(MOST_TOLD).collect()));
        }
        let Some(listed) = app.read(repository_list::by_id(first.repository)).await?.pop() else { return Ok(false) };
        (self.commit, self.is_seen) = (Some(first.sha), true);
        self.also_in = holders.iter().skip(1).map(|holder| holder.repository).collect();
        (self.repositories, self.is_copied) = (holders.len(), listed.mirrored);
        self.repository = Some(listed.repository);
        Ok(true)
    }

    /// What is remembered of each of these.
    async fn go_through(&mut self, app: &Arc<App>, listed: Vec<Listed>, name: CommitName) -> Result<(), Unexplained> {
        self.repositories = listed.len();
        // Of one that nobody sees any more nothing is told.
        if let [only] = &listed[..]
            && only.repository.state == RepositoryState::Forgotten
        {
            (self.commit, self.is_copied) = (name.whole(), only.mirrored);
            self.repository = Some(only.repository.clone());
            return Ok(());
        }
        let is_only = listed.len() == 1 && !self.are_more;
        let (copied, repositories): (Vec<bool>, Vec<Repository>) =
            listed.into_iter().map(|found| (found.mirrored, found.repository)).unzip();
        let called = commit_called_in(app, &repositories, name).await?;
        for ((repository, is_copied), called) in repositories.into_iter().zip(copied).zip(called) {
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
                    self.also_in.push(repository.id);
                    continue;
                }
                (_, None) if is_only => self.commit = name.whole(),
                (_, None) => continue,
            }
            self.is_copied = is_copied;
            self.repository = Some(repository);
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
        if self.is_named() {
            // A run recorded it, though this node may not remember which commits were seen.
            self.is_seen = true;
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
