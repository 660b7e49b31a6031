//! The one way into the log on this node: commands that arrive while a commit is under way make the next batch, and a
//! batch is one transaction and one sync.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use keytrail_domain::{claim::ClaimChange, timestamp::Timestamp};
use tokio::sync::{mpsc, oneshot, watch};

use super::{
    append::{Append, AppendError, Committed, Head, Lane, Pending, Written},
    leaf::Leaf,
    postgres, sqlite,
};
use crate::{
    clock::Clock,
    store::{
        Area, Db, Postgres, StoreError, committed,
        postgres::{ANSWERS_WITHIN, failure, silent},
    },
};

/// At most this many commands a batch.
const BATCH_COMMANDS: usize = 500;
/// At most about this many bytes of events a batch.
const BATCH_BYTES: usize = 1 << 20;
/// More waiting commands than this are refused.
const INTERACTIVE_QUEUE: usize = 2048;
/// More waiting bulk appends than this make their sender wait.
const BULK_QUEUE: usize = 8;

/// What the process does when the log was given to others, by a restore or an import: it must not go on.
pub type OnFatal = Arc<dyn Fn(&StoreError) + Send + Sync>;

/// The sending side.
#[derive(Clone)]
pub struct Appender {
    interactive: mpsc::Sender<Pending>,
    bulk: mpsc::Sender<Pending>,
    failing: Arc<AtomicBool>,
}

impl Appender {
    /// Starts the writer; it ends when all senders are gone and everything sent is written.
    pub fn start(
        db: Arc<Db>,
        clock: Clock,
        epoch: i64,
        head: watch::Sender<Head>,
        on_fatal: OnFatal,
    ) -> (Self, tokio::task::JoinHandle<()>) {
        let (interactive, commands) = mpsc::channel(INTERACTIVE_QUEUE);
        let (bulk, batches) = mpsc::channel(BULK_QUEUE);
        let failing = Arc::<AtomicBool>::default();
        let writer = Writer {
            failing: failing.clone(),
            db,
            clock,
            epoch,
            head,
            on_fatal,
            commands,
            batches,
            held_back: Vec::new(),
        };
        (Self { interactive, bulk, failing }, tokio::spawn(writer.run()))
    }

    /// Whether the store refused the last batch, or the last try to write; `true` until one succeeds.
    pub(super) fn failing(&self) -> &AtomicBool {
        &self.failing
    }

    /// Appends, and answers when it is on disk. Once it is queued it is written, whether the caller still waits or not.
    pub async fn append(&self, lane: Lane, mut append: Append) -> Result<Committed, AppendError> {
        append.claims = last_changes(append.claims);
        let stream = append.stream;
        let aggregate_id = stream.id.to_string();
        let leaves = append.events.iter().zip(append.after + 1..).map(|(event, sequence)| {
            Leaf {
                event_id: &event.id.to_string(),
                aggregate_type: stream.aggregate_type,
                aggregate_id: &aggregate_id,
                sequence,
                event_type: event.event_type,
                event_version: event.version,
                payload: &event.payload,
                metadata: &event.metadata,
            }
            .hash()
        });
        let leaves = leaves.collect();
        let bytes = append.events.iter().map(|event| event.payload.len() + event.metadata.len() + 200).sum();
        let (reply, answer) = oneshot::channel();
        let pending = Pending { append, leaves, bytes, reply };
        let closing = || AppendError::Store(StoreError::Unavailable("the server is stopping".into()));
        match lane {
            Lane::Interactive => self.interactive.try_send(pending).map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => AppendError::Busy,
                mpsc::error::TrySendError::Closed(_) => closing(),
            })?,
            Lane::Bulk => self.bulk.send(pending).await.map_err(|_| closing())?,
        }
        answer.await.map_err(|_| closing())?
    }
}

/// What is left of changes of claims when each claim changes once: only the last one counts.
fn last_changes(changes: Vec<ClaimChange>) -> Vec<ClaimChange> {
    let mut seen = HashSet::new();
    let mut last: Vec<_> = changes.into_iter().rev().filter(|change| seen.insert(change.claim().clone())).collect();
    last.reverse();
    last
}

struct Writer {
    failing: Arc<AtomicBool>,
    db: Arc<Db>,
    clock: Clock,
    epoch: i64,
    head: watch::Sender<Head>,
    on_fatal: OnFatal,
    commands: mpsc::Receiver<Pending>,
    batches: mpsc::Receiver<Pending>,
    /// Could collide with one of the batch before, so they were left for the next one.
    held_back: Vec<Pending>,
}

impl Writer {
    async fn run(mut self) {
        loop {
            let batch = self.collect().await;
            if batch.is_empty() {
                return;
            }
            self.write(batch).await;
        }
    }

