//! The index runs: the queue, what is being done and how far it is, and what became of the others.

mod reads;
#[cfg(test)]
mod tests;

use keytrail_domain::{
    fact::Fact,
    id::IndexRunId,
    index_run::{
        Counts, Event,
        batch::{self, CommitBatch, CommitSet, RefBatch},
    },
    recorded::Recorded,
    timestamp::Timestamp,
};

pub use self::reads::{Filter, IndexRun, Order, RunState, active, by_id, page};
use crate::{
    rows::{Keys, Rows},
    view::{History, Kind, Table, View},
};

/// The view.
#[derive(Debug)]
pub struct IndexRuns;

const RUNS: Table = Table {
    name: "index_runs",
    columns: &[
        ("run", Kind::Bytes),
        ("repository", Kind::Bytes),
        ("state", Kind::Text),
        ("cause", Kind::Text),
        ("requested_at", Kind::Int),
        ("started_at", Kind::MaybeInt),
        ("ended_at", Kind::MaybeInt),
        ("number", Kind::MaybeInt),
        ("commits", Kind::Int),
        ("keyed", Kind::Int),
        ("key_count", Kind::Int),
        ("ref_count", Kind::Int),
        ("bounded", Kind::Int),
        ("lost_refs", Kind::Int),
        ("failure_code", Kind::MaybeText),
        ("failure_text", Kind::MaybeText),
        ("batches", Kind::Int),
        ("walked", Kind::Int),
        ("requested_position", Kind::Int),
        ("version", Kind::Int),
        ("position", Kind::Int),
    ],
    key: 1,
    history: History::None,
    indexes: &[
        &["requested_position", "run"],
        &["repository", "requested_position", "run"],
        &["state", "requested_position", "run"],
    ],
};

impl View for IndexRuns {
    fn name(&self) -> &'static str {
        "index_runs"
    }

    fn version(&self) -> u32 {
        2
    }

    fn tables(&self) -> &'static [Table] {
        &[RUNS]
    }

    fn keys(&self, fact: &Recorded<Fact>, keys: &mut Keys) {
        match &fact.fact {
            // The stream of a run's batches has the run's id.
            Fact::IndexRun(_) | Fact::IndexBatch(_) => keys.want::<IndexRun>(fact.stream.id),
            Fact::Integration(_)
            | Fact::Repository(_)
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
        match &fact.fact {
            Fact::IndexRun(event) => fold_run(rows, fact, event),
            Fact::IndexBatch(event) => fold_batch(rows, fact, event),
            Fact::Integration(_)
            | Fact::Repository(_)
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

fn fold_run(rows: &mut Rows, fact: &Recorded<Fact>, event: &Event) {
    let at = fact.metadata.at;
    if let Event::Requested { repository, cause } = event {
        rows.save(&IndexRun {
            id: IndexRunId(fact.stream.id),
            repository: *repository,
            state: RunState::Requested,
            cause: *cause,
            requested_at: at,
            started_at: None,
            ended_at: None,
            number: None,
            counts: Counts::default(),
            failure: None,
            batches: 0,
            walked: 0,
            requested_position: fact.position,
            version: fact.sequence,
            position: fact.position,
        });
        return;
    }
    rows.change(fact.stream.id, |run: &mut IndexRun| {
        run.version = fact.sequence;
        run.position = fact.position;
        match event {
            Event::Requested { .. } => {}
            Event::Started { number } => {
                // A node that takes a run over does not start it anew.
                if run.state == RunState::Requested {
                    run.state = RunState::Running;
                    run.started_at = Some(at);
                    run.number = Some(*number);
                }
            }
            Event::Completed { counts, .. } => {
                run.counts = *counts;
                run.end(RunState::Completed, at);
            }
            Event::Failed { code, text, .. } => {
                run.failure = Some((*code, text.as_str().to_owned()));
                run.end(RunState::Failed, at);
            }
            Event::Cancelled { .. } => run.end(RunState::Cancelled, at),
        }
    });
}

fn fold_batch(rows: &mut Rows, fact: &Recorded<Fact>, event: &batch::Event) {
    rows.change(fact.stream.id, |run: &mut IndexRun| {
        run.position = fact.position;
        // The place in the stream of batches is how many there are: nothing is counted up.
        run.batches = u64::try_from(fact.sequence).unwrap_or(0);
        match event {
            batch::Event::RefsMoved(RefBatch { .. })
            | batch::Event::CommitsSuperseded(CommitSet { .. })
            | batch::Event::CommitsRestored(CommitSet { .. }) => {}
            batch::Event::CommitsRecorded(CommitBatch { walked, .. }) => run.walked = *walked,
        }
    });
}

impl IndexRun {
    fn end(&mut self, state: RunState, at: Timestamp) {
        self.state = state;
        self.ended_at.get_or_insert(at);
    }
}
