//! The first phase of a walk: a few threads read every commit between the tips and the known ones, each once, and
//! scan its message at once. Called by [`super::walk`]; decides no order.
//!
//! A worker descends on a stack of its own. It takes the lock once per commit, to hand over what it found and to fetch
//! the next; work is shared only when another worker has none and the stack is large.

use std::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use gix::objs::Kind;
use hashbrown::HashTable;
use keytrail_domain::index_run::batch::CommitSha;

use super::{
    WalkRequest, check,
    record::{Records, Room},
};
use crate::git::{GitError, Graph, OpenedRepository, commit_object, message, opened::ObjectReader};

/// More workers than this would wait for the lock.
const MAX_WORKERS: usize = 4;
/// Tips that a worker fetches at a time.
const FETCH: usize = 64;
/// How large a stack must be before half of it is shared.
const SHARE_AT: usize = 16;
/// How often a waiting worker looks whether it should stop.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// The last parent of its commit.
pub(super) const LAST: u32 = 1 << 31;
/// The parent is a row of the known graph.
pub(super) const KNOWN: u32 = 1 << 30;
/// The commit has no parents.
pub(super) const NO_PARENTS: u32 = u32::MAX;
/// The commit has no keys.
pub(super) const UNKEYED: u32 = u32::MAX;
/// The commit has keys, and found no room.
pub(super) const DROPPED: u32 = u32::MAX - 1;
/// It is a tip, and no commit.
pub(super) const NO_COMMIT: u32 = u32::MAX - 2;
/// The bits of a record's number that name the worker.
pub(super) const WORKER_SHIFT: u32 = 28;

/// New commits in the order in which they were met: 33 bytes each, and 4 for each parent beyond the first.
#[derive(Default)]
pub(super) struct Met {
    /// Their names.
    pub(super) shas: Vec<CommitSha>,
    /// Where the parents of each begin, or [`NO_PARENTS`].
    pub(super) first_parent: Vec<u32>,
    /// Numbers of new commits or rows of known ones, with flags.
    pub(super) parents: Vec<u32>,
    /// Worker and offset, or a word from above.
    pub(super) record: Vec<u32>,
}

/// What was counted on the way.
#[derive(Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) keyed: u64,
    pub(super) keys: u64,
    pub(super) bounded: u64,
    pub(super) objects_read: u64,
    pub(super) not_commits: u64,
}

/// The result of the phase.
pub(super) struct Discovered {
    pub(super) met: Met,
    /// For each ref the new commit that it names; `None` when it names a known one.
    pub(super) tips: Vec<Option<u32>>,
    pub(super) records: Vec<Records>,
    pub(super) counts: Counts,
}

struct Shared {
    met: Met,
    numbers: HashTable<u32>,
    spare: Vec<u32>,
    tips: u32,
    idle: usize,
    workers: usize,
    ended: bool,
}

/// What a worker found out about a commit.
struct Finished {
    number: u32,
    record: u32,
}

pub(super) fn discover(repository: &OpenedRepository, request: &WalkRequest<'_>) -> Result<Discovered, GitError> {
    let workers = request.bounds.workers.get().min(MAX_WORKERS);
    let mut shared = Shared {
        met: Met::default(),
        numbers: HashTable::new(),
        spare: Vec::new(),
        tips: 0,
        idle: 0,
        workers,
        ended: false,
    };
    let mut tips = Vec::with_capacity(request.refs.refs.len());
    for (at, tip) in request.refs.refs.iter().enumerate() {
        if at % 1024 == 0 {
            check(request.cancel)?;
        }
        tips.push(match request.known.row(tip.commit) {
            Some(_) => None,
            None => Some(shared.number(tip.commit)?.0),
        });
    }
    shared.tips = shared.met.shas.len() as u32;
    // The best ref's history first: it is the longest.
    shared.spare = (0..shared.tips).rev().collect();
    let workers = if shared.tips == 0 { 0 } else { workers };

    let board = Board {
        shared: Mutex::new(shared),
        wake: Condvar::new(),
        failed: AtomicBool::new(false),
        room: Room::of(request.bounds.record_bytes),
    };
    let results: Vec<Result<(Records, Counts), GitError>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..workers)
            .map(|worker| {
                let board = &board;
                let work = move || Worker::new(worker as u32, repository, request, board).run();
                thread::Builder::new().name(format!("walk-{worker}")).spawn_scoped(scope, work)
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| match thread.map(thread::ScopedJoinHandle::join) {
                Ok(Ok(result)) => result,
                Ok(Err(_)) => Err(GitError::transient("reading the commits", "a reader ended with a fault of its own")),
                Err(error) => {
                    board.fail();
                    Err(GitError::transient("starting a reader", error))
                }
            })
            .collect()
    });
    let mut discovered = Discovered { met: Met::default(), tips, records: Vec::new(), counts: Counts::default() };
    let mut stopped = None;
    for result in results {
        match result {
            Ok((records, counts)) => {
                discovered.records.push(records);
                discovered.counts.add(counts);
            }
            // A worker that only followed another's failure says nothing new.
            Err(GitError::Cancelled) => stopped = stopped.or(Some(GitError::Cancelled)),
            Err(error) => return Err(error),
        }
    }
    if let Some(stopped) = stopped {
        return Err(stopped);
    }
    discovered.met = board.shared.into_inner().unwrap_or_else(PoisonError::into_inner).met;
    Ok(discovered)
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.keyed += other.keyed;
        self.keys += other.keys;
        self.bounded += other.bounded;
        self.objects_read += other.objects_read;
        self.not_commits += other.not_commits;
    }
}

