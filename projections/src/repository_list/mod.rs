//! The repositories, as lists and pages show them: where each is in its life, and what its index holds.

mod again;
mod briefs;
mod listing;
mod reads;
mod schema;
#[cfg(test)]
mod tests;

use keytrail_domain::{
    display_text::DisplayText,
    fact::Fact,
    id::{IndexRunId, IntegrationId, RepositoryId},
    index_run::{self, Cause},
    integration,
    recorded::Recorded,
    repository,
    service::{Connection, Reading},
    timestamp::Timestamp,
};

pub use self::{
    again::{Again, Request, reindexed, request, reset, under_way},
    briefs::{Brief, MOST_NAMED, Named, briefs_changed, briefs_of, named},
};

use self::schema::{READINGS, REPOSITORIES, REQUESTS, RUNS};
pub use self::{
    listing::{Filter, ListPlace, Sort, listing},
    reads::{Indexing, Listed, Repository, RepositoryState, Trouble, by_id, indexing, page},
};
use crate::{
    index_runs::RunState,
    row,
    rows::{Keys, Rows},
    value::Value,
    view::{Table, View},
};

/// The view.
#[derive(Debug)]
pub struct RepositoryList;

impl View for RepositoryList {
    fn name(&self) -> &'static str {
        "repository_list"
    }

    fn version(&self) -> u32 {
        8
    }

    fn tables(&self) -> &'static [Table] {
        &[REPOSITORIES, RUNS, READINGS, REQUESTS]
    }

    fn keys(&self, fact: &Recorded<Fact>, keys: &mut Keys) {
        match &fact.fact {
            Fact::Repository(_) => keys.want::<Repository>(fact.stream.id),
            Fact::IndexRun(
                index_run::Event::Requested { repository, .. }
                | index_run::Event::Completed { repository, .. }
                | index_run::Event::Failed { repository, .. }
                | index_run::Event::Cancelled { repository },
            ) => keys.want::<Repository>(*repository),
            Fact::Integration(integration::Event::Added { .. } | integration::Event::ConnectionChanged { .. }) => {
                keys.add(&READINGS, row![fact.stream.id])
            }
            Fact::Integration(integration::Event::ReindexRequested {} | integration::Event::ResetRequested {}) => {
                keys.add(&REQUESTS, row![fact.stream.id, fact.position]);
            }
            Fact::Integration(integration::Event::IndexingCancelled { asked }) => {
                keys.add(&REQUESTS, row![fact.stream.id, *asked]);
            }
            Fact::IndexRun(index_run::Event::Started { .. })
            | Fact::Integration(
                integration::Event::Renamed { .. }
                | integration::Event::WebLinksSet { .. }
                | integration::Event::Paused {}
                | integration::Event::Resumed {}
                | integration::Event::Removed { .. },
            )
            | Fact::IndexBatch(_)
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
            Fact::Repository(event) => fold_repository(rows, fact, event),
            Fact::IndexRun(event) => fold_run(rows, fact, event),
            Fact::Integration(
                integration::Event::Added { connection, .. } | integration::Event::ConnectionChanged { connection, .. },
            ) => rows.put(&READINGS, row![fact.stream.id, is_mirrored(connection)]),
            Fact::Integration(integration::Event::ReindexRequested {}) => asked(rows, fact, false),
            Fact::Integration(integration::Event::ResetRequested {}) => asked(rows, fact, true),
            Fact::Integration(integration::Event::IndexingCancelled { asked }) => {
                let request = rows.get(&REQUESTS, &row![fact.stream.id, *asked]).map(<[Value]>::to_vec);
                if let Some([key @ .., _]) = request.as_deref() {
                    rows.put(&REQUESTS, [key, &row![true][..]].concat());
                }
            }
            Fact::Integration(
                integration::Event::Renamed { .. }
                | integration::Event::WebLinksSet { .. }
                | integration::Event::Paused {}
                | integration::Event::Resumed {}
                | integration::Event::Removed { .. },
            )
            | Fact::IndexBatch(_)
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

/// Somebody asked it of all repositories of an integration.
fn asked(rows: &mut Rows, fact: &Recorded<Fact>, reset: bool) {
    rows.put(&REQUESTS, row![fact.stream.id, fact.position, reset, fact.metadata.at, false]);
}

/// Whether what is connected like this is read from a copy.
const fn is_mirrored(connection: &Connection) -> bool {
    match connection {
        Connection::Path { reading, .. } | Connection::Folder { reading, .. } => matches!(reading, Reading::Mirrored),
        Connection::Git(_) | Connection::GithubApp(_) => true,
    }
}

fn fold_repository(rows: &mut Rows, fact: &Recorded<Fact>, event: &repository::Event) {
    let id = RepositoryId(fact.stream.id);
    match event {
        repository::Event::Discovered { integration, name, location } => {
            rows.save(&seen(rows, fact, *integration, name, location));
        }
        repository::Event::Refused { integration, name, location, code, text } => {
            let failure = Some((*code, text.as_str().to_owned()));
            let row = seen(rows, fact, *integration, name, location);
            rows.save(&Repository { state: RepositoryState::Refused, failure, ..row });
        }
        repository::Event::Moved { name, location } => rows.change(id, |repository: &mut Repository| {
            repository.version = fact.sequence;
            repository.position = fact.position;
            repository.name = name.as_str().to_owned();
            repository.kind = location.kind().to_owned();
            repository.location = location.location().into_owned();
        }),
        repository::Event::Forgotten {} => rows.change(id, |repository: &mut Repository| {
            repository.version = fact.sequence;
            repository.position = fact.position;
            repository.enter(RepositoryState::Forgotten, fact.metadata.at);
            repository.trouble = None;
        }),
        repository::Event::Unreachable { code, text } => rows.change(id, |repository: &mut Repository| {
            repository.version = fact.sequence;
            repository.position = fact.position;
            // Another reason is the same trouble: it lasts since it began.
            let since = repository.trouble.as_ref().map_or(fact.metadata.at, |trouble| trouble.since);
            repository.trouble = Some(Trouble { code: *code, text: text.as_str().to_owned(), since });
        }),
        repository::Event::Reachable {} => rows.change(id, |repository: &mut Repository| {
            repository.version = fact.sequence;
            repository.position = fact.position;
            repository.trouble = None;
        }),
        repository::Event::Archived {} | repository::Event::Unarchived {} => {
            rows.change(id, |repository: &mut Repository| {
                repository.version = fact.sequence;
                repository.position = fact.position;
                repository.archived = matches!(event, repository::Event::Archived {});
            });
        }
    }
}

/// A repository that was seen just now. Who comes back keeps the place in the list, and nothing else.
fn seen(
    rows: &Rows,
    fact: &Recorded<Fact>,
    integration: IntegrationId,
    name: &DisplayText,
    location: &Connection,
) -> Repository {
    let id = RepositoryId(fact.stream.id);
    let added_position = rows.find::<Repository>(id).map_or(fact.position, |known| known.added_position);
    Repository {
        id,
        number: fact.position,
        integration,
        name: name.as_str().to_owned(),
        kind: location.kind().to_owned(),
        location: location.location().into_owned(),
        state: RepositoryState::Waiting,
        since: fact.metadata.at,
        last_run: None,
        failure: None,
        first_indexed_at: None,
        indexed_at: None,
        indexed_position: None,
        counted_from: 0,
        trouble: None,
        archived: false,
        added_position,
        seen_position: fact.position,
        version: fact.sequence,
        position: fact.position,
    }
}

fn fold_run(rows: &mut Rows, fact: &Recorded<Fact>, event: &index_run::Event) {
    let run = IndexRunId(fact.stream.id);
    let at = fact.metadata.at;
    let id = match event {
        index_run::Event::Requested { repository, .. }
        | index_run::Event::Completed { repository, .. }
        | index_run::Event::Failed { repository, .. }
        | index_run::Event::Cancelled { repository } => *repository,
        // It does not say of which repository; `index_runs` tells whether the work began.
        index_run::Event::Started { .. } => return,
    };
    let Some(mut repository) = rows.find::<Repository>(id) else { return };
    if matches!(repository.state, RepositoryState::Forgotten | RepositoryState::Refused) {
        return;
    }
    // A run that was asked for before the repository was forgotten says nothing about the one that came back.
    if !matches!(event, index_run::Event::Requested { .. }) && repository.last_run != Some(run) {
        return;
    }
    repository.position = fact.position;
    let number = repository.number;
    let mut ended = |commits: u64, keyed: u64, outcome: RunState| {
        rows.put_once(&RUNS, row![id, number, run, commits, keyed, fact.position, outcome]);
    };
    match event {
        index_run::Event::Requested { cause, .. } => {
            if *cause == Cause::Reset {
                repository.number = fact.position;
                repository.first_indexed_at = None;
                repository.indexed_at = None;
                repository.indexed_position = None;
            }
            repository.last_run = Some(run);
            repository.enter(RepositoryState::Indexing, at);
        }
        index_run::Event::Started { .. } => {}
        index_run::Event::Completed { counts, .. } => {
            ended(counts.commits, counts.keyed, RunState::Completed);
            if counts.lost_refs > 0 {
                // It could not tell what was new, and counted all.
                repository.counted_from = fact.position;
            }
            repository.failure = None;
            repository.first_indexed_at.get_or_insert(at);
            repository.indexed_at = Some(at);
            repository.indexed_position = Some(fact.position);
            repository.enter(RepositoryState::Indexed, at);
        }
        index_run::Event::Failed { code, text, .. } => {
            repository.failure = Some((*code, text.as_str().to_owned()));
            ended(0, 0, RunState::Failed);
            repository.enter(RepositoryState::Failed, at);
        }
        index_run::Event::Cancelled { .. } => {
            ended(0, 0, RunState::Cancelled);
            let indexed = repository.indexed_at.is_some();
            repository.enter(if indexed { RepositoryState::Indexed } else { RepositoryState::Waiting }, at);
        }
    }
    rows.save(&repository);
}

impl Repository {
    fn enter(&mut self, state: RepositoryState, at: Timestamp) {
        if self.state != state {
            self.state = state;
            self.since = at;
        }
    }
}
