//! How each GitHub App of ours is: the word, since when, what stands in the way. Removed ones stay readable.
//!
//! The state is the aggregate's own, folded by the aggregate's own `evolve`: the two cannot come to differ.

mod reads;
#[cfg(test)]
mod tests;

use keytrail_domain::{
    aggregate::Aggregate as _,
    fact::Fact,
    github::Login,
    id::IntegrationId,
    installation::{Event, Installation, Wish},
    integration,
    recorded::Recorded,
    service::Connection,
};

pub use self::reads::{InstallationRow, by_id, changed, in_organisation, page};
use crate::{
    rows::{Keys, Rows},
    view::{History, Kind, Table, View},
};

/// The view.
#[derive(Debug)]
pub struct InstallationStatus;

const INSTALLATIONS: Table = Table {
    name: "installation_status",
    columns: &[
        ("integration", Kind::Bytes),
        ("status", Kind::Text),
        ("since", Kind::Int),
        ("progress_at", Kind::Int),
        ("state", Kind::Text),
        ("place", Kind::MaybeText),
        ("wished_by", Kind::MaybeText),
        ("opened_position", Kind::Int),
        ("version", Kind::Int),
        ("position", Kind::Int),
    ],
    key: 1,
    history: History::None,
    indexes: &[&["opened_position", "integration"], &["position", "integration"], &["place", "integration"]],
};

impl View for InstallationStatus {
    fn name(&self) -> &'static str {
        "installation_status"
    }

    fn version(&self) -> u32 {
        7
    }

    fn tables(&self) -> &'static [Table] {
        &[INSTALLATIONS]
    }

    fn keys(&self, fact: &Recorded<Fact>, keys: &mut Keys) {
        match &fact.fact {
            Fact::Integration(_) | Fact::Installation(_) => keys.want::<InstallationRow>(fact.stream.id),
            Fact::Repository(_)
            | Fact::IndexRun(_)
            | Fact::IndexBatch(_)
            | Fact::Access(_)
            | Fact::ProjectRules(_)
            | Fact::CommitLink(_)
            | Fact::Person(_)
            | Fact::PullRequest(_)
            | Fact::SshKey(_)
            | Fact::HostKey(_)
            | Fact::AccessSettings(_) => {}
        }
    }

    fn fold(&self, rows: &mut Rows, fact: &Recorded<Fact>) {
        match &fact.fact {
            Fact::Integration(event) => of_integration(rows, fact, event),
            Fact::Installation(event) => rows.change(fact.stream.id, |row: &mut InstallationRow| {
                row.version = fact.sequence;
                row.follow(fact, event);
            }),
            Fact::Repository(_)
            | Fact::IndexRun(_)
            | Fact::IndexBatch(_)
            | Fact::Access(_)
            | Fact::ProjectRules(_)
            | Fact::CommitLink(_)
            | Fact::Person(_)
            | Fact::PullRequest(_)
            | Fact::SshKey(_)
            | Fact::HostKey(_)
            | Fact::AccessSettings(_) => {}
        }
    }
}

/// An integration is there before anything is known of its app, and its removal is the end also where there was none.
fn of_integration(rows: &mut Rows, fact: &Recorded<Fact>, event: &integration::Event) {
    match event {
        integration::Event::Added { connection: Connection::GithubApp(_), .. } => {
            let state = Installation::default();
            rows.save(&InstallationRow {
                id: IntegrationId(fact.stream.id),
                status: state.status(),
                since: fact.metadata.at,
                progress_at: fact.metadata.at,
                state,
                place: None,
                wished_by: None,
                opened_position: fact.position,
                version: 0,
                position: fact.position,
            });
        }
        integration::Event::Removed { .. } => {
            rows.change(fact.stream.id, |row: &mut InstallationRow| {
                if matches!(row.state, Installation::Absent) {
                    row.follow(
                        fact,
                        &Event::Removed { app: None, host: None, account: None, remainder: None, kept: None },
                    );
                }
            });
        }
        integration::Event::Added { .. }
        | integration::Event::Renamed { .. }
        | integration::Event::ConnectionChanged { .. }
        | integration::Event::WebLinksSet { .. }
        | integration::Event::Paused {}
        | integration::Event::Resumed {}
        | integration::Event::ReindexRequested {}
        | integration::Event::ResetRequested {}
        | integration::Event::IndexingCancelled { .. } => {}
    }
}

/// The same for all ways of writing one organisation of one host.
fn place(host: &str, login: &Login) -> String {
    format!("{host}/{}", login.folded())
}

impl InstallationRow {
    fn follow(&mut self, fact: &Recorded<Fact>, event: &Event) {
        self.position = fact.position;
        self.state.evolve(event);
        if let Event::SuspensionWished {} | Event::SuspensionLifted {} = event {
            self.wished_by = Some(fact.metadata.actor.name().to_owned());
        }
        match &self.state {
            Installation::Registered(registered) => {
                self.place = registered.account.as_ref().map(|account| place(&account.host, &account.login));
                self.wished_by = self.wished_by.take().filter(|_| registered.wish != Wish::Unsaid);
            }
            Installation::Absent | Installation::Registering(_) | Installation::Removed { .. } => {
                (self.place, self.wished_by) = (None, None);
            }
        }
        let status = self.state.status();
        if status != self.status {
            self.status = status;
            self.since = fact.metadata.at;
        }
        // A verdict, a doubt, a comparison or where deliveries go is no progress.
        if !matches!(
            event,
            Event::Diagnosed { .. }
                | Event::Cleared {}
                | Event::WebhooksDoubted { .. }
                | Event::WebhookWished {}
                | Event::WebhookTold { .. }
                | Event::PropertiesCompared { .. }
                | Event::KeyRejected {}
                | Event::ConfirmationWanted { .. }
                | Event::ConfirmationSpared {}
        ) {
            self.progress_at = fact.metadata.at;
        }
    }
}
