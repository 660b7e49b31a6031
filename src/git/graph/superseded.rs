//! Which known commits no ref leads to any more after a run, and which are led to again. Called by the index job once a
//! walk has met what is new, and before the graph is given that; reads no object of the repository.
//!
//! Exact for any history: what refs lead to is handed from children to parents, down to where what they led to before
//! and what they lead to now is the same.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashSet},
    io,
    sync::atomic::AtomicBool,
};

use keytrail_domain::index_run::batch::CommitSha;

use super::{Graph, parents::Parents};
use crate::git::{
    GitError, NewCommits, Ref,
    walk::{Parent, check},
};

/// How many commits are passed between two looks at the wish to stop.
const LOOK_EVERY: u64 = 16 * 1024;

/// What became of the known commits, in the order (generation, name): parents first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// A ref led to them before the run, and none does now.
    pub superseded: Vec<CommitSha>,
    /// They were known, no ref led to them before the run, and one does now.
    pub restored: Vec<CommitSha>,
    /// How many of the refs before name a commit that the graph as it was does not have, since its file was lost or is
    /// behind. What only they led to is in neither list.
    pub unknown_before: u64,
    /// How many of the refs now name nothing that was walked, such as a tree.
    pub unknown_now: u64,
    /// How many known commits were passed.
    pub passed: u64,
}

impl Graph {
    /// Compares what refs led to before a run with what they lead to now. `new` is what the run's walk from this graph
    /// met, `before` the refs at the end of the run before, `now` those that the walk began at; both in any order.
    ///
    /// Takes two bits for each known commit, and reads the parents of those only that stand above the oldest one whose
    /// lot changed; when branches only went on, of none. Transient when the graph's file cannot be read or was changed,
    /// or when `new` belongs to another state of the graph.
    pub fn changes(
        &self,
        new: &NewCommits,
        before: &[Ref],
        now: &[Ref],
        cancel: &AtomicBool,
    ) -> Result<Changes, GitError> {
        if new.known != self.len() {
            return Err(unreadable(io::Error::other("the walk began at another state of the graph")));
        }
        let mut changes = Changes::default();
        let mut reached = Reached { before: Rows::none_of(self.len()), now: Rows::none_of(self.len()), differing: 0 };
        for item in before {
            match self.row(item.commit) {
                Some(row) => reached.add_before(row),
                None => changes.unknown_before += 1,
            }
        }
        changes.unknown_now = self.add_now(new, now, &mut reached, cancel)?;
        if reached.differing > 0 {
            let parents = Parents::open(self.path.as_deref(), self.number, self.good_bytes, self.len());
            let parents = parents.map_err(unreadable)?;
            let (superseded, restored) = reached.descend(parents, &mut changes.passed, cancel)?;
            changes.superseded = self.in_order(&superseded);
            changes.restored = self.in_order(&restored);
        }
        Ok(changes)
    }

    /// Everything that these refs lead to, of what is known and of what the walk met. Twenty bytes and more for each commit:
    /// for when the difference of two times does not tell enough.
    pub fn reached(&self, new: &NewCommits, now: &[Ref], cancel: &AtomicBool) -> Result<HashSet<CommitSha>, GitError> {
        // What nothing led to before was led to by nothing: all of it is new.
        let changes = self.changes(new, &[], now, cancel)?;
        Ok(changes.restored.into_iter().chain(new.shas()).collect())
    }

    /// Adds the known commits that refs name now, and the known parents of the new commits which they lead to; how many
    /// refs name nothing.
    fn add_now(
        &self,
        new: &NewCommits,
        now: &[Ref],
        reached: &mut Reached,
        cancel: &AtomicBool,
    ) -> Result<u64, GitError> {
        let mut fresh = BTreeMap::<CommitSha, u64>::new();
        for item in now {
            match self.row(item.commit) {
                Some(row) => reached.add_now(row),
                None => *fresh.entry(item.commit).or_default() += 1,
            }
        }
        let mut live = Rows::none_of(new.met_shas.len());
        for (number, place) in new.order.iter().rev().zip(1_u64..) {
            if place.is_multiple_of(LOOK_EVERY) {
                check(cancel)?;
            }
            if fresh.remove(&new.met_shas[*number as usize]).is_some() {
                live.insert(*number);
            }
            if !live.contains(*number) {
                continue;
            }
            for parent in new.parents(*number) {
                match parent {
                    Parent::New(parent) => live.insert(parent),
                    Parent::Known(row) => reached.add_now(row),
                }
            }
        }
        Ok(fresh.into_values().sum())
    }

    /// The names of some rows, parents first.
    fn in_order(&self, rows: &Rows) -> Vec<CommitSha> {
        let mut found: Vec<_> = self
            .rows
            .iter()
            .zip(&self.shas)
            .filter(|(row, _)| rows.contains(**row))
            .map(|(row, sha)| (self.generation_of_row(*row), *sha))
            .collect();
        found.sort_unstable();
        found.into_iter().map(|(_, sha)| sha).collect()
    }
}

/// What refs led to and lead to, as far as it was handed down.
struct Reached {
    before: Rows,
    now: Rows,
    /// How many of the rows that were not passed yet are in one and not in the other.
    differing: usize,
}

impl Reached {
    fn add_before(&mut self, row: u32) {
        if !self.before.contains(row) {
            self.before.insert(row);
            self.count(row);
        }
    }

    fn add_now(&mut self, row: u32) {
        if !self.now.contains(row) {
            self.now.insert(row);
            self.count(row);
        }
    }

    /// The row is in one of both more than a moment ago.
    fn count(&mut self, row: u32) {
        if self.before.contains(row) && self.now.contains(row) { self.differing -= 1 } else { self.differing += 1 }
    }

    /// Hands down from children to parents, until both are the same for all rows that are left, and so for what these
    /// hand down: the rows that are only in what was, and those only in what is.
    fn descend(mut self, mut file: Parents, passed: &mut u64, cancel: &AtomicBool) -> Result<(Rows, Rows), GitError> {
        let (mut superseded, mut restored) = (Rows::none_of(self.before.len), Rows::none_of(self.now.len));
        let mut parents = Vec::new();
        while self.differing > 0 {
            let Some(row) = file.next(&mut parents).map_err(unreadable)? else { break };
            *passed += 1;
            if passed.is_multiple_of(LOOK_EVERY) {
                check(cancel)?;
            }
            let (before, now) = (self.before.contains(row), self.now.contains(row));
            if before != now {
                self.differing -= 1;
                if before { superseded.insert(row) } else { restored.insert(row) }
            }
            for parent in &parents {
                if before {
                    self.add_before(*parent);
                }
                if now {
                    self.add_now(*parent);
                }
            }
        }
        Ok((superseded, restored))
    }
}

/// A set of rows, a bit for each.
struct Rows {
    words: Vec<u64>,
    len: usize,
}

impl Rows {
    fn none_of(len: usize) -> Self {
        Self { words: vec![0; len.div_ceil(64)], len }
    }

    fn contains(&self, row: u32) -> bool {
        self.words[row as usize / 64] >> (row % 64) & 1 == 1
    }

    fn insert(&mut self, row: u32) {
        self.words[row as usize / 64] |= 1 << (row % 64);
    }
}

fn unreadable(error: io::Error) -> GitError {
    GitError::transient("comparing what refs lead to with the graph of commits", error)
}