impl Shared {
    /// The number of a new commit, and whether it was met just now.
    fn number(&mut self, sha: CommitSha) -> Result<(u32, bool), GitError> {
        let shas = &mut self.met.shas;
        let hash = hash(sha);
        if let Some(number) = self.numbers.find(hash, |number| shas[*number as usize] == sha) {
            return Ok((*number, false));
        }
        let number = u32::try_from(shas.len()).ok().filter(|number| *number < KNOWN - 1);
        let number = number.ok_or(GitError::TooManyCommits)?;
        shas.push(sha);
        self.numbers.insert_unique(hash, number, |number| self::hash(shas[*number as usize]));
        self.met.first_parent.push(NO_PARENTS);
        self.met.record.push(UNKEYED);
        Ok((number, true))
    }

    /// Takes what a worker found; parents that were not met before are put on its stack, the first on top.
    fn finish(
        &mut self,
        finished: &Finished,
        parents: &[(CommitSha, Option<u32>)],
        stack: &mut Vec<u32>,
    ) -> Result<(), GitError> {
        self.met.record[finished.number as usize] = finished.record;
        if parents.is_empty() {
            return Ok(());
        }
        let start = self.met.parents.len();
        let bottom = stack.len();
        for (sha, row) in parents {
            let parent = match row {
                Some(row) => row | KNOWN,
                None => {
                    let (number, fresh) = self.number(*sha)?;
                    if fresh {
                        stack.push(number);
                    }
                    number
                }
            };
            self.met.parents.push(parent);
        }
        if self.met.parents.len() >= NO_PARENTS as usize {
            return Err(GitError::TooManyCommits);
        }
        stack[bottom..].reverse();
        if let Some(last) = self.met.parents.last_mut() {
            *last |= LAST;
        }
        self.met.first_parent[finished.number as usize] = start as u32;
        Ok(())
    }
}

/// Names are hashes already.
fn hash(sha: CommitSha) -> u64 {
    let (head, _) = sha.0.split_first_chunk::<8>().expect("a name has 20 bytes");
    u64::from_le_bytes(*head)
}

struct Board {
    shared: Mutex<Shared>,
    wake: Condvar,
    failed: AtomicBool,
    room: Arc<Room>,
}

impl Board {
    fn lock(&self) -> MutexGuard<'_, Shared> {
        // A worker that panicked has marked the walk as failed; nobody reads what it left behind.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fail(&self) {
        self.failed.store(true, Ordering::Relaxed);
        self.wake.notify_all();
    }
}

struct Worker<'a> {
    id: u32,
    board: &'a Board,
    request: &'a WalkRequest<'a>,
    known: &'a Graph,
    reader: ObjectReader,
    records: Records,
    counts: Counts,
    /// What [`super::Progress`] has not been told yet.
    untold: (u64, u64),
    stack: Vec<u32>,
    shas: Vec<CommitSha>,
    parents: Vec<(CommitSha, Option<u32>)>,
}

/// Marks the walk as failed when a worker ends in whatever way but the good one, so that the others end, too.
struct FailUnlessDone<'a>(&'a Board, bool);

