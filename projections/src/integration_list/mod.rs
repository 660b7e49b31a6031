//! The integrations, as lists and pages show them. Removed ones stay readable, since their history does.

mod reads;
#[cfg(test)]
mod tests;

use keytrail_domain::{
    fact::Fact, id::IntegrationId, integration::Event, recorded::Recorded, timestamp::Timestamp, web_links::WebLinks,
};

pub use self::reads::{
    Integration, IntegrationState, MOST_IDS, at_location, by_id, by_ids, by_name, by_place, by_ssh_key, changed, page,
    ssh_key_uses,
};
use crate::{
    rows::{Keys, Rows},
    view::{History, Kind, Table, View},
};

/// The view.
#[derive(Debug)]
pub struct IntegrationList;

// No index over the place: it may be longer than an index entry, and integrations are few. The key of SSH stands alone, too,
// so that those that chose it are counted at once.
const INTEGRATIONS: Table = Table {
    name: "integration_list",
    columns: &[
        ("integration", Kind::Bytes),
        ("name", Kind::Text),
        ("folded_name", Kind::Text),
        ("kind", Kind::Text),
        ("location", Kind::Text),
        ("place", Kind::Text),
        ("connection", Kind::Text),
        ("state", Kind::Text),
        ("since", Kind::Int),
        ("added_at", Kind::Int),
        ("added_position", Kind::Int),
        ("version", Kind::Int),
        ("position", Kind::Int),
        ("ssh_key", Kind::MaybeBytes),
        ("web_links", Kind::Text),
    ],
    key: 1,
    history: History::None,
    indexes: &[&["added_position", "integration"], &["position", "integration"]],
};

impl View for IntegrationList {
    fn name(&self) -> &'static str {
        "integration_list"
    }

    fn version(&self) -> u32 {
        6
    }

    fn tables(&self) -> &'static [Table] {
        &[INTEGRATIONS]
    }

    fn keys(&self, fact: &Recorded<Fact>, keys: &mut Keys) {
        match &fact.fact {
            Fact::Integration(_) => keys.want::<Integration>(fact.stream.id),
            Fact::Repository(_)
            | Fact::IndexRun(_)
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
            Fact::Integration(event) => fold(rows, fact, event),
            Fact::Repository(_)
            | Fact::IndexRun(_)
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

fn fold(rows: &mut Rows, fact: &Recorded<Fact>, event: &Event) {
    let at = fact.metadata.at;
    if let Event::Added { name, connection } = event {
        rows.save(&Integration {
            id: IntegrationId(fact.stream.id),
            name: name.as_str().to_owned(),
            folded_name: name.folded(),
            kind: connection.kind().to_owned(),
            location: connection.location().into_owned(),
            place: connection.natural_key(),
            connection: connection.clone(),
            web_links: WebLinks::default(),
            state: IntegrationState::Active,
            since: at,
            added_at: at,
            added_position: fact.position,
            version: fact.sequence,
            position: fact.position,
        });
        return;
    }
    rows.change(fact.stream.id, |integration: &mut Integration| {
        integration.version = fact.sequence;
        integration.position = fact.position;
        match event {
            Event::Added { .. } => {}
            Event::Renamed { name, previous: _ } => {
                integration.name = name.as_str().to_owned();
                integration.folded_name = name.folded();
            }
            Event::ConnectionChanged { connection, previous: _ } => {
                integration.kind = connection.kind().to_owned();
                integration.location = connection.location().into_owned();
                integration.place = connection.natural_key();
                integration.connection = connection.clone();
            }
            Event::WebLinksSet { web_links } => integration.web_links.clone_from(web_links),
            Event::Paused {} => integration.enter(IntegrationState::Paused, at),
            Event::Resumed {} => integration.enter(IntegrationState::Active, at),
            // Its repositories show what comes of it.
            Event::ReindexRequested {} | Event::ResetRequested {} | Event::IndexingCancelled { .. } => {}
            Event::Removed { .. } => integration.enter(IntegrationState::Removed, at),
        }
    });
}

impl Integration {
    fn enter(&mut self, state: IntegrationState, at: Timestamp) {
        // Removed is for good, and a state that is said again began when it was first said.
        if self.state != IntegrationState::Removed && self.state != state {
            self.state = state;
            self.since = at;
        }
    }
}
