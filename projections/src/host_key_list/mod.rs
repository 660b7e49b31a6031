//! The servers of SSH that were met, and the keys by which each is known. Forgotten ones stay readable, since their history
//! does.

mod reads;
#[cfg(test)]
mod tests;

use keytrail_domain::{
    aggregate::Aggregate as _,
    fact::Fact,
    host_key::{Event, HostKeys},
    id::HostKeyId,
    recorded::Recorded,
};

pub use self::reads::{HostKeyCounts, HostKeyState, SshServer, by_id, counts, page};
use crate::{
    rows::{Keys, Rows},
    view::{History, Kind, Table, View},
};

/// The view.
#[derive(Debug)]
pub struct HostKeyList;

// Servers are few: nothing is looked up by an index but the order of the list.
const SERVERS: Table = Table {
    name: "host_key_list",
    columns: &[
        ("host_key", Kind::Bytes),
        ("host_name", Kind::Text),
        ("port_number", Kind::Int),
        ("state", Kind::Text),
        ("known_keys", Kind::Text),
        ("trusted_how", Kind::MaybeText),
        ("met_at", Kind::Int),
        ("trusted_at", Kind::MaybeInt),
        ("changed_at", Kind::MaybeInt),
        ("met_position", Kind::Int),
        ("version", Kind::Int),
        ("position", Kind::Int),
    ],
    key: 1,
    history: History::None,
    indexes: &[&["met_position", "host_key"]],
};

impl View for HostKeyList {
    fn name(&self) -> &'static str {
        "host_key_list"
    }

    fn version(&self) -> u32 {
        1
    }

    fn tables(&self) -> &'static [Table] {
        &[SERVERS]
    }

    fn keys(&self, fact: &Recorded<Fact>, keys: &mut Keys) {
        if of_host_keys(&fact.fact).is_some() {
            keys.want::<SshServer>(fact.stream.id);
        }
    }

    fn fold(&self, rows: &mut Rows, fact: &Recorded<Fact>) {
        if let Some(event) = of_host_keys(&fact.fact) {
            fold(rows, fact, event);
        }
    }
}

/// What matters to this view.
const fn of_host_keys(fact: &Fact) -> Option<&Event> {
    match fact {
        Fact::HostKey(event) => Some(event),
        Fact::Integration(_)
        | Fact::Repository(_)
        | Fact::IndexRun(_)
        | Fact::IndexBatch(_)
        | Fact::Access(_)
        | Fact::ProjectRules(_)
        | Fact::CommitLink(_)
        | Fact::Person(_)
        | Fact::Installation(_)
        | Fact::PullRequest(_)
        | Fact::SshKey(_)
        | Fact::AccessSettings(_) => None,
    }
}

fn fold(rows: &mut Rows, fact: &Recorded<Fact>, event: &Event) {
    let mut row = rows.find::<SshServer>(fact.stream.id).unwrap_or_else(|| SshServer {
        id: HostKeyId(fact.stream.id),
        host: event.at().host.to_string(),
        port: event.at().port,
        state: HostKeyState::Seen,
        keys: HostKeys::default(),
        how: None,
        met_at: fact.metadata.at,
        trusted_at: None,
        changed_at: None,
        met_position: fact.position,
        version: fact.sequence,
        position: fact.position,
    });
    row.keys.evolve(event);
    row.version = fact.sequence;
    row.position = fact.position;
    match event {
        Event::Seen { .. } => {}
        Event::Trusted { how, .. } => {
            row.how = Some(*how);
            row.trusted_at = Some(fact.metadata.at);
        }
        Event::Changed { .. } => row.changed_at = Some(fact.metadata.at),
        Event::ChangeAccepted { .. } => {
            row.trusted_at = Some(fact.metadata.at);
            row.changed_at = None;
        }
        Event::ChangeRefused { .. } => row.changed_at = None,
        Event::Revoked { .. } => (row.how, row.trusted_at, row.changed_at) = (None, None, None),
    }
    row.state = match event {
        Event::Revoked { .. } => HostKeyState::Forgotten,
        _ if row.keys.is_alarmed() => HostKeyState::Changed,
        _ if row.keys.trusted().is_empty() => HostKeyState::Seen,
        _ => HostKeyState::Trusted,
    };
    rows.save(&row);
}
