//! The second phase of a walk: generations, the fixed order (generation, name), and the best ref that each commit is
//! reachable from. Called by [`super::walk`]; reads no object.

use keytrail_domain::index_run::batch::{CommitSha, Cursor};

use super::{
    WalkRequest, check,
    discover::{Counts, Discovered, KNOWN, LAST, Met, NO_COMMIT, NO_PARENTS},
    record::Records,
};
use crate::git::{GitError, Graph};

/// No ref leads to the commit.
pub(super) const NO_REF: u32 = u32::MAX;
/// A commit whose parents are being visited.
const VISITING: u32 = u32::MAX;
/// How many commits are handled between two looks at the wish to stop.
const LOOK_EVERY: usize = 4_096;

/// Commits that a walk met for the first time, to be put into the graph once the run's end is durable.
#[derive(Default)]
pub struct NewCommits {
    pub(in crate::git) met_shas: Vec<CommitSha>,
    pub(in crate::git) first_parent: Vec<u32>,
    pub(in crate::git) parents: Vec<u32>,
    pub(in crate::git) generations: Vec<u32>,
    /// Numbers in the order (generation, name).
    pub(in crate::git) order: Vec<u32>,
    /// How many commits the graph had that the walk stopped at.
    pub(in crate::git) known: usize,
}

impl std::fmt::Debug for NewCommits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewCommits").field("len", &self.len()).field("known", &self.known).finish()
    }
}

impl NewCommits {
    /// How many they are.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Their names, in no order.
    pub fn shas(&self) -> impl Iterator<Item = CommitSha> + '_ {
        self.order.iter().map(|number| self.met_shas[*number as usize])
    }

    /// Where the commit at `place` in the order stands.
    pub fn cursor(&self, place: usize) -> Option<Cursor> {
        let number = *self.order.get(place)? as usize;
        Some(Cursor { generation: self.generations[number], sha: self.met_shas[number] })
    }

    /// The parents of a commit: new ones by number, known ones by row.
    pub(in crate::git) fn parents(&self, number: u32) -> impl Iterator<Item = Parent> + '_ {
        parents(&self.first_parent, &self.parents, number)
    }
}

/// A parent of a new commit.
pub(in crate::git) enum Parent {
    /// The number of a new commit.
    New(u32),
    /// A row of the known graph.
    Known(u32),
}

fn parents<'a>(first_parent: &[u32], parents: &'a [u32], number: u32) -> impl Iterator<Item = Parent> + 'a {
    let start = first_parent[number as usize];
    let rest = if start == NO_PARENTS { &[] } else { &parents[start as usize..] };
    let end = rest.iter().position(|parent| parent & LAST != 0).map_or(0, |at| at + 1);
    rest[..end].iter().map(|parent| match parent & !(LAST | KNOWN) {
        value if parent & KNOWN != 0 => Parent::Known(value),
        value => Parent::New(value),
    })
}

/// The order, and what only emitting needs.
pub(super) struct Ordered {
    pub(super) new: NewCommits,
    pub(super) record: Vec<u32>,
    /// For each commit the place of its best ref in the list, or [`NO_REF`].
    pub(super) introduced_by: Vec<u32>,
}

/// What the first phase found beside the graph.
pub(super) struct Found {
    pub(super) records: Vec<Records>,
    pub(super) counts: Counts,
}

pub(super) fn order(discovered: Discovered, request: &WalkRequest<'_>) -> Result<(Ordered, Found), GitError> {
    let Discovered { met, tips, records, counts } = discovered;
    let generations = generations(&met, request)?;
    let order = sorted(&met, &generations, request)?;
    let introduced_by = introduced_by(&met, &tips, request)?;
    let new = NewCommits {
        met_shas: met.shas,
        first_parent: met.first_parent,
        parents: met.parents,
        generations,
        order,
        known: request.known.len(),
    };
    Ok((Ordered { new, record: met.record, introduced_by }, Found { records, counts }))
}

