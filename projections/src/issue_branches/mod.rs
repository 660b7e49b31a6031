//! Which branches name which issue, and where every ref of a repository points.
//!
//! A poll compares `refs` with what the remote says now. A link counts while both it and its ref are there, so that a
//! later grammar, which finds other candidates in a name, leaves nothing behind when the ref goes.

mod reads;
mod schema;
#[cfg(test)]
mod tests;

use keytrail_domain::{
    fact::Fact,
    index_run::batch::{self, CommitBatch, CommitSet, RefBatch, RefMove},
    recorded::{Position, Recorded},
};

pub use self::reads::{BranchCursor, CurrentRef, IssueBranch, branches_of_issue, refs_of_repository};
use self::schema::{LINKS, REFS, REPOSITORIES, RULES};
use crate::{
    numbered, row,
    rows::{Keys, Rows},
    ruled,
    value::Row,
    view::{Table, View},
};

/// The view.
#[derive(Debug)]
pub struct IssueBranches;

impl View for IssueBranches {
    fn name(&self) -> &'static str {
        "issue_branches"
    }

    fn version(&self) -> u32 {
        2
    }

    fn tables(&self) -> &'static [Table] {
        &[REPOSITORIES, REFS, LINKS, RULES]
    }

    fn keys(&self, fact: &Recorded<Fact>, keys: &mut Keys) {
        numbered::keys(&REPOSITORIES, fact, keys);
        ruled::keys(&RULES, fact, keys);
        match &fact.fact {
            Fact::IndexBatch(batch::Event::RefsMoved(batch)) => {
                for moved in &batch.refs {
                    keys.add(&REFS, row![batch.number, &moved.name]);
                    links(batch.number, moved).for_each(|link| keys.add(&LINKS, link));
                }
            }
            Fact::IndexBatch(
                batch::Event::CommitsRecorded(CommitBatch { .. })
                | batch::Event::CommitsSuperseded(CommitSet { .. })
                | batch::Event::CommitsRestored(CommitSet { .. }),
            )
            | Fact::Integration(_)
            | Fact::Repository(_)
            | Fact::IndexRun(_)
            | Fact::Access(_)
            | Fact::ProjectRules(_)
            | Fact::CommitLink(_)
            | Fact::Person(_)
            | Fact::Installation(_)
            | Fact::PullRequest(_)
            | Fact::SshKey(_)
            | Fact::HostKey(_)
            | Fact::AccessSettings(_) => {}
        }
    }

    fn fold(&self, rows: &mut Rows, fact: &Recorded<Fact>) {
        numbered::fold(&REPOSITORIES, rows, fact);
        ruled::fold(&RULES, rows, fact);
        match &fact.fact {
            Fact::IndexBatch(batch::Event::RefsMoved(batch)) => move_refs(rows, batch),
            Fact::IndexBatch(
                batch::Event::CommitsRecorded(CommitBatch { .. })
                | batch::Event::CommitsSuperseded(CommitSet { .. })
                | batch::Event::CommitsRestored(CommitSet { .. }),
            )
            | Fact::Integration(_)
            | Fact::Repository(_)
            | Fact::IndexRun(_)
            | Fact::Access(_)
            | Fact::ProjectRules(_)
            | Fact::CommitLink(_)
            | Fact::Person(_)
            | Fact::Installation(_)
            | Fact::PullRequest(_)
            | Fact::SshKey(_)
            | Fact::HostKey(_)
            | Fact::AccessSettings(_) => {}
        }
    }
}

fn move_refs(rows: &mut Rows, batch: &RefBatch) {
    for moved in &batch.refs {
        match moved.to {
            Some(commit) => {
                rows.put(&REFS, row![batch.number, &moved.name, commit]);
                links(batch.number, moved).for_each(|link| rows.put(&LINKS, link));
            }
            None => {
                rows.end(&REFS, &[batch.number.into(), (&moved.name).into()]);
                links(batch.number, moved).for_each(|link| rows.end(&LINKS, &link));
            }
        }
    }
}

/// The links of a ref, which are keys and rows at once.
fn links(number: Position, moved: &RefMove) -> impl Iterator<Item = Row> + '_ {
    moved.branch_of().iter().map(move |key| row![key.project.clone(), key.number, number, &moved.name])
}
