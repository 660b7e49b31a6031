//! The list of repositories as people ask for it: filtered, and in an order of their choice. Looks through the whole
//! table, which has a row a repository; what costs more is looked up for the rows of the page only.

use keytrail_domain::{id::IntegrationId, recorded::Position};

use super::{
    Listed, Repository, RepositoryState,
    reads::{listed, select},
};
use crate::{like, row, value::Value, view::Read, word::words};

/// Which repositories; all of what is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only those that this integration sees.
    pub integration: Option<IntegrationId>,
    /// Only those in this state.
    pub state: Option<RepositoryState>,
    /// Only those that looking at fails, or only the others.
    pub trouble: Option<bool>,
    /// Only those whose name has this in it; the case of ASCII letters does not count.
    pub name: Option<String>,
}

words! {
    /// By what a list of repositories is ordered.
    Sort {
        /// When they were discovered.
        Added = "added",
        /// What people call them, bytewise.
        Name = "name",
        /// The words of their states.
        State = "state",
        /// When a run last completed; those of which none did are the oldest.
        Indexed = "indexed",
        /// The last event that changed anything of them.
        Activity = "activity",
    }
}

/// Where a page ends: what it is ordered by, and the `added_position` of the last row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListPlace {
    /// A number or a text, as the order has it.
    pub key: Value,
    /// The `added_position`.
    pub added_position: Position,
}

impl ListPlace {
    /// The end of a page in this order whose last row is this one.
    pub fn of(sort: Sort, row: &Repository) -> Self {
        let key = match sort {
            Sort::Added => row.added_position.into(),
            Sort::Name => row.name.as_str().into(),
            Sort::State => row.state.into(),
            Sort::Indexed => row.indexed_at.map_or(0, |at| at.0).into(),
            Sort::Activity => row.position.into(),
        };
        Self { key, added_position: row.added_position }
    }
}

macro_rules! ordered {
    ($key:literal, $later:literal, $direction:literal) => {
        select!(
            concat!(
                "(SELECT * FROM repository_list@ r ",
                "WHERE (CAST($4 AS TEXT) IS NULL OR r.state = CAST($4 AS TEXT)) ",
                "AND (CAST($5 AS BIGINT) IS NULL ",
                "OR CASE WHEN r.trouble_code IS NULL AND r.state NOT IN ('failed', 'refused') THEN 0 ELSE 1 END ",
                "= CAST($5 AS BIGINT)) ",
                "AND ($6 = 0 OR r.integration = $7) ",
                "AND (CAST($8 AS TEXT) IS NULL OR LOWER(r.name) LIKE CAST($8 AS TEXT) ESCAPE '!') ",
                "AND ($9 = 0 OR (",
                $key,
                ", r.added_position) ",
                $later,
                " ($1, $2)) ORDER BY ",
                $key,
                $direction,
                ", r.added_position",
                $direction,
                " LIMIT $3)"
            ),
            concat!("ORDER BY ", $key, $direction, ", r.added_position", $direction)
        )
    };
}

macro_rules! both_ways {
    ($key:literal, $is_descending:expr) => {
        if $is_descending { ordered!($key, "<", " DESC") } else { ordered!($key, ">", "") }
    };
}

/// Repositories in this order, from after `after` on; forgotten ones, too.
pub fn listing(
    filter: &Filter,
    sort: Sort,
    is_descending: bool,
    after: Option<&ListPlace>,
    limit: u32,
) -> Read<Listed> {
    let nowhere = match sort {
        Sort::Name | Sort::State => Value::from(""),
        Sort::Added | Sort::Indexed | Sort::Activity => Value::Int(0),
    };
    let (key, added) = after.map_or((nowhere, 0), |after| (after.key.clone(), after.added_position));
    let integration = filter.integration.map_or_else(|| Value::from([].as_slice()), Value::from);
    let args = row![
        key,
        added,
        limit,
        filter.state,
        filter.trouble,
        filter.integration.is_some(),
        integration,
        filter.name.as_deref().map(like::containing),
        after.is_some(),
    ];
    let sql = match sort {
        Sort::Added => both_ways!("r.added_position", is_descending),
        Sort::Name => both_ways!("r.name", is_descending),
        Sort::State => both_ways!("r.state", is_descending),
        Sort::Indexed => both_ways!("COALESCE(r.indexed_at, 0)", is_descending),
        Sort::Activity => both_ways!("r.position", is_descending),
    };
    listed(sql, args)
}
