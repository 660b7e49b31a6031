//! The third phase of a walk: bounded batches in the fixed order, on the calling thread. Called by [`super::walk`];
//! reads an object only when the first phase had no room for what it found.

use std::{collections::HashSet, sync::Arc};

use keytrail_domain::index_run::batch::{Commit, CommitSha};

use super::{
    Stop, WalkRequest, WalkedBatch, check,
    discover::{DROPPED, NO_COMMIT, UNKEYED, WORKER_SHIFT},
    order::{Found, NO_REF, Ordered},
    record::{Records, Room},
};
use crate::git::{GitError, OpenedRepository, commit_object, message, opened::ObjectReader};

/// Emits what comes after the cursor; how many objects were read again.
pub(super) fn emit(
    repository: &OpenedRepository,
    request: &WalkRequest<'_>,
    ordered: &Ordered,
    found: &mut Found,
    receive: &mut dyn FnMut(WalkedBatch) -> Result<(), Stop>,
) -> Result<u64, GitError> {
    let new = &ordered.new;
    request.progress.set_total(new.len() as u64);
    let mut emitter = Emitter { request, found, ordered, again: Again::new(repository) };
    let mut people = HashSet::new();
    let mut batch = WalkedBatch::empty();
    let (mut bytes, mut looked_at) = (0, 0);
    for place in 0..new.len() {
        if place % 256 == 0 {
            check(request.cancel)?;
        }
        let Some(cursor) = new.cursor(place) else { break };
        batch.walked += 1;
        if request.after.is_some_and(|after| cursor <= after) {
            continue;
        }
        batch.cursor = cursor;
        looked_at += 1;
        emitter.add(new.order[place], cursor.sha, &mut people, &mut batch, &mut bytes)?;
        let bounds = &request.bounds;
        let full = batch.commits.len() >= bounds.batch_commits || bytes >= bounds.batch_bytes;
        if full || looked_at >= bounds.batch_walked || place + 1 == new.len() {
            let next = WalkedBatch { walked: batch.walked, ..WalkedBatch::empty() };
            let walked = batch.walked;
            check(request.cancel)?;
            receive(std::mem::replace(&mut batch, next)).map_err(|Stop| GitError::Cancelled)?;
            request.progress.set_emitted(walked);
            (bytes, looked_at) = (0, 0);
        }
    }
    Ok(emitter.again.reader.objects_read())
}

impl WalkedBatch {
    fn empty() -> Self {
        Self { commits: Vec::new(), cursor: Default::default(), walked: 0, people: Vec::new(), bounded: 0 }
    }
}

struct Emitter<'a> {
    request: &'a WalkRequest<'a>,
    found: &'a mut Found,
    ordered: &'a Ordered,
    again: Again,
}

impl Emitter<'_> {
    fn add(
        &mut self,
        number: u32,
        sha: CommitSha,
        people: &mut HashSet<keytrail_domain::person::PersonId>,
        batch: &mut WalkedBatch,
        bytes: &mut usize,
    ) -> Result<(), GitError> {
        let introduced_by = match self.ordered.introduced_by[number as usize] {
            NO_REF => Arc::from(""),
            at => self.request.refs.refs[at as usize].name.clone(),
        };
        let (commit, person, bounded) = match self.ordered.record[number as usize] {
            UNKEYED | NO_COMMIT => return Ok(()),
            DROPPED => {
                check(self.request.cancel)?;
                self.again.examine(sha, self.request)?;
                self.again.records.read_written(sha, introduced_by)
            }
            at => {
                let records = &mut self.found.records[(at >> WORKER_SHIFT) as usize];
                records.read(at & ((1 << WORKER_SHIFT) - 1), sha, introduced_by)
            }
        };
        if people.insert(person.id) {
            batch.people.push(person.clone());
        }
        batch.bounded += u64::from(bounded);
        *bytes += estimate(&commit);
        batch.commits.push(commit);
        Ok(())
    }
}

/// What a commit takes in the log, roughly.
fn estimate(commit: &Commit) -> usize {
    48 + commit.subject.as_str().len() + commit.keys.len() * 12
}

/// Reads and examines a commit once more.
struct Again {
    reader: ObjectReader,
    records: Records,
    shas: Vec<CommitSha>,
}

impl Again {
    fn new(repository: &OpenedRepository) -> Self {
        Self { reader: repository.reader(), records: Records::within(Room::of(usize::MAX)), shas: Vec::new() }
    }

    fn examine(&mut self, sha: CommitSha, request: &WalkRequest<'_>) -> Result<(), GitError> {
        let Some((_, bytes)) = self.reader.read(sha)? else { return Err(GitError::MissingObject { sha }) };
        let commit = commit_object::parse(bytes, &mut self.shas)
            .map_err(|reason| GitError::CorruptObject { sha, reason: reason.to_owned() })?;
        let scanned = message::scan(commit.message, commit.encoding);
        self.records.clear();
        request.progress.add_read(0, 0, 1);
        self.records.write(&commit, &scanned, request.identify);
        Ok(())
    }
}
