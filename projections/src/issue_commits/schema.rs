//! The tables of the index of commits.

use crate::{
    numbered, ruled,
    view::{History, Kind, Table},
};

/// Which repository has which number.
pub(super) const REPOSITORIES: Table = numbered::table("issue_repositories");

/// One row for each issue that a commit of a repository names, with all that is shown of the commit: an issue's page is
/// one stretch of this table, read backwards, and nearly every commit names one issue. Forks do not overwrite each
/// other. Times are whole seconds, as git counts them. The index is for the summary of one repository: without it every
/// commit of the installation would be looked at.
pub(super) const COMMITS: Table = Table {
    name: "issue_commits",
    columns: &[
        ("project", Kind::Text),
        ("issue", Kind::Int),
        ("committed_at", Kind::Int),
        ("repository_number", Kind::Int),
        ("sha", Kind::Bytes),
        ("places", Kind::Int),
        ("extractor", Kind::Int),
        ("author", Kind::Bytes),
        ("authored_at", Kind::Int),
        ("subject", Kind::Text),
        ("introduced_by", Kind::Text),
        ("on_default", Kind::Int),
    ],
    key: 5,
    history: History::Once,
    indexes: &[&["repository_number", "project", "issue", "committed_at", "sha"]],
};

/// Commits that no ref leads to any more, as long as that is so; with issue keys or without.
pub(super) const SUPERSEDED: Table = Table {
    name: "superseded_commits",
    columns: &[("repository_number", Kind::Int), ("sha", Kind::Bytes)],
    key: 2,
    history: History::Many,
    indexes: &[],
};

/// Which issues count.
pub(super) const RULES: Table = ruled::table("issue_rules");

/// What persons decided about a commit of a repository and an issue, with what is shown of a commit that was linked: it
/// may be nowhere else. By repository and not by its number, so that a decision outlives a reset. Few issues have any.
pub(super) const DECISIONS: Table = Table {
    name: "commit_decisions",
    columns: &[
        ("project", Kind::Text),
        ("issue", Kind::Int),
        ("repository", Kind::Bytes),
        ("sha", Kind::Bytes),
        ("state", Kind::Text),
        ("committed_at", Kind::Int),
        ("authored_at", Kind::Int),
        ("author", Kind::MaybeBytes),
        ("subject", Kind::Text),
        ("introduced_by", Kind::MaybeText),
        ("on_default", Kind::Int),
        ("actor", Kind::Text),
        ("decided_at", Kind::Int),
        ("version", Kind::Int),
    ],
    key: 4,
    history: History::Many,
    indexes: &[],
};
