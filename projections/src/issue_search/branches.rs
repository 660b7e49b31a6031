//! Branches lead to the issues whose keys they carry, also where no commit does. Called by the fold of the view.
//!
//! An issue's row outlives its branches, since nothing is counted here; it is found while a branch is there. What a branch
//! is called by a later grammar is not known here: whoever shows what was found asks `issue_branches`.

use keytrail_domain::{
    index_run::batch::{RefBatch, RefMove},
    recorded::Position,
};

use super::{
    key, lasts,
    schema::{BRANCHES, ISSUES, NO_COMMIT},
};
use crate::{
    row,
    rows::{Keys, Rows},
    value::Row,
};

/// Asks for the issues and the branches that the batch is about.
pub(super) fn keys(batch: &RefBatch, keys: &mut Keys) {
    for moved in &batch.refs {
        for (issue, branch) in rows_of(batch.number, moved) {
            keys.add(&ISSUES, issue);
            keys.add(&BRANCHES, branch);
        }
    }
}

/// Keeps which branches there are.
pub(super) fn fold(rows: &mut Rows, batch: &RefBatch) {
    for moved in &batch.refs {
        for (issue, branch) in rows_of(batch.number, moved) {
            if moved.to.is_some() {
                lasts(rows, issue, NO_COMMIT);
                rows.put(&BRANCHES, branch);
            } else {
                rows.end(&BRANCHES, &branch);
            }
        }
    }
}

/// For each issue of a branch the key of its row, and the row of the branch, which is its key, too.
fn rows_of(number: Position, moved: &RefMove) -> impl Iterator<Item = (Row, Row)> + '_ {
    moved.branch_of().iter().map(move |issue| {
        let branch = row![issue.project.clone(), issue.number, number, &moved.name];
        (key(&issue.project, issue.number, number), branch)
    })
}
