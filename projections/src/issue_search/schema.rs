//! The tables of the search.

use crate::{
    numbered, ruled,
    view::{History, Kind, Table},
};

/// Which repository has which number; and under another id, which number its links have.
pub(super) const REPOSITORIES: Table = numbered::table("search_repositories");

/// When only branches carry the key of an issue there is no last commit: before all times that a commit can have.
pub(super) const NO_COMMIT: i64 = -10_000_000_000_000;

/// One row for each issue and repository: when the last commit that names it was committed, in seconds, [`NO_COMMIT`] when
/// only branches carry its key. It knows no decisions: an issue that has any in [`DECISIONS`] has its place from those.
pub(super) const ISSUES: Table = Table {
    name: "search_issues",
    columns: &[("project", Kind::Text), ("issue", Kind::Int), ("repository_number", Kind::Int), ("last_at", Kind::Int)],
    key: 3,
    history: History::None,
    indexes: &[
        &["last_at", "project", "issue", "repository_number"],
        &["project", "last_at", "issue", "repository_number"],
    ],
};

/// The branches that carry the key of an issue. A row of [`ISSUES`] without a commit counts while there is one.
pub(super) const BRANCHES: Table = Table {
    name: "search_branches",
    columns: &[("project", Kind::Text), ("issue", Kind::Int), ("repository_number", Kind::Int), ("name", Kind::Text)],
    key: 4,
    history: History::None,
    indexes: &[],
};

/// What persons decided about a commit of a repository and an issue, while it holds: 1 that it belongs to it, with the time
/// of the commit, 0 that it does not. By the repository's id, so that it outlives a reset. Few issues have any.
pub(super) const DECISIONS: Table = Table {
    name: "search_decisions",
    columns: &[
        ("project", Kind::Text),
        ("issue", Kind::Int),
        ("repository", Kind::Bytes),
        ("sha", Kind::Bytes),
        ("linked", Kind::Int),
        ("committed_at", Kind::Int),
    ],
    key: 4,
    history: History::None,
    indexes: &[],
};

/// From the name of a commit to the issues that it names or was linked to, and to its row of `issue_commits`. The index leads
/// from an issue with decisions to the last of its commits that is left.
pub(super) const COMMITS: Table = Table {
    name: "search_commits",
    columns: &[
        ("sha", Kind::Bytes),
        ("repository_number", Kind::Int),
        ("project", Kind::Text),
        ("issue", Kind::Int),
        ("committed_at", Kind::Int),
    ],
    key: 4,
    history: History::None,
    indexes: &[&["project", "issue", "committed_at", "repository_number", "sha"]],
};

/// Who wrote a commit that names an issue.
pub(super) const AUTHORS: Table = Table {
    name: "search_authors",
    columns: &[
        ("author", Kind::Bytes),
        ("project", Kind::Text),
        ("issue", Kind::Int),
        ("repository_number", Kind::Int),
    ],
    key: 4,
    history: History::None,
    indexes: &[],
};

/// The words of the subjects of commits that name an issue.
pub(super) const WORDS: Table = Table {
    name: "search_words",
    columns: &[("word", Kind::Text), ("project", Kind::Text), ("issue", Kind::Int), ("repository_number", Kind::Int)],
    key: 4,
    history: History::None,
    indexes: &[],
};

/// Which issues count.
pub(super) const RULES: Table = ruled::table("search_rules");
