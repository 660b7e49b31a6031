//! The table by which a big view knows which repository has which number. Rows of commits, links and refs carry only
//! the number, so forgetting or resetting a repository ends one row here and not a million there.
//!
//! Each big view keeps a copy of its own, since views are rebuilt apart from each other.

use keytrail_domain::{
    fact::Fact,
    id::RepositoryId,
    index_run::{self, Cause},
    recorded::Recorded,
    repository,
};

use crate::{
    row,
    rows::{Keys, Rows},
    value::Value,
    view::{FROM, History, Kind, TO, Table},
};

/// The table under the name that its view gives it. Every row that is read goes through its index, so that holds all
/// that is asked for.
pub(crate) const fn table(name: &'static str) -> Table {
    Table {
        name,
        columns: &[
            ("repository", Kind::Bytes),
            ("number", Kind::Int),
            ("integration", Kind::Bytes),
            ("name", Kind::Text),
        ],
        key: 1,
        history: History::Many,
        indexes: &[&["number", FROM, TO, "repository", "integration", "name"]],
    }
}

/// Asks for the repository that the fact is about.
pub(crate) fn keys(table: &'static Table, fact: &Recorded<Fact>, keys: &mut Keys) {
    let mut want = |repository: RepositoryId| keys.add(table, row![repository]);
    match &fact.fact {
        Fact::Repository(
            repository::Event::Discovered { .. } | repository::Event::Moved { .. } | repository::Event::Forgotten {},
        ) => {
            want(RepositoryId(fact.stream.id));
        }
        Fact::IndexRun(index_run::Event::Requested { repository, cause: Cause::Reset }) => want(*repository),
        Fact::IndexRun(
            index_run::Event::Requested { cause: Cause::Discovered | Cause::Asked | Cause::Moved, .. }
            | index_run::Event::Started { .. }
            | index_run::Event::Completed { .. }
            | index_run::Event::Failed { .. }
            | index_run::Event::Cancelled { .. },
        )
        | Fact::Repository(
            repository::Event::Refused { .. }
            | repository::Event::Unreachable { .. }
            | repository::Event::Reachable {}
            | repository::Event::Archived {}
            | repository::Event::Unarchived {},
        )
        | Fact::Integration(_)
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

/// Keeps the number of the repository that the fact is about.
pub(crate) fn fold(table: &'static Table, rows: &mut Rows, fact: &Recorded<Fact>) {
    match &fact.fact {
        Fact::Repository(repository::Event::Discovered { integration, name, .. }) => {
            rows.put(table, row![RepositoryId(fact.stream.id), fact.position, *integration, name]);
        }
        Fact::Repository(repository::Event::Moved { name, .. }) => {
            let id = RepositoryId(fact.stream.id);
            if let Some(mut row) = rows.get(table, &[id.into()]).map(<[Value]>::to_vec) {
                row[3] = name.into();
                rows.put(table, row);
            }
        }
        Fact::Repository(repository::Event::Forgotten {}) => rows.end(table, &[RepositoryId(fact.stream.id).into()]),
        Fact::IndexRun(index_run::Event::Requested { repository, cause: Cause::Reset }) => {
            if let Some(mut reset) = rows.get(table, &[(*repository).into()]).map(<[Value]>::to_vec) {
                reset[1] = Value::Int(fact.position);
                rows.put(table, reset);
            }
        }
        Fact::IndexRun(
            index_run::Event::Requested { cause: Cause::Discovered | Cause::Asked | Cause::Moved, .. }
            | index_run::Event::Started { .. }
            | index_run::Event::Completed { .. }
            | index_run::Event::Failed { .. }
            | index_run::Event::Cancelled { .. },
        )
        | Fact::Repository(
            repository::Event::Refused { .. }
            | repository::Event::Unreachable { .. }
            | repository::Event::Reachable {}
            | repository::Event::Archived {}
            | repository::Event::Unarchived {},
        )
        | Fact::Integration(_)
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