    /// Waits for the first, then takes what is there without waiting.
    async fn collect(&mut self) -> Vec<Pending> {
        let mut batch = Batch::default();
        for pending in std::mem::take(&mut self.held_back) {
            batch.add(pending, &mut self.held_back);
        }
        if batch.taken.is_empty() {
            let first = tokio::select! {
                biased;
                Some(pending) = self.commands.recv() => pending,
                Some(pending) = self.batches.recv() => pending,
                else => return Vec::new(),
            };
            batch.add(first, &mut self.held_back);
        }
        // Who was answered a moment ago is about to send again: without this one step aside, every other batch would
        // hold a single command.
        tokio::task::yield_now().await;
        // What waits for another batch stays bounded too: a flood of commands to one stream is refused in the end.
        while batch.has_room() && self.held_back.len() < INTERACTIVE_QUEUE {
            let Ok(pending) = self.commands.try_recv() else { break };
            batch.add(pending, &mut self.held_back);
        }
        // One bulk append always gets a place, so that commands never starve a run.
        let mut bulk_has_place = true;
        while bulk_has_place || batch.has_room() {
            bulk_has_place = false;
            let Ok(pending) = self.batches.try_recv() else { break };
            batch.add(pending, &mut self.held_back);
        }
        batch.taken
    }

    async fn write(&self, batch: Vec<Pending>) {
        let (replies, requests): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|pending| (pending.reply, (pending.append, pending.leaves))).unzip();
        let types: Vec<Vec<&'static str>> =
            requests.iter().map(|(append, _)| append.events.iter().map(|event| event.event_type).collect()).collect();
        let started = std::time::Instant::now();
        let now: Timestamp = self.clock.now();
        let written = match &*self.db {
            Db::Sqlite(db) => sqlite::write(db, requests, self.epoch, now).await,
            Db::Postgres(db) => self.write_in_time(db, &requests, now).await,
        };
        metrics::histogram!("keytrail_append_seconds").record(started.elapsed().as_secs_f64());
        metrics::counter!("keytrail_append_batches_total").increment(1);
        self.failing.store(written.is_err(), Ordering::Relaxed);
        match written {
            Ok(written) => {
                self.head.send_if_modified(|head| {
                    let moved = written.head.position > head.position;
                    if moved {
                        *head = written.head;
                    }
                    moved
                });
                for event_type in
                    types.iter().zip(&written.outcomes).filter(|(_, one)| is_new(one)).flat_map(|(all, _)| all)
                {
                    metrics::counter!("keytrail_events_appended_total", "type" => *event_type).increment(1);
                }
                if matches!(&*self.db, Db::Postgres(_)) {
                    committed(Area::Log);
                }
                for (reply, outcome) in replies.into_iter().zip(written.outcomes) {
                    // Whoever asked may be gone; it is durable all the same.
                    let _ = reply.send(outcome);
                }
            }
            Err(error) => {
                // A failing disk of the embedded store ends the process in the store itself.
                if matches!(error, StoreError::Fenced) {
                    (self.on_fatal)(&error);
                }
                tracing::error!(%error, commands = replies.len(), "a batch of commands could not be written");
                let full = matches!(error, StoreError::Full);
                let text = error.to_string();
                for reply in replies {
                    let error = if full { StoreError::Full } else { StoreError::Unavailable(text.clone()) };
                    let _ = reply.send(Err(error.into()));
                }
                // Those who wait are told at once; a store that is away is not hammered.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }

    /// Writes over a network, which may swallow what is said. Whether the batch is written is not known then. Nothing here
    /// remembers where the log stood: the database gives the positions, and its head is followed apart from this.
    async fn write_in_time(
        &self,
        db: &Postgres,
        requests: &[postgres::Request],
        now: Timestamp,
    ) -> Result<Written, StoreError> {
        let mut connection = db.pool().acquire().await.map_err(failure)?;
        match tokio::time::timeout(ANSWERS_WITHIN, postgres::write(&mut connection, requests, self.epoch, now)).await {
            Ok(written) => written,
            Err(_) => Err(silent(connection)),
        }
    }
}

/// Whether its events are in the log since just now.
fn is_new(outcome: &Result<Committed, AppendError>) -> bool {
    outcome.as_ref().is_ok_and(|committed| !committed.replayed)
}

/// A batch never holds two appends that could collide: who offends is then decided by what is stored alone.
#[derive(Default)]
struct Batch {
    taken: Vec<Pending>,
    bytes: usize,
    seen: HashSet<String>,
}

impl Batch {
    fn has_room(&self) -> bool {
        self.taken.len() < BATCH_COMMANDS && self.bytes < BATCH_BYTES
    }

    fn add(&mut self, pending: Pending, held_back: &mut Vec<Pending>) {
        let append = &pending.append;
        let mut unique = vec![append.stream.to_string()];
        unique.extend(append.claims.iter().map(|change| {
            let claim = change.claim();
            format!("claim {} {}", claim.scope.as_str(), claim.key)
        }));
        unique.extend(append.idempotency.iter().map(|request| format!("key {} {}", request.scope, request.key)));
        unique.extend(append.events.iter().map(|event| event.id.to_string()));
        let collides = unique.iter().any(|thing| self.seen.contains(thing));
        // Also when it waits: what came after it and touches the same things does not overtake it.
        self.seen.extend(unique);
        if collides {
            held_back.push(pending);
            return;
        }
        self.bytes += pending.bytes;
        self.taken.push(pending);
    }
}
