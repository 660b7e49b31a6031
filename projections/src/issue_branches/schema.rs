//! The tables of the index of branches.

use crate::{
    numbered,
    view::{FROM, History, Kind, TO, Table},
};

/// Which repository has which number.
pub(super) const REPOSITORIES: Table = numbered::table("branch_repositories");

/// Where each ref points. A busy branch leaves a version for each move; the index goes past them to what is there now.
pub(super) const REFS: Table = Table {
    name: "refs",
    columns: &[("repository_number", Kind::Int), ("name", Kind::Text), ("sha", Kind::Bytes)],
    key: 2,
    history: History::Many,
    indexes: &[&["repository_number", TO, "name", FROM]],
};

/// One row for each issue that the name of a branch of a repository carries.
pub(super) const LINKS: Table = Table {
    name: "issue_branch_links",
    columns: &[("project", Kind::Text), ("issue", Kind::Int), ("repository_number", Kind::Int), ("name", Kind::Text)],
    key: 4,
    history: History::Many,
    indexes: &[],
};