impl Drop for FailUnlessDone<'_> {
    fn drop(&mut self) {
        if !self.1 {
            self.0.fail();
        }
    }
}

impl<'a> Worker<'a> {
    fn new(id: u32, repository: &OpenedRepository, request: &'a WalkRequest<'a>, board: &'a Board) -> Self {
        Self {
            id,
            board,
            request,
            known: request.known,
            reader: repository.reader(),
            records: Records::within(board.room.clone()),
            counts: Counts::default(),
            untold: (0, 0),
            stack: Vec::new(),
            shas: Vec::new(),
            parents: Vec::new(),
        }
    }

    fn run(mut self) -> Result<(Records, Counts), GitError> {
        let mut guard = FailUnlessDone(self.board, false);
        let mut finished = None;
        while let Some((number, sha, is_tip)) = self.next(finished.take())? {
            finished = Some(self.examine(number, sha, is_tip)?);
            self.tell(128);
        }
        self.tell(1);
        self.counts.objects_read = self.reader.objects_read();
        self.records.seal();
        guard.1 = true;
        Ok((self.records, self.counts))
    }

    /// Hands over what was found, and fetches the next commit; `None` when there is none left for anybody.
    fn next(&mut self, finished: Option<Finished>) -> Result<Option<(u32, CommitSha, bool)>, GitError> {
        let mut shared = self.board.lock();
        if let Some(finished) = finished {
            shared.finish(&finished, &self.parents, &mut self.stack)?;
        }
        loop {
            check(self.request.cancel)?;
            if self.board.failed.load(Ordering::Relaxed) {
                return Err(GitError::Cancelled);
            }
            if shared.idle > 0 && self.stack.len() >= SHARE_AT {
                // The lower half lies further away from what this worker is about to read.
                let half = self.stack.len() / 2;
                shared.spare.extend(self.stack.drain(..half));
                self.board.wake.notify_all();
            }
            if self.stack.is_empty() {
                let keep = shared.spare.len().saturating_sub(FETCH);
                self.stack.extend(shared.spare.drain(keep..));
            }
            if let Some(number) = self.stack.pop() {
                return Ok(Some((number, shared.met.shas[number as usize], number < shared.tips)));
            }
            shared.idle += 1;
            if shared.idle == shared.workers || shared.ended {
                shared.ended = true;
                self.board.wake.notify_all();
                return Ok(None);
            }
            let waited = self.board.wake.wait_timeout(shared, LOOK_EVERY);
            shared = waited.map_or_else(|poisoned| poisoned.into_inner().0, |(shared, _)| shared);
            if shared.ended {
                return Ok(None);
            }
            shared.idle -= 1;
        }
    }

    fn examine(&mut self, number: u32, sha: CommitSha, is_tip: bool) -> Result<Finished, GitError> {
        self.parents.clear();
        let Some((kind, bytes)) = self.reader.read(sha)? else { return Err(GitError::MissingObject { sha }) };
        if kind != Kind::Commit {
            if is_tip {
                self.counts.not_commits += 1;
                return Ok(Finished { number, record: NO_COMMIT });
            }
            return Err(GitError::CorruptObject { sha, reason: format!("it is a parent, and a {kind}") });
        }
        let commit = commit_object::parse(bytes, &mut self.shas)
            .map_err(|reason| GitError::CorruptObject { sha, reason: reason.to_owned() })?;
        let scanned = message::scan(commit.message, commit.encoding);
        self.counts.bounded += u64::from(scanned.bounded);
        self.untold.0 += 1;
        let mut record = UNKEYED;
        if !scanned.keys.is_empty() {
            self.counts.keyed += 1;
            self.counts.keys += scanned.keys.len() as u64;
            self.untold.1 += 1;
            let at = self.records.add(&commit, &scanned, self.request.identify);
            record = at.map_or(DROPPED, |at| at | self.id << WORKER_SHIFT);
        }
        self.parents.extend(self.shas.iter().map(|sha| (*sha, self.known.row(*sha))));
        Ok(Finished { number, record })
    }

    fn tell(&mut self, at_least: u64) {
        if self.untold.0 >= at_least {
            self.request.progress.add_read(self.untold.0, self.untold.1, self.untold.0);
            self.untold = (0, 0);
        }
    }
}
