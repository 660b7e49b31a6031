//! The tables of pull requests.

use crate::{
    ruled,
    view::{FROM, History, Kind, Table},
};

/// The repositories that are there, by the names and addresses that they have now.
pub(super) const REPOSITORIES: Table = Table {
    name: "pull_request_repositories",
    columns: &[("repository", Kind::Bytes), ("integration", Kind::Bytes), ("name", Kind::Text), ("page", Kind::Text)],
    key: 1,
    history: History::Many,
    indexes: &[],
};

/// How each pull request is.
pub(super) const PULLS: Table = Table {
    name: "pull_requests",
    columns: &[
        ("repository", Kind::Bytes),
        ("number", Kind::Int),
        ("title", Kind::Text),
        ("state", Kind::Text),
        ("draft", Kind::Int),
        ("source", Kind::Text),
        ("target", Kind::Text),
        ("author", Kind::MaybeBytes),
        ("created_at", Kind::Int),
        ("updated_at", Kind::Int),
        ("merged_at", Kind::MaybeInt),
        ("closed_at", Kind::MaybeInt),
        ("deleted_at", Kind::MaybeInt),
    ],
    key: 2,
    history: History::Many,
    indexes: &[],
};

/// One row for each issue that a pull request names. With the time at which it was opened, which orders pages and does not
/// change.
pub(super) const LINKS: Table = Table {
    name: "pull_request_links",
    columns: &[
        ("project", Kind::Text),
        ("issue", Kind::Int),
        ("repository", Kind::Bytes),
        ("number", Kind::Int),
        ("created_at", Kind::Int),
        ("places", Kind::Int),
    ],
    key: 4,
    history: History::Many,
    indexes: &[&["project", "issue", "created_at", "repository", "number", FROM]],
};

/// What was thought of pull requests.
pub(super) const REVIEWS: Table = Table {
    name: "pull_request_reviews",
    columns: &[
        ("repository", Kind::Bytes),
        ("number", Kind::Int),
        ("review", Kind::Int),
        ("reviewer", Kind::MaybeBytes),
        ("verdict", Kind::Text),
        ("reviewed_at", Kind::Int),
    ],
    key: 3,
    history: History::Many,
    indexes: &[],
};

/// Which issues count.
pub(super) const RULES: Table = ruled::table("pull_request_rules");
