//! The tables of the index of commits.

use crate::{
    numbered,
    view::{History, Kind, Table},
};

/// Which repository has which number.
pub(super) const REPOSITORIES: Table = numbered::table("issue_repositories");

/// One row for each issue that a commit of a repository names; forks do not overwrite each other. The index is for the
/// summary of one repository: without it every link of the installation would be looked at.
pub(super) const LINKS: Table = Table {
    name: "issue_links",
    columns: &[
        ("project", Kind::Text),
        ("issue", Kind::Int),
        ("repository_number", Kind::Int),
        ("sha", Kind::Bytes),
        ("places", Kind::Int),
        ("extractor", Kind::Int),
    ],
    key: 4,
    history: History::Once,
    indexes: &[&["repository_number", "project", "issue", "sha"]],
};

/// One row for each commit of a repository that has a candidate. Times are whole seconds, as git counts them.
pub(super) const COMMITS: Table = Table {
    name: "issue_commits",
    columns: &[
        ("repository_number", Kind::Int),
        ("sha", Kind::Bytes),
        ("author", Kind::Bytes),
        ("authored_at", Kind::Int),
        ("committed_at", Kind::Int),
        ("subject", Kind::Text),
        ("introduced_by", Kind::Text),
        ("on_default", Kind::Int),
    ],
    key: 2,
    history: History::Once,
    indexes: &[&["sha", "repository_number"]],
};
