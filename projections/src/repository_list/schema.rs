//! The tables of the list of repositories.

use crate::view::{History, Kind, Table};

/// One row a repository. No index over the place: it may be longer than an index entry.
pub(super) const REPOSITORIES: Table = Table {
    name: "repository_list",
    columns: &[
        ("repository", Kind::Bytes),
        ("number", Kind::Int),
        ("integration", Kind::Bytes),
        ("name", Kind::Text),
        ("kind", Kind::Text),
        ("location", Kind::Text),
        ("state", Kind::Text),
        ("since", Kind::Int),
        ("last_run", Kind::MaybeBytes),
        ("failure_code", Kind::MaybeText),
        ("failure_text", Kind::MaybeText),
        ("first_indexed_at", Kind::MaybeInt),
        ("indexed_at", Kind::MaybeInt),
        ("indexed_position", Kind::MaybeInt),
        ("counted_from", Kind::Int),
        ("trouble_code", Kind::MaybeText),
        ("trouble_text", Kind::MaybeText),
        ("trouble_since", Kind::MaybeInt),
        ("archived", Kind::Int),
        ("added_position", Kind::Int),
        ("seen_position", Kind::Int),
        ("version", Kind::Int),
        ("position", Kind::Int),
    ],
    key: 1,
    history: History::None,
    indexes: &[
        &["added_position", "repository"],
        &["integration", "added_position", "repository"],
        &["position", "repository"],
    ],
};

/// How each run ended and what it saw, under the number that the repository had. Sums are made when somebody looks: a row says
/// what one fact said, so no fact can count twice, and a new number starts from nothing. So does a run that could not tell what was new.
pub(super) const RUNS: Table = Table {
    name: "repository_list_runs",
    columns: &[
        ("repository", Kind::Bytes),
        ("number", Kind::Int),
        ("run", Kind::Bytes),
        ("commits", Kind::Int),
        ("keyed", Kind::Int),
        ("ended_position", Kind::Int),
        ("outcome", Kind::Text),
    ],
    key: 3,
    history: History::None,
    indexes: &[&["repository", "ended_position", "number", "run"]],
};

/// How each integration has its repositories read: it is the integration's choice and may change, and is that of all of
/// its repositories at once.
pub(super) const READINGS: Table = Table {
    name: "repository_list_readings",
    columns: &[("integration", Kind::Bytes), ("mirrored", Kind::Int)],
    key: 1,
    history: History::None,
    indexes: &[],
};

/// What somebody asked of all repositories of an integration at once, at which position: that they be looked at again, or
/// reset.
pub(super) const REQUESTS: Table = Table {
    name: "repository_list_requests",
    columns: &[
        ("integration", Kind::Bytes),
        ("asked", Kind::Int),
        ("reset", Kind::Int),
        ("asked_at", Kind::Int),
        ("cancelled", Kind::Int),
    ],
    key: 2,
    history: History::None,
    indexes: &[],
};