/// One more than the greatest among the parents, by a descent with a stack of our own: histories are deep.
fn generations(met: &Met, request: &WalkRequest<'_>) -> Result<Vec<u32>, GitError> {
    let known: &Graph = request.known;
    let mut generations = vec![0_u32; met.shas.len()];
    let mut stack = Vec::new();
    let mut steps = 0_usize;
    for number in 0..met.shas.len() as u32 {
        stack.push(number);
        while let Some(top) = stack.pop() {
            steps += 1;
            if steps.is_multiple_of(LOOK_EVERY) {
                check(request.cancel)?;
            }
            match generations[top as usize] {
                0 => {
                    let place = stack.len();
                    stack.push(top);
                    for parent in parents(&met.first_parent, &met.parents, top) {
                        let Parent::New(parent) = parent else { continue };
                        if met.record[parent as usize] == NO_COMMIT {
                            let reason = "it is a parent, and no commit".to_owned();
                            return Err(GitError::CorruptObject { sha: met.shas[parent as usize], reason });
                        }
                        match generations[parent as usize] {
                            0 => stack.push(parent),
                            // Only a repository that lies about names can hold a circle.
                            VISITING => {
                                let reason = "it is among its own ancestors".to_owned();
                                return Err(GitError::CorruptObject { sha: met.shas[parent as usize], reason });
                            }
                            _ => {}
                        }
                    }
                    if stack.len() > place + 1 {
                        generations[top as usize] = VISITING;
                    } else {
                        stack.pop();
                        generations[top as usize] = generation_of(met, known, &generations, top);
                    }
                }
                VISITING => generations[top as usize] = generation_of(met, known, &generations, top),
                _ => {}
            }
        }
    }
    Ok(generations)
}

fn generation_of(met: &Met, known: &Graph, generations: &[u32], number: u32) -> u32 {
    let of_parents = parents(&met.first_parent, &met.parents, number).map(|parent| match parent {
        Parent::New(parent) => generations[parent as usize],
        Parent::Known(row) => known.generation_of_row(row),
    });
    of_parents.max().unwrap_or(0).saturating_add(1)
}

fn sorted(met: &Met, generations: &[u32], request: &WalkRequest<'_>) -> Result<Vec<u32>, GitError> {
    check(request.cancel)?;
    let mut keyed: Vec<(u64, u32)> = (0..met.shas.len())
        .filter(|number| met.record[*number] != NO_COMMIT)
        .map(|number| {
            let [a, b, c, d, ..] = met.shas[number].0;
            let head = u64::from(u32::from_be_bytes([a, b, c, d]));
            (u64::from(generations[number]) << 32 | head, number as u32)
        })
        .collect();
    check(request.cancel)?;
    keyed.sort_unstable_by(|(a, one), (b, other)| {
        a.cmp(b).then_with(|| met.shas[*one as usize].cmp(&met.shas[*other as usize]))
    });
    check(request.cancel)?;
    Ok(keyed.into_iter().map(|(_, number)| number).collect())
}

/// Floods from each tip in rank through what no better ref reached.
fn introduced_by(met: &Met, tips: &[Option<u32>], request: &WalkRequest<'_>) -> Result<Vec<u32>, GitError> {
    let mut introduced = vec![NO_REF; met.shas.len()];
    let mut stack = Vec::new();
    let mut steps = 0_usize;
    for (at, tip) in tips.iter().enumerate() {
        stack.extend(tip);
        while let Some(number) = stack.pop() {
            steps += 1;
            if steps.is_multiple_of(LOOK_EVERY) {
                check(request.cancel)?;
            }
            if introduced[number as usize] != NO_REF {
                continue;
            }
            introduced[number as usize] = at as u32;
            stack.extend(parents(&met.first_parent, &met.parents, number).filter_map(|parent| match parent {
                Parent::New(parent) if introduced[parent as usize] == NO_REF => Some(parent),
                _ => None,
            }));
        }
    }
    Ok(introduced)
}
