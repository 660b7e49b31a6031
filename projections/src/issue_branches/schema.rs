//! The tables of the index of branches.

use crate::{
    numbered, ruled,
    view::{History, Kind, Table},
};

/// Which repository has which number.
pub(super) const REPOSITORIES: Table = numbered::table("branch_repositories");

/// Where each ref points. Each move leaves a version. Listing what is there now looks past them along the primary key: an
/// index that spares this has to hold all columns, and gains less than twice (100,000 refs of ten versions each).
pub(super) const REFS: Table = Table {
    name: "refs",
    columns: &[("repository_number", Kind::Int), ("name", Kind::Text), ("sha", Kind::Bytes)],
    key: 2,
    history: History::Many,
    indexes: &[],
};

/// One row for each issue that the name of a branch of a repository carries.
pub(super) const LINKS: Table = Table {
    name: "issue_branch_links",
    columns: &[("project", Kind::Text), ("issue", Kind::Int), ("repository_number", Kind::Int), ("name", Kind::Text)],
    key: 4,
    history: History::Many,
    indexes: &[],
};

/// Which issues count.
pub(super) const RULES: Table = ruled::table("branch_rules");
